# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.fairness.calibration_gap import MEASURES, CalibrationGap
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.family import gap_findings


def forecasts(n, m, shift, *, seed=0, patients=None, power=1.0):
    """Two groups, the second with probabilities that are too high, or too extreme."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.1, 0.8, n + m)
    y = rng.random(n + m) < p
    odds = (p / (1 - p)) ** np.where(np.arange(n + m) < n, 1.0, power)
    said = np.clip(odds / (1 + odds) + shift * (np.arange(n + m) >= n), 0, 1)
    keys = tuple(f"c{i:04d}" for i in range(n + m))
    return BinaryScores(
        target="finding",
        cases=keys,
        patients=tuple(patients or keys),
        y_true=tuple(y.tolist()),
        y_score=tuple(said.tolist()),
        probabilities=True,
        groups={"sex": ("F",) * n + ("M",) * m},
    )


def check(measure, **more):
    return CalibrationGap(measure=measure, n_draws=499, **more)


@pytest.mark.parametrize("measure", ["ece", "calibration_in_the_large"])
def test_a_shift_of_one_group_is_found(measure, pick):
    found = check(measure)(forecasts(150, 150, 0.2))
    assert found.verdict is Verdict.MEASURED
    assert found.subjects == (f"finding_{measure}", "sex")
    assert pick(found, "p_adjusted").value < 0.01
    gap, null = pick(found, "max_min_gap").value, pick(found, "gap_null_95th").value
    assert gap > null
    assert "(lowest" in found.statement
    assert sum(found.accounting.values()) == found.accounting["compared"] == 300


def test_probabilities_that_are_too_extreme_in_one_group_show_in_the_slope(pick):
    found = check("calibration_slope")(forecasts(400, 400, 0, power=2.5))
    assert pick(found, "p_adjusted").value < 0.01
    assert pick(found, "difference", {"sex": "F - M"}).low > 0
    assert pick(found, "smallest_parity_margin").value > 0


@pytest.mark.parametrize("measure", MEASURES)
def test_without_a_gap_it_says_so_without_a_verdict(measure, pick):
    found = check(measure)(forecasts(80, 120, 0, seed=5))
    assert found.verdict is Verdict.MEASURED
    assert pick(found, "p_adjusted").value > 0.05
    assert "Not shown is not no gap" in found.statement
    assert found.curves[0].name == "gap_null"
    assert not {"fair", "significant", "unbiased"} & set(found.statement.lower().split())


def test_the_errors_say_what_their_rejection_means(pick):
    found = check("ece")(forecasts(100, 100, 0.1))
    assert any("null of this test is that every group is calibrated" in text for text in found.limitations)
    assert "calibrated" in pick(found, "max_min_gap").reason
    assert pick(found, "difference", {"sex": "F - M"}).low is None


def test_errors_of_repeated_patients_are_not_tested_and_means_are():
    data = forecasts(60, 60, 0.1, patients=[f"p{i // 2}" for i in range(120)])
    found = check("ece")(data)
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert "not independent" in found.reason
    assert found.accounting["without_a_comparison"] == 120
    assert check("calibration_in_the_large")(data).verdict is Verdict.MEASURED
    assert check("calibration_slope")(data).verdict is Verdict.MEASURED


def test_patients_in_both_groups_are_counted_once(pick):
    data = forecasts(60, 60, 0.1, patients=[f"p{i % 60}" for i in range(120)])
    found = check("brier")(data)
    assert "random signs" in pick(found, "p_value").method
    assert pick(found, "p_value").n == 60
    assert "in both groups" in pick(found, "difference", {"sex": "F - M"}).method


def test_a_group_without_a_slope_is_named_with_its_reason():
    data = forecasts(60, 60, 0)
    truth = tuple(y and i >= 3 and i < 60 for i, y in enumerate(data.y_true))
    found = check("calibration_slope")(replace(data, y_true=truth))
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert "fewer than 5 patients" in found.parameters["undefined_groups"]["M"]
    assert found.accounting["in_groups_undefined"] == 60
    assert sum(found.accounting.values()) == 120


def test_scores_that_are_no_probabilities_are_not_assessable():
    found = check("brier")(replace(forecasts(30, 30, 0), probabilities=False))
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert sum(found.accounting.values()) == 60


def test_an_unknown_measure_or_attribute_is_refused():
    with pytest.raises(InputError, match="Known: ece"):
        CalibrationGap(measure="sharpness")
    with pytest.raises(InputError, match="Known: sex"):
        check("brier", attribute="age")(forecasts(20, 20, 0))
    two = forecasts(20, 20, 0).with_groups({"site": ["A"] * 40})
    assert "none was named" in check("brier")(two).reason


@pytest.mark.parametrize("measure", MEASURES)
def test_neither_rows_nor_names_of_groups_change_a_p_value(measure):
    data = forecasts(40, 60, 0.1)
    first = check(measure)(data)
    order = [int(i) for i in np.random.default_rng(0).permutation(100)]
    assert json.dumps(first.to_dict()) == json.dumps(check(measure)(data.reordered(order)).to_dict())
    renamed = data.with_groups({"sex": ["z"] * 40 + ["a"] * 60})
    assert check(measure).compare(renamed).p == check(measure).compare(data).p


def test_all_measures_are_one_family(pick):
    data = forecasts(80, 80, 0.05)
    findings = gap_findings([(check(measure, attribute="sex"), data) for measure in MEASURES])
    assert [found.parameters["family"] for found in findings] == [4] * 4
    assert all(pick(found, "p_adjusted").value >= pick(found, "p_value").value for found in findings)
