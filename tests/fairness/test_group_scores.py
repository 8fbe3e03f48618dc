# SPDX-License-Identifier: Apache-2.0
import math
from dataclasses import replace

import numpy as np
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
    assert "0 of 10 cases with a reference missed, something found in 2 of 4 without one" in found.statement
    assert pick(found, "mean").value == pytest.approx(0.8)
    assert (pick(found, "mean").n, pick(found, "mean").n_valid) == (14, 10)


def test_missing_labels_are_a_group_and_small_groups_are_listed_without_numbers(scores, pick):
    found = GroupScores()(scores([0.5 + i / 100 for i in range(25)], {"sex": labels(("F", 12), ("M", 3), (None, 10))}))
    assert pick(found, "median", {"sex": None}).value is not None
    small = pick(found, "median", {"sex": "M"})
    assert (small.value, small.n) == (None, 3)
    assert "listed, not judged" in small.reason
    assert "1 group has fewer than 10 patients with a score" in found.statement


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
    found = GroupScores()(replace(scores([1.0] * 15 + [0.0] * 5, metric="sensitivity"), misses_known=False))
    assert "Wilson" in pick(found, "mean").method
    assert {item.name for item in found.estimates} == {"mean"}


def test_a_perfect_model_keeps_its_failure_rate_and_is_not_sure_of_its_mean(scores, pick):
    found = GroupScores()(scores([1.0] * 40, {"sex": ["F", "M"] * 20}, bounds=(0, 1)))
    assert pick(found, "failure_rate").value == 0
    assert pick(found, "mean").low < 0.95
    assert "0 of 40 cases with a reference missed" in found.statement
    assert "the same in all 2 groups" in found.statement


def test_equal_unbounded_scores_have_no_interval_of_the_mean(scores, pick):
    found = pick(GroupScores()(scores([1.0] * 40, metric="hd95", unit="mm", higher=False)), "mean")
    assert (found.value, found.low) == (1, None)
    assert "all scores are equal" in found.reason


def test_a_group_in_which_half_were_missed_is_the_worst_although_its_median_has_no_value(scores, pick):
    values = [None] * 12 + [9.0] * 12 + [2.0] * 12
    outcomes = ["missed"] * 12 + ["scored"] * 24
    groups = {"site": labels(("A", 12), ("B", 12), ("C", 12))}
    found = GroupScores()(scores(values, groups, metric="hd95", unit="mm", higher=False, outcomes=outcomes))
    assert pick(found, "median", {"site": "A"}).value is None
    assert "Worst median of 3 groups: site A (half or more missed)" in found.statement


def test_groups_that_tie_for_the_worst_are_counted_and_none_is_named(scores):
    groups = {"site": labels(("A", 12), ("B", 12), ("C", 12))}
    found = GroupScores()(scores([0.5] * 24 + [0.9] * 12, groups, bounds=(0, 1)))
    assert "shared by 2 groups (0.5)" in found.statement


def test_a_rate_needs_as_many_patients_with_such_cases_as_a_score_does(scores, pick):
    outcomes = ["scored"] * 9 + ["true_negative"] * 15 + ["scored"] * 12
    values = [0.5] * 9 + [None] * 15 + [0.5] * 12
    found = GroupScores()(scores(values, {"sex": labels(("F", 24), ("M", 12))}, outcomes=outcomes))
    few = pick(found, "failure_rate", {"sex": "F"})
    assert (few.value, few.n) == (None, 9)
    assert "9 patients with such cases" in few.reason
    assert pick(found, "false_positive_rate", {"sex": "F"}).value == 0
    assert pick(found, "failure_rate", {"sex": "M"}).value == 0


def test_it_is_said_when_patients_were_not_named(scores):
    values = [0.5 + i / 100 for i in range(20)]
    unnamed, named = (
        GroupScores()(scores(values, patients=owners)) for owners in (None, [f"p{i // 2}" for i in range(20)])
    )
    assert any("No patient was named" in text for text in unnamed.limitations)
    assert not any("No patient was named" in text for text in named.limitations)


def test_two_patients_of_sixty_slices_are_two_patients(scores, pick):
    values = [0.5 + i / 400 for i in range(120)]
    found = GroupScores()(
        scores(values, {"sex": ["F"] * 60 + ["M"] * 60}, patients=["p1"] * 60 + ["p2"] * 60, bounds=(0, 1))
    )
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert "2 patients with a score" in found.reason
    assert (pick(found, "mean").n, found.accounting["scored"]) == (2, 120)
    assert all(item.value is None for item in found.estimates if item.group)


def test_a_missed_slice_of_many_does_not_make_its_patient_a_miss(scores, pick):
    outcomes = ["scored", "scored", "missed"] * 12
    values = [None if outcome == "missed" else float(i) for i, outcome in enumerate(outcomes)]
    patients = [f"p{i // 3:02d}" for i in range(36)]
    groups = {"sex": ["F"] * 15 + ["M"] * 21}
    table = scores(values, groups, metric="hd95", unit="mm", higher=False, outcomes=outcomes, patients=patients)
    found = GroupScores(min_group_size=5)(table)
    median = pick(found, "median")
    assert median.value == pytest.approx(17.5)
    assert "each patient's value is the median over the patient's cases" in median.estimand
    assert pick(found, "median", {"sex": "F"}).estimand == median.estimand
    assert pick(found, "failure_rate").value == pytest.approx(1 / 3)


def test_patients_values_are_drawn_for_groups_that_are_large_enough(scores):
    rng = np.random.default_rng(0)
    values = [float(v) for v in rng.beta(8, 2, 45)]
    found = GroupScores()(scores(values, {"site": ["A"] * 20 + ["B"] * 20 + ["C"] * 5}, bounds=(0, 1)))
    drawn = {(curve.name, curve.group.get("site", "everyone")) for curve in found.curves}
    assert drawn == {(name, site) for name in ("distribution", "quantiles") for site in ("everyone", "A", "B")}
    shown = {value for curve in found.curves for value in curve.y}
    assert not shown & {round(value, 6) for value in values}
    assert len({curve.x for curve in found.curves if curve.name == "distribution"}) == 1
    assert all(len(curve.x) <= 61 for curve in found.curves)


def test_shrunk_means_stand_beside_the_raw_ones_from_five_groups_on_and_decide_nothing(scores, pick):
    rng = np.random.default_rng(3)
    values = [float(v) for v in np.concatenate([rng.beta(4, 4, 20), rng.beta(8, 2, 80)])]
    sites = [site for site in "ABCDE" for _ in range(20)]
    found = GroupScores()(scores(values, {"site": sites}, bounds=(0, 1)))
    shrunk, raw = pick(found, "shrunk_mean", {"site": "A"}), pick(found, "mean", {"site": "A"})
    assert shrunk.value > raw.value
    assert shrunk.low is None
    assert "hide a harmed group" in shrunk.reason
    four = GroupScores()(scores(values[:80], {"site": sites[:80]}, bounds=(0, 1)))
    assert not [item for item in four.estimates if item.name == "shrunk_mean"]
    assert "shrunk" not in found.statement
