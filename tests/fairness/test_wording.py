# SPDX-License-Identifier: Apache-2.0
import numpy as np

from monai_ethics.fairness.family import score_gaps
from monai_ethics.fairness.score_gap import ScoreGap

QUICK = ScoreGap(n_permutations=499)


def labels(*parts):
    return [label for label, count in parts for _ in range(count)]


def say(table, attribute="g"):
    (found,) = score_gaps([table], [attribute], check=QUICK, misses=False)
    return found.statement


def test_misses_are_said_in_words_and_percent(scores):
    outcomes = ["missed"] * 12 + ["scored"] * 28 + ["scored"] * 40
    values = [0.0 if outcome == "missed" else 0.8 + i / 1000 for i, outcome in enumerate(outcomes)]
    table = scores(values, {"sex": labels(("F", 40), ("M", 40))}, outcomes=outcomes, bounds=(0, 1))
    text = say(table.missed(), "sex")
    assert text.startswith("The share of missed cases (something to find, nothing found; mean_dice) differs by sex")
    assert "shares from 30 % (F) to 0 % (M), a gap of 30 percentage points" in text
    assert text.endswith("Missed most often: F.")
    assert "mean_dice_missed" not in text


def test_lower_scores_are_worse_or_better_as_the_metric_says(scores):
    rng = np.random.default_rng(0)
    values = [float(v) for v in np.concatenate([rng.gamma(2, 1, 40), 3 + rng.gamma(2, 1, 40)])]
    groups = {"g": labels(("F", 40), ("M", 40))}
    assert "Served worst: M." in say(scores(values, groups, metric="hd95", unit="mm", higher=False))
    assert "Served worst: F." in say(scores(values, groups, metric="score"))
    undirected = say(scores(values, groups, metric="score", higher=None))
    assert "differs by g" in undirected
    assert "worst" not in undirected


def test_groups_that_tie_for_the_worst_are_both_named(scores):
    base = [0.5 + i / 100 for i in range(20)]
    low = [value - 0.4 for value in base]
    text = say(scores(low + low + base, {"g": labels(("A", 20), ("B", 20), ("C", 20))}))
    assert "means from 0.195 (A and B) to 0.595 (C)" in text
    assert "Served worst in these data: A and B (of 3 groups; which pairs differ stands below)." in text


def test_ranks_name_the_group_that_was_tested_and_not_that_of_the_medians(scores):
    first = [0.0] * 49 + [0.8] * 51  # a higher median, but patients of the second are higher in most comparisons
    second = [0.79] * 60 + [0.9] * 40
    text = say(scores(first + second, {"g": labels(("A", 100), ("B", 100))}, bounds=(0, 1)))
    assert "medians from 0.79 (B) to 0.8 (A)" in text
    assert text.endswith("Served worst: B by medians, A by the ranks of all scores.")


def test_equal_medians_are_said_to_be_equal_when_the_ranks_differ(scores):
    values = [1.0] * 20 + [0.2] * 18 + [1.0] * 38 + [0.0]
    text = say(scores(values, {"g": labels(("A", 38), ("B", 39))}, bounds=(0, 1)))
    assert "differs by g" in text
    assert "all medians are 1." in text
    assert "Served worst: A, by the ranks of all scores." in text


def test_a_group_that_was_missed_altogether_is_at_the_worse_end(scores):
    values = [None] * 20 + [2.0 + i / 10 for i in range(20)]
    outcomes = ["missed"] * 20 + ["scored"] * 20
    table = scores(
        values, {"g": labels(("A", 20), ("B", 20))}, metric="hd95", unit="mm", higher=False, outcomes=outcomes
    )
    text = say(table)
    assert "medians from half or more missed (A) to 2.95 mm (B)" in text
    assert "Served worst: A" in text


def test_intersections_say_that_they_are_exploratory(scores):
    rng = np.random.default_rng(1)
    table = scores([float(v) for v in rng.beta(8, 2, 40)], {"sex*site": labels(("F*A", 20), ("M*A", 20))})
    (found,) = score_gaps([table], check=QUICK)
    assert "(exploratory; adjusted p" in found.statement
    assert found.limitations[0].startswith("Exploratory")


def test_what_could_not_have_been_seen_is_said_in_comparisons_or_as_nothing_at_all(scores):
    rng = np.random.default_rng(2)

    def table(n):
        values = [0.0, *(float(v) for v in rng.beta(8, 2, 2 * n - 1))]
        return scores(values, {"g": labels(("A", n), ("B", n))}, bounds=(0, 1))

    assert "do better than those of the other in at least about 7" in say(table(30))
    (found,) = score_gaps([table(30)], check=QUICK, misses=False)
    names = {item.name for item in found.estimates}
    assert "minimum_detectable_relative_effect" in names
    assert "minimum_detectable_gap" not in names, "a limit in the metric's unit must not meet a probability"
    few, check = table(3), ScoreGap(min_group_size=2, n_permutations=99, level=0.9999)
    (found,) = score_gaps([few], check=check)
    assert "no gap of any size would be seen reliably" in found.statement


def test_one_group_alone_is_compared_with_nobody_and_stays_in_the_accounting(scores):
    (found,) = score_gaps([scores([0.5 + i / 100 for i in range(30)], {"g": labels(("A", 25), ("B", 5))})])
    assert found.verdict == "not_assessable"
    assert found.accounting["without_a_group_to_compare_with"] == 25
    assert found.accounting["in_groups_too_small"] == 5
    assert found.accounting["compared"] == 0


def test_groups_that_were_missed_alike_are_said_to_be(scores):
    table = scores(
        [None] * 40, {"g": labels(("A", 20), (None, 20))}, metric="hd95", higher=False, outcomes=["missed"] * 40
    )
    assert "half or more missed in each group" in say(table)


def test_scores_without_spread_say_nothing_of_what_would_have_been_seen(scores):
    found = QUICK(scores([0.5] * 40, {"g": labels(("A", 20), (None, 20))}, bounds=(0, 1)))
    assert next(item for item in found.estimates if item.name == "minimum_detectable_gap").value is None
    assert found.statement.endswith("all means are 0.5. Not shown is not no gap.")


def test_labels_that_were_not_recorded_are_named_as_such(scores):
    values = [0.5 + i / 100 for i in range(20)] + [0.8 + i / 100 for i in range(20)]
    assert "(not recorded) to" in say(scores(values, {"g": labels((None, 20), ("A", 20))}))
