# SPDX-License-Identifier: Apache-2.0
"""How often a sweep shows a difference that is none, and how often its intervals hold the truth."""

import numpy as np
import pytest
from scipy import stats

from monai_ethics.synthesis.methods.crossed import models_spread, recipe_spread, smallest_margin

pytestmark = pytest.mark.slow
RUNS = 2000
SEED_SD, CASE_SD, PATIENTS = 0.01, 0.05, 100


def arm(rng, seeds, *, patients=PATIENTS, seed_sd=SEED_SD, case_sd=CASE_SD):
    return rng.normal(0, seed_sd, seeds)[:, None] + rng.normal(0, case_sd, (seeds, patients))


def within(share, rate, runs=RUNS, slack=0.0):
    low, high = stats.binom.interval(0.99, runs, rate)
    return low / runs - slack <= share <= high / runs + slack


def test_with_three_seeds_pairs_of_cases_reject_equal_recipes_and_seeds_as_the_unit_do_not():
    rng = np.random.default_rng(0)
    rejected = np.zeros(2)
    for _ in range(RUNS):
        first, second = arm(rng, 3), arm(rng, 3)
        rejected += [
            stats.ttest_rel(first.ravel(), second.ravel()).pvalue <= 0.05,
            stats.ttest_1samp((first - second).mean(1), 0).pvalue <= 0.05,
        ]
    print(
        f"3 seeds, equal recipes: paired by case {rejected[0] / RUNS:.3f}, seeds as the unit {rejected[1] / RUNS:.3f}"
    )
    assert 0.33 < rejected[0] / RUNS < 0.43
    assert within(rejected[1] / RUNS, 0.05)


@pytest.mark.parametrize("seeds", [5, 8])
def test_the_crossed_interval_keeps_the_level_for_equal_recipes(seeds):
    rng = np.random.default_rng(seeds)
    rejected = 0
    for _ in range(RUNS):
        low, high = recipe_spread([arm(rng, seeds) - arm(rng, seeds)]).interval(0.95)
        rejected += not low <= 0 <= high
    print(f"{seeds} seeds, equal recipes: crossed {rejected / RUNS:.3f}")
    assert rejected / RUNS <= stats.binom.ppf(0.995, RUNS, 0.05) / RUNS


@pytest.mark.parametrize(
    ("name", "seeds", "patients", "parts"),
    [
        ("both", 5, 100, (0.01, 0.05, 0.02)),
        ("few patients", 5, 10, (0.01, 0.05, 0.02)),
        ("seeds only", 5, 100, (0.05, 0.05, 0.0)),
        ("patients only", 5, 30, (0.0, 0.05, 0.05)),
        ("skewed few patients", 5, 10, (0.01, 0.05, 0.02)),
        ("noise only", 5, 30, (0.0, 0.0, 0.05)),
    ],
)
def test_intervals_of_the_recipe_hold_the_truth(name, seeds, patients, parts):
    rng, hits = np.random.default_rng(seeds + patients), np.zeros(2)
    for _ in range(RUNS):
        case = rng.exponential(1, patients) - 1 if "skewed" in name else rng.normal(0, 1, patients)
        table = rng.normal(0, parts[0], seeds)[:, None] + parts[1] * case
        table += rng.normal(0, parts[2], (seeds, patients))
        for place, spread in enumerate((recipe_spread([table]), models_spread([table]))):
            low, high = spread.interval(0.95)
            hits[place] += low <= 0 <= high
    print(f"{name}, {seeds} seeds, {patients} patients: recipe {hits[0] / RUNS:.3f}, models {hits[1] / RUNS:.3f}")
    assert hits[0] / RUNS >= stats.binom.ppf(0.005, RUNS, 0.95) / RUNS - (0.05 if "skewed" in name else 0.01)


def test_the_gap_of_real_and_synthetic_tests_is_covered():
    rng, hits = np.random.default_rng(3), 0
    for _ in range(RUNS):
        shared = rng.normal(0, 0.01, 5)[:, None]
        sides = [shared + rng.normal(0, 0.05, m) + rng.normal(0, 0.02, (5, m)) for m in (40, 25)]
        low, high = recipe_spread(sides).interval(0.95)
        hits += low <= 0 <= high
    print(f"real minus synthetic, 40 and 25 cases: {hits / RUNS:.3f}")
    assert within(hits / RUNS, 0.95, slack=0.015)


def test_equivalence_is_shown_for_a_true_difference_at_the_margin_no_more_often_than_stated():
    rng, shown, true = np.random.default_rng(4), 0, 0.02
    for _ in range(RUNS):
        table = true + rng.normal(0, 0.005, 5)[:, None] + rng.normal(0, 0.03, 60) + rng.normal(0, 0.02, (5, 60))
        shown += smallest_margin(recipe_spread([table])) < true
    print(f"equivalence shown although the difference is the margin: {shown / RUNS:.3f}")
    assert shown / RUNS <= stats.binom.ppf(0.995, RUNS, 0.05) / RUNS + 0.01
