# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.family import gap_findings
from monai_ethics.fairness.rate_gap import RateGap


def decisions(truth, called, sexes, patients=None):
    cases = tuple(f"c{i}" for i in range(len(truth)))
    return BinaryScores(
        target="mass",
        cases=cases,
        patients=cases if patients is None else tuple(patients),
        y_true=truth,
        y_pred=called,
        decided_by="a reader",
        groups={"sex": tuple(sexes)},
    )


def values(finding):
    return {(item.name, *item.group.values()): item for item in finding.estimates}


@pytest.fixture
def missed_in_women():
    """40 positive cases each: 20 of F and 38 of M found; 60 negative cases each, 6 called positive."""
    truth = ([True] * 40 + [False] * 60) * 2
    called = [True] * 20 + [False] * 20 + [True] * 6 + [False] * 54 + [True] * 38 + [False] * 2 + [True] * 6
    return decisions(truth, [*called, *[False] * 54], ["F"] * 100 + ["M"] * 100)


def test_gap_of_found_positives_is_shown_with_its_interval(missed_in_women):
    finding = RateGap(attribute="sex")(missed_in_women)
    found = values(finding)
    assert finding.verdict is Verdict.MEASURED
    assert finding.subjects == ("mass_tpr", "sex")
    assert found["difference", "F - M"].value == pytest.approx(-0.45)
    assert found["difference", "F - M"].high < -0.2
    assert found["max_min_gap",].value == pytest.approx(0.45)
    assert found["p_adjusted",].value < 0.001
    assert found["ratio",].value == pytest.approx(20 / 38)
    assert 0 < found["gap_null_mean",].value < found["gap_null_95th",].value < 0.3
    assert "equal opportunity" in finding.statement
    assert "Worst: F" in finding.statement


def test_of_several_groups_the_worst_is_what_was_seen_and_not_what_was_shown():
    called = [True] * 90 + [False] * 10 + [True] * 60 + [False] * 40 + [True] * 5 + [False] * 5
    data = decisions([True] * 210, called, ["A"] * 100 + ["B"] * 100 + ["C"] * 10)
    text = RateGap(attribute="sex")(data).statement
    assert text.endswith("Worst in these data: C (of 3 groups; which pairs differ stands below).")


def test_rate_that_is_the_same_is_not_called_equal(missed_in_women):
    finding = RateGap(attribute="sex", rate="fpr")(missed_in_women)
    assert values(finding)["p_value",].value == 1.0
    assert "Not shown is not no gap" in finding.statement
    assert finding.accounting["compared"] == 120
    assert finding.accounting["without_the_denominator"] == 80


@pytest.mark.parametrize(
    ("rate", "name"),
    [
        ("selection_rate", "demographic parity"),
        ("tpr", "equal opportunity"),
        ("ppv", "predictive parity"),
        ("fnr", "underdiagnosis"),
        ("fpr", "overdiagnosis"),
    ],
)
def test_statement_uses_the_name_of_the_literature(missed_in_women, rate, name):
    finding = RateGap(rate=rate)(missed_in_women)
    assert name in finding.statement
    assert sum(finding.accounting.values()) == 200
    json.dumps(finding.to_dict(), allow_nan=False)


def test_rate_and_its_complement_give_the_same_test(missed_in_women):
    found, missed = (values(RateGap(rate=rate)(missed_in_women)) for rate in ("tpr", "fnr"))
    assert found["p_value",].value == missed["p_value",].value
    assert found["difference", "F - M"].value == pytest.approx(-missed["difference", "F - M"].value)
    assert found["difference", "F - M"].low == pytest.approx(-missed["difference", "F - M"].high)


def test_names_of_groups_and_order_of_cases_change_no_number(missed_in_women):
    swapped = replace(missed_in_women, groups={"sex": tuple("MF"[s == "M"] for s in missed_in_women.groups["sex"])})
    order = np.random.default_rng(0).permutation(len(swapped)).tolist()
    one = values(RateGap()(missed_in_women))
    other = values(RateGap()(swapped.reordered(order)))
    for name in ("p_value", "gap_null_mean", "gap_null_95th", "minimum_detectable_gap"):
        assert one[name,].value == other[name,].value
    assert one["difference", "F - M"].value == -other["difference", "F - M"].value


def test_prevalence_that_differs_brings_the_note_on_what_cannot_all_hold():
    truth = [True] * 50 + [False] * 50 + [True] * 10 + [False] * 90
    finding = RateGap()(decisions(truth, truth, ["F"] * 100 + ["M"] * 100))
    assert any("cannot all hold" in text and "10 % to 50 %" in text for text in finding.limitations)
    same = RateGap()(decisions([True, False] * 100, [True] * 200, ["F"] * 100 + ["M"] * 100))
    assert not any("cannot all hold" in text for text in same.limitations)


def test_detectable_gap_is_at_a_stated_rate_and_not_at_the_observed_gap(missed_in_women):
    stated = values(RateGap()(missed_in_women))["minimum_detectable_gap",]
    better = decisions(missed_in_women.y_true, missed_in_women.y_true, missed_in_women.groups["sex"])
    assert stated.value == values(RateGap()(better))["minimum_detectable_gap",].value
    assert stated.value == pytest.approx(0.2237, abs=1e-4)
    assert "0.85 (stated beforehand)" in stated.estimand
    assert values(RateGap(base_rate=0.5)(better))["minimum_detectable_gap",].value > stated.value


def test_group_without_enough_positives_is_listed_and_not_judged(missed_in_women):
    sexes = [
        "X" if i % 100 in range(97, 100) or i in (0, 1, 40, 41, 42, 43, 44) else s
        for i, s in enumerate("F" * 100 + "M" * 100)
    ]
    finding = RateGap()(replace(missed_in_women, groups={"sex": tuple(sexes)}))
    assert finding.parameters["small_groups"] == ("X",)
    assert "2 patients with positive cases" in finding.parameters["why_small"]["X"]
    assert finding.parameters["groups"]["X"] == 13
    assert finding.accounting["in_groups_too_small"] == 13
    alone = RateGap(min_group_size=99)(missed_in_women.reordered(range(150)))
    assert alone.verdict is Verdict.NOT_ASSESSABLE
    assert "1 of 2 groups" in alone.reason


def test_patients_in_both_groups_get_the_sandwich_and_random_signs(missed_in_women):
    patients = [f"p{i % 100}" for i in range(200)]
    finding = RateGap(n_permutations=999)(replace(missed_in_women, patients=tuple(patients)))
    found = values(finding)
    assert finding.parameters["patients_in_several_groups"] == 40
    assert "cluster-robust" in found["difference", "F - M"].method
    assert "random signs" in found["p_value",].method
    assert found["minimum_detectable_gap",].value is None
    assert found["p_value",].value < 0.01


def test_decisions_are_needed_and_settings_are_checked():
    data = RateGap.example(40, seed=0)
    none = replace(data, y_pred=(), threshold=None, decided_by="")
    assert "chosen on other data" in RateGap()(none).reason
    two = data.with_groups({"site": ["A"] * 40})
    assert "2 attributes and none was named" in RateGap()(two).reason
    with pytest.raises(InputError, match="Expected a rate"):
        RateGap(rate="recall")
    with pytest.raises(InputError, match="base rate"):
        RateGap(base_rate=1.0)


def test_family_adjusts_all_rates_together(missed_in_women):
    findings = gap_findings([(RateGap(attribute="sex", rate=rate), missed_in_women) for rate in ("tpr", "fpr")])
    first, second = (values(finding) for finding in findings)
    assert first["p_adjusted",].value == pytest.approx(2 * first["p_value",].value)
    assert findings[0].parameters["family"] == 2
    assert first["minimum_detectable_gap",].value > values(RateGap()(missed_in_women))["minimum_detectable_gap",].value
    assert second["p_adjusted",].value == 1.0


def test_null_of_the_gap_is_a_curve_whose_shares_add_up(missed_in_women):
    (curve,) = RateGap()(missed_in_women).curves
    assert curve.name == "gap_null"
    assert len(curve.x) <= 41
    assert sum(curve.y) == pytest.approx(1.0)
