# SPDX-License-Identifier: Apache-2.0
import itertools
import math

import numpy as np
import pytest

from monai_ethics.statistics.permutation import mean_omnibus, rank_omnibus, share_at_least

TESTS = [mean_omnibus, rank_omnibus]


def run(test, groups, *, draws=499, seed=0):
    return test(
        [np.asarray(group, dtype=float) for group in groups], n_permutations=draws, rng=np.random.default_rng(seed)
    )


def test_the_observed_arrangement_counts_among_the_draws():
    assert share_at_least(np.array([0.0, 1, 2]), 5.0) == 0.25
    assert share_at_least(np.array([5.0, 5, 5]), 5.0) == 1


def test_the_p_value_is_the_share_of_all_arrangements():
    pooled, n = np.array([0.1, 0.2, 0.35, 0.6, 0.7, 0.95, 1.0]), 3

    def welch(first, second):
        parts = [max(np.var(x, ddof=1) / len(x), np.var(pooled) / len(x) ** 2) for x in (first, second)]
        return (first.mean() - second.mean()) ** 2 / sum(parts)

    every = [welch(pooled[list(rows)], np.delete(pooled, list(rows))) for rows in itertools.combinations(range(7), n)]
    exact = np.mean([value >= every[0] - 1e-9 for value in every])
    found = run(mean_omnibus, [pooled[:3], pooled[3:]], draws=20_000)
    assert found.p == pytest.approx(exact, abs=0.006)


def pseudo_ranks(groups):
    """The Wald statistic of relative effects, as it is defined: each patient's influence, and its covariance."""
    places = [[[np.mean((g < x) + 0.5 * (g == x)) for g in groups] for x in group] for group in groups]
    effects, spread = [], np.diag([1 / (12 * len(g) ** 2) for g in groups])
    for number, own in enumerate(map(np.array, places)):
        above = own.mean(axis=1)
        effects.append(above.mean())
        influence = -own / len(groups)
        influence[:, number] += above
        spread += np.cov(influence.T) / len(own)
    contrast = np.eye(len(groups))[1:] - np.eye(len(groups))[0]
    gap = contrast @ effects
    return gap @ np.linalg.solve(contrast @ spread @ contrast.T, gap)


def test_the_p_value_of_ranks_is_the_share_of_all_arrangements():
    pooled = np.array([-np.inf, 0.1, 0.35, 0.35, 0.7, 0.95, 1.0])
    arrangements = sorted(set(itertools.permutations("aabbccc")))
    every = np.array([pseudo_ranks([pooled[np.array(found) == name] for name in "abc"]) for found in arrangements])
    for place in (0, 60, 150):
        groups = [pooled[np.array(arrangements[place]) == name] for name in "abc"]
        exact = np.mean(every >= every[place] - 1e-9)
        assert run(rank_omnibus, groups, draws=20_000).p == pytest.approx(exact, abs=0.011)


@pytest.mark.parametrize("test", TESTS)
def test_equal_groups_give_a_p_value_of_one(test):
    assert run(test, [[1, 2, 3, 4]] * 3).p > 0.9
    assert run(test, [[5.0] * 6, [5.0] * 9]).p == 1


@pytest.mark.parametrize("test", TESTS)
def test_groups_far_apart_give_the_smallest_p_value(test):
    found = run(test, [np.arange(12), np.arange(12) + 50])
    assert found.p == 1 / 500
    assert found.gap == 50
    assert 0 < found.gap_null_mean < found.gap_null_95th < 50


@pytest.mark.parametrize("test", TESTS)
def test_neither_the_order_of_patients_nor_of_groups_changes_the_answer(test):
    rng = np.random.default_rng(4)
    groups = [rng.random(10), rng.random(14), rng.random(14)]
    turned = [group[::-1] for group in (groups[2], groups[0], groups[1])]
    assert run(test, groups) == run(test, turned)


def test_ranks_see_neither_units_nor_how_bad_a_miss_is():
    rng = np.random.default_rng(1)
    first, second = rng.random(20), rng.random(25) + 0.2
    second[:3] = 9
    far = second.copy()
    far[:3] = math.inf
    assert run(rank_omnibus, [first, second]).p == run(rank_omnibus, [first, far]).p
    assert run(rank_omnibus, [first, second]).p == run(rank_omnibus, [np.exp(first), np.exp(second)]).p


def test_the_gap_of_medians_is_undefined_when_most_of_a_group_was_missed():
    found = run(rank_omnibus, [[1, 2, 3, 4, 5], [math.inf, math.inf, math.inf, 1, 2]])
    assert found.gap is None
    assert found.gap_null_mean is None


def test_the_rank_gap_is_that_of_the_medians():
    found = run(rank_omnibus, [[1, 2, 9, 10], [3, 4, 5]])
    assert found.gap == 5.5 - 4


@pytest.mark.parametrize("test", TESTS)
def test_a_large_offset_does_not_change_the_answer(test):
    rng = np.random.default_rng(2)
    groups = [rng.random(15), rng.random(20)]
    assert run(test, groups).p == run(test, [group + 1e6 for group in groups]).p
