# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.fairness.group_scores import GroupScores


def labels(*parts):
    return [label for label, count in parts for _ in range(count)]


def test_numbers_of_everyone_and_of_each_group_are_those_computed_by_hand(scores, pick):
    values = [0.1 * i for i in range(1, 11)] + [0.5] * 10
    found = GroupScores()(scores(values, {"sex": labels(("F", 10), ("M", 10))}))
    assert found.verdict is Verdict.MEASURED
    median = pick(found, "median", {"sex": "F"})
    assert (median.value, median.low, median.high) == pytest.approx((0.55, 0.2, 0.9))
    assert pick(found, "mean").value == pytest.approx(0.525)
    assert pick(found, "mean", {"sex": "F"}).method == "guaranteed interval by betting"
    assert (pick(found, "median", {"sex": "M"}).n, pick(found, "median").n_unit) == (10, "patients")


def test_missed_lesions_are_failures_and_stay_in_the_scores(scores, pick):
    values = [0.8] * 15 + [None] * 5
    outcomes = ["scored"] * 15 + ["missed"] * 5
    dice = GroupScores()(scores(values, outcomes=outcomes))
    assert pick(dice, "failure_rate").value == 0.25
    assert pick(dice, "mean").value == pytest.approx(0.6)
    distance = GroupScores()(
        scores(
            [3.0] * 8 + [None] * 12, metric="hd95", unit="mm", higher=False, outcomes=["scored"] * 8 + ["missed"] * 12
        )
    )
    assert pick(distance, "failure_rate").value == 0.6
    assert pick(distance, "median").value is None
    assert "missed" in pick(distance, "mean").reason


def test_false_positives_on_healthy_cases_are_apart_from_the_scores(scores, pick):
    values = [0.8] * 10 + [0.0, 0.0, 1.0, None]
    outcomes = ["scored"] * 10 + ["false_positive", "false_positive", "true_negative", "true_negative"]
    found = GroupScores()(scores(values, outcomes=outcomes))
    assert pick(found, "false_positive_rate").value == 0.5
    assert pick(found, "false_positive_rate").n == 4
    assert pick(found, "mean").value == pytest.approx(0.8)
    assert (pick(found, "mean").n, pick(found, "mean").n_valid) == (14, 10)


def test_missing_labels_are_a_group_and_small_groups_are_listed_without_numbers(scores, pick):
    found = GroupScores()(scores([0.5 + i / 100 for i in range(25)], {"sex": labels(("F", 12), ("M", 3), (None, 10))}))
    assert pick(found, "median", {"sex": None}).value is not None
    small = pick(found, "median", {"sex": "M"})
    assert (small.value, small.n) == (None, 3)
    assert "listed, not judged" in small.reason
    assert "1 group(s) with fewer than 10 patients" in found.statement


def test_a_patient_with_many_cases_counts_once(scores, pick):
    values = [0.0] * 50 + [1.0 - i / 100 for i in range(10)]
    patients = ["p"] * 50 + [f"q{i}" for i in range(10)]
    found = GroupScores()(scores(values, patients=patients))
    assert pick(found, "median").n == 11
    assert pick(found, "median").value == pytest.approx(0.95)


def test_everything_is_in_the_accounting(scores):
    outcomes = ["scored", "missed", "false_positive", "true_negative", "undefined"] * 4
    found = GroupScores()(scores([0.5, 0, None, None, None] * 4, outcomes=outcomes))
    assert dict(found.accounting) == dict.fromkeys(outcomes[:5], 4)


@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_too_few_patients_are_not_assessable(n):
    found = GroupScores()(GroupScores.example(n, 0))
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert f"{n} patients" in found.reason


def test_an_unbounded_mean_of_few_patients_has_a_reason_and_no_interval(scores, pick):
    found = pick(GroupScores()(scores([float(i) for i in range(20)], metric="hd95", unit="mm", higher=False)), "mean")
    assert found.low is None
    assert "not known to be bounded" in found.reason
    assert math.isclose(found.value, 9.5)


def test_yes_or_no_scores_are_a_rate_with_wilsons_interval(scores, pick):
    found = GroupScores()(scores([1.0] * 15 + [0.0] * 5, metric="sensitivity"))
    assert "Wilson" in pick(found, "mean").method
    assert {item.name for item in found.estimates} == {"mean"}
