# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.fairness.calibration import Calibration
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.statistics.calibration import ERRORS

QUICK = Calibration(draws=200)


def test_each_error_stands_beside_its_value_under_chance(pick):
    found = QUICK(Calibration.example(200, 0))
    assert found.verdict is Verdict.MEASURED
    for group in ({}, {"sex": "F"}, {"sex": "M"}):
        for name in ERRORS:
            assert pick(found, name, group).value is not None
            null = pick(found, f"{name}_null_mean", group).value
            assert 0 < null < pick(found, f"{name}_null_95th", group).value
        assert pick(found, "ece_null_mean", group).method == "consistency resampling, 200 draws, seed 0"
        slope = pick(found, "calibration_slope", group)
        assert slope.low < slope.value < slope.high
        shift = pick(found, "calibration_in_the_large", group)
        assert -1 <= shift.low < shift.value < shift.high <= 1
        assert pick(found, "brier", group).low > 0
    assert "where a calibrated model shows" in found.statement


def test_all_groups_share_their_edges(pick):
    found = QUICK(Calibration.example(200, 0))
    for name in ("ece", "ece_equal_mass"):
        methods = {item.method for item in found.estimates if item.name == name}
        assert len(methods) == 1


def test_probabilities_that_are_too_high_show_in_the_large(pick):
    data = Calibration.example(400, 1)
    high = replace(data, y_score=tuple(min(score + 0.2, 1.0) for score in data.y_score))
    found = QUICK(high)
    assert pick(found, "calibration_in_the_large").low > 0.05
    assert pick(found, "ece").value > pick(found, "ece_null_95th").value


def test_scores_that_are_no_probabilities_are_not_assessable():
    data = Calibration.example(60, 0)
    found = QUICK(replace(data, probabilities=False))
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert "probabilit" in found.reason
    decided = replace(data, y_score=(), y_pred=data.y_true, decided_by="the file")
    assert "only decisions" in QUICK(decided).reason
    assert QUICK(decided).accounting["not_measured"] == 60


def test_repeated_patients_take_the_null_away_and_leave_the_rest(pick):
    data = Calibration.example(120, 0)
    found = QUICK(data.with_patients([f"p{i // 3}" for i in range(120)]))
    assert pick(found, "ece").value is not None
    null = pick(found, "ece_null_mean")
    assert null.value is None
    assert "not independent" in null.reason
    assert pick(found, "calibration_in_the_large").low is not None
    assert pick(found, "ece").n == 40
    assert pick(found, "cases").value == 120


def test_small_groups_are_listed_and_not_judged(pick):
    data = Calibration.example(60, 0).with_groups({"site": ["A"] * 55 + ["B"] * 5})
    found = QUICK(data)
    for name in ("ece", "calibration_slope", "brier"):
        small = pick(found, name, {"site": "B"})
        assert small.value is None
        assert "listed, not judged" in small.reason
    assert pick(found, "cases", {"site": "B"}).value == 5
    assert "1 group has too few patients" in found.statement
    assert not [curve for curve in found.curves if curve.group == {"site": "B"}]


def test_too_few_positive_patients_leave_a_value_without_an_interval(pick):
    data = Calibration.example(60, 0)
    found = QUICK(replace(data, y_true=tuple(i < 3 for i in range(60))))
    shift = pick(found, "calibration_in_the_large")
    assert shift.value is not None
    assert shift.low is None
    assert "at least 5 of each" in shift.reason
    assert pick(found, "calibration_slope").value is None


def test_no_bin_of_a_reliability_curve_holds_fewer_than_five_patients():
    found = Calibration(draws=50)(Calibration.example(43, 0))
    curves = [curve for curve in found.curves if curve.name == "reliability"]
    assert [dict(curve.group) for curve in curves] == [{}, {"sex": "F"}, {"sex": "M"}]
    for curve in curves:
        assert len(curve.x) <= curve.n // 5
        assert all(low <= y <= high for low, y, high in zip(curve.low, curve.y, curve.high, strict=True))


def test_equal_probabilities_have_one_bin_and_no_slope(pick):
    data = Calibration.example(40, 0)
    found = QUICK(replace(data, y_score=(0.5,) * 40))
    assert "all probabilities are equal" in pick(found, "calibration_slope").reason
    assert len(found.curves[0].x) == 1


def test_the_order_of_cases_changes_no_byte():
    data = Calibration.example(50, 4)
    order = [int(i) for i in np.random.default_rng(0).permutation(50)]
    assert json.dumps(QUICK(data).to_dict()) == json.dumps(QUICK(data.reordered(order)).to_dict())


@pytest.mark.parametrize("n", [0, 1, 9])
def test_too_few_patients_are_not_assessable(n):
    found = QUICK(Calibration.example(n, 0))
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert sum(found.accounting.values()) == n


def test_many_cases_of_one_patient_are_one_patient():
    rng = np.random.default_rng(0)
    data = BinaryScores(
        target="finding",
        cases=tuple(map(str, range(40))),
        patients=("p",) * 40,
        y_true=tuple((rng.random(40) < 0.5).tolist()),
        y_score=tuple(rng.random(40).tolist()),
        probabilities=True,
    )
    assert QUICK(data).verdict is Verdict.NOT_ASSESSABLE
