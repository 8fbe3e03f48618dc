# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.fairness.group_ranking import GroupRanking


@pytest.fixture
def data():
    return GroupRanking.example(80, seed=0)


def test_everyone_and_every_group_have_areas_precision_and_counts(data, pick):
    found = GroupRanking()(data)
    assert found.verdict is Verdict.MEASURED
    assert pick(found, "auc").n == 80
    women = {"sex": "F"}
    assert pick(found, "patients", women).value == 29
    assert pick(found, "positives", women).value == 15
    for name in ("auc", "auc_bpsn", "auc_bnsp", "average_precision"):
        item = pick(found, name, women)
        assert item.low < item.value < item.high
    assert "0.517 (the prevalence) by chance" in pick(found, "average_precision", women).estimand
    assert sum(found.accounting.values()) == 80
    assert "of 100 pairs" in found.statement


def test_of_two_groups_each_ones_negatives_meet_the_others_positives(data, pick):
    found = GroupRanking()(data)
    assert pick(found, "auc_bpsn", {"sex": "F"}).value == pick(found, "auc_bnsp", {"sex": "M"}).value


def test_a_group_whose_scores_lie_higher_shows_across_groups_only(data, pick):
    higher = [score + 2 * (label == "F") for score, label in zip(data.y_score, data.groups["sex"], strict=True)]
    before, after = GroupRanking()(data), GroupRanking()(replace(data, y_score=tuple(higher)))
    women = {"sex": "F"}
    assert pick(after, "auc", women).value == pick(before, "auc", women).value
    assert pick(after, "auc_bpsn", women).value < pick(before, "auc_bpsn", women).value - 0.2
    assert pick(after, "auc_bnsp", women).value > pick(before, "auc_bnsp", women).value


def test_curves_of_everyone_and_of_each_judged_group_run_from_corner_to_corner(data):
    found = GroupRanking()(data)
    assert [dict(curve.group) for curve in found.curves] == [{}, {"sex": "F"}, {"sex": "M"}]
    for curve in found.curves:
        assert curve.name == "roc"
        assert (curve.x[0], curve.x[-1], curve.y[-1]) == (0, 1, 1)
        assert list(curve.y) == sorted(curve.y)


def test_small_groups_and_missing_labels_are_listed_and_not_judged(data, pick):
    labels = ("F",) * 70 + (None,) * 10
    few = GroupRanking(min_group_size=11)(data.with_groups({"sex": labels}))
    unknown = {"sex": None}
    assert "listed, not judged" in pick(few, "auc", unknown).reason
    assert pick(few, "patients", unknown).value == 10
    assert "1 group is too small" in few.statement
    assert len(few.curves) == 2


def test_few_patients_of_a_class_are_not_judged(data, pick):
    order = sorted(range(80), key=lambda i: data.y_true[i])
    rows = data.reordered(order)  # negative cases first
    count = data.y_true.count(False)
    labels = ("A",) * (count - 4) + ("B",) * (84 - count)
    found = GroupRanking()(rows.with_groups({"g": labels}))
    assert "absent" in pick(found, "auc", {"g": "A"}).reason
    assert "4 patients with cases of one class" in pick(found, "auc", {"g": "B"}).reason
    assert pick(found, "auc_bpsn", {"g": "B"}).value is None
    assert pick(found, "auc_bnsp", {"g": "B"}).value is not None


def test_repeated_patients_widen_intervals(data, pick):
    twice = data.with_patients([f"p{i // 2}" for i in range(80)])
    found = GroupRanking()(twice)
    assert pick(found, "patients").value == 40
    assert "by patient" in pick(found, "auc").method


def test_nothing_to_rank_is_not_assessable(data):
    without = replace(data, y_score=(), y_pred=data.y_true, decided_by="x")
    assert "no scores" in GroupRanking()(without).reason
    assert "absent" in GroupRanking()(replace(data, y_true=(True,) * 80)).reason
    assert "fewer than" in GroupRanking()(data.reordered(range(4))).reason
    assert GroupRanking()(without).verdict is Verdict.NOT_ASSESSABLE
