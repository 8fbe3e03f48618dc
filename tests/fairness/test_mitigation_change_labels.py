# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.binary_before_after import CHANGES, BinaryBeforeAfter
from monai_ethics.fairness.mitigation_change import MitigationChange

CHECK = MitigationChange(n_permutations=499)
NAMES = {
    "before", "after", "change", "difference_change", "max_min_gap_before", "max_min_gap_after", "max_min_gap_change",
    "gap_change_null_5th", "gap_change_null_95th", "p_value", "worst_group_change", "test_set_uses",
}  # fmt: skip


def classifier(n=160, views=1, gain=0.0, seed=0):
    """The answers of a classifier; the women's positive cases score lower, and rise by `gain`."""
    rng = np.random.default_rng(seed)
    sex = np.repeat(["F", "M"], n // 2)
    truth = np.arange(n) // views % 2 == 0
    score = truth - 0.8 * (truth & (sex == "F")) + rng.normal(0, 0.4, n)
    moved = score + gain * (truth & (sex == "F")) + np.random.default_rng(seed + 1).normal(0, 0.05, n)
    cases = tuple(f"c{i:03d}" for i in range(n))

    def side(scores):
        return BinaryScores(
            target="nodule",
            cases=cases,
            patients=tuple(f"p{i // views:03d}" for i in range(n)),
            y_true=tuple(truth.tolist()),
            y_score=tuple(scores.tolist()),
            groups={"sex": tuple(sex.tolist())},
        ).decided(0.5, decided_by="fixed beforehand")

    return BinaryBeforeAfter(before=side(score), after=side(moved), measure="tpr", uses_known=2)


@pytest.fixture
def measured():
    return classifier(gain=0.8)


@pytest.mark.parametrize("measure", CHANGES)
def test_every_measure_has_the_estimates_of_a_score(measured, measure, pick):
    finding = CHECK(replace(measured, measure=measure))
    assert finding.verdict is Verdict.MEASURED
    assert finding.subjects == (f"nodule_{measure}", "sex")
    assert {item.name for item in finding.estimates} >= NAMES
    assert sum(finding.accounting.values()) == 160
    change, pair = pick(finding, "change", {"sex": "F"}), pick(finding, "difference_change", {"sex": "F - M"})
    assert change.low <= change.value <= change.high
    assert pair.value == pytest.approx(change.value - pick(finding, "change", {"sex": "M"}).value, abs=1e-12)
    assert "paired" in change.method
    assert pick(finding, "worst_group_change").value is None if measure == "selection_rate" else True


def test_a_closed_gap_of_sensitivity_is_seen(measured, pick):
    finding = CHECK(measured)
    assert pick(finding, "change", {"sex": "F"}).low > 0.2
    assert pick(finding, "difference_change", {"sex": "F - M"}).low > 0.2
    assert pick(finding, "max_min_gap_change").value < pick(finding, "gap_change_null_5th").value
    assert pick(finding, "p_value").value == 1 / 500
    assert pick(finding, "worst_group_change").value > pick(finding, "worst_change_null_95th").value
    assert "worst group's value went" in finding.statement
    assert finding.accounting["not_counted_by_this_measure"] == 80


def test_no_change_of_decisions_still_has_an_interval(measured, pick):
    finding = CHECK(replace(measured, after=measured.before))
    change = pick(finding, "change", {"sex": "M"})
    assert change.value == 0
    assert change.low == pytest.approx(-change.high)
    assert 0.03 < change.high < 0.15, "forty patients whose decision stayed do not prove that none changes"
    assert pick(finding, "p_value").value == 1
    area = pick(CHECK(replace(measured, measure="auc", after=measured.before)), "change", {"sex": "M"})
    assert (area.value, area.low) == (0, None)
    assert "nothing changed" in area.reason


def test_cases_of_one_patient_are_no_independent_cases(pick):
    one, four = classifier(views=1, gain=0.2), classifier(views=4, gain=0.2)
    wide = [pick(CHECK(data), "change", {"sex": "F"}) for data in (one, four)]
    assert [item.n for item in wide] == [40, 10]


def test_the_direction_decides_which_group_is_worst(measured, pick):
    finding = CHECK(replace(measured, measure="fpr"))
    ends = [max(pick(finding, name, {"sex": s}).value for s in "FM") for name in ("before", "after")]
    assert pick(finding, "worst_group_change").value == pytest.approx(ends[1] - ends[0], abs=1e-12)


def test_exchange_is_exact_where_patients_have_different_numbers_of_cases():
    data = classifier(views=1, gain=0.8)
    sides = [
        replace(t, patients=tuple(f"p{min(i % 80, 60)}{i // 80}" for i in range(160)))
        for t in (data.before, data.after)
    ]
    data = replace(data, before=sides[0], after=sides[1])
    (women, _) = data.groups("sex")
    flip = np.random.default_rng(0).choice([-1.0, 1.0], len(women.patients))
    sign = dict(zip(women.patients, flip, strict=True))
    rows = [i for i in range(80) if data.before.y_true[i]]
    signed = [sign[data.before.patients[i]] * (data.after.y_pred[i] - data.before.y_pred[i]) for i in rows]
    assert (flip * (women.after - women.before)).mean() == pytest.approx(np.mean(signed), abs=1e-12)


def test_patients_in_several_groups_are_counted_once(pick):
    data = classifier(gain=0.5)
    sides = [replace(t, patients=tuple(f"p{i % 80}" for i in range(160))) for t in (data.before, data.after)]
    for measure in CHANGES:
        finding = CHECK(replace(data, before=sides[0], after=sides[1], measure=measure))
        assert finding.parameters["patients_in_several_groups"] > 0
        assert pick(finding, "difference_change", {"sex": "F - M"}).low is not None


def test_small_groups_are_listed_and_withheld(measured, pick):
    sex = tuple(None if i in (0, 1, 2) else label for i, label in enumerate(measured.before.groups["sex"]))
    finding = CHECK(replace(measured, before=measured.before.with_groups({"sex": sex})))
    small = pick(finding, "change", {"sex": None})
    assert small.value is None
    assert "3 patients: listed, not judged" in small.reason
    assert list(finding.parameters["small_groups"]) == ["(not recorded)"]
    assert finding.parameters["groups"]["(not recorded)"] == 3


def test_without_decisions_or_a_second_measurement_nothing_is_compared(measured):
    bare = replace(measured.after, y_pred=(), decided_by="", threshold=None)
    finding = CHECK(replace(measured, after=bare))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "no decisions in one of the two" in finding.reason
    assert sum(finding.accounting.values()) == 160
    assert "claim" in CHECK(replace(measured, after=None)).reason


def test_other_thresholds_are_said(measured):
    after = measured.after.decided(0.3, decided_by="chosen on validation data")
    assert any("chosen on validation data" in text for text in CHECK(replace(measured, after=after)).limitations)


def test_cases_in_one_measurement_only_are_counted(measured):
    finding = CHECK(replace(measured, after=measured.after.reordered(range(1, 160))))
    assert finding.accounting["only_before"] == 1
    assert any("not of the same cases" in text for text in finding.limitations)


@pytest.mark.parametrize("measure", CHANGES)
def test_the_order_of_cases_does_not_change_a_byte(measured, measure):
    data = replace(measured, measure=measure)
    order = np.random.default_rng(3).permutation(160).tolist()
    turned = replace(data.reordered(order), after=data.after)
    assert json.dumps(CHECK(turned).to_dict()) == json.dumps(CHECK(data).to_dict())


@pytest.mark.parametrize("n", [0, 1])
def test_no_case_and_one_case_are_not_assessable(measured, n):
    for measure in CHANGES:
        finding = CHECK(replace(measured, measure=measure).reordered(range(n)))
        assert finding.verdict is Verdict.NOT_ASSESSABLE
        assert finding.reason
