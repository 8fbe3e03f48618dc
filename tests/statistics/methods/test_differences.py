# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from scipy import stats

from monai_ethics.statistics.differences import mean_difference, newcombe, relative_effect

FIRST, SECOND = np.array([1.0, 2, 3, 4, 9]), np.array([2.0, 4, 6, 8, 10, 12])


def test_a_difference_of_means_is_welchs():
    result, p = mean_difference(FIRST, SECOND)
    peer = stats.ttest_ind(FIRST, SECOND, equal_var=False)
    assert result.value == pytest.approx(-3.2)
    assert p == pytest.approx(peer.pvalue)
    assert (result.low, result.high) == pytest.approx(tuple(peer.confidence_interval()))


def test_a_difference_of_rates_is_newcombes_published_example():
    # Newcombe 1998, table II, example (a): 56/70 against 48/80
    assert newcombe((56, 48), (70, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    result, _ = mean_difference(np.repeat([1.0, 0], [56, 14]), np.repeat([1.0, 0], [48, 32]))
    assert (result.value, result.low) == pytest.approx((0.2, 0.0524), abs=5e-5)


def test_groups_without_spread_have_no_interval_of_means():
    result, p = mean_difference(np.full(5, 0.5), np.full(5, 0.7))
    assert result.low is None
    assert "no spread" in result.reason
    assert p == pytest.approx(2 / math.comb(10, 5))
    assert mean_difference(np.full(5, 0.5), np.full(7, 0.5))[1] == 1
    assert mean_difference(np.zeros(12), np.ones(12))[1] == pytest.approx(stats.fisher_exact([[12, 0], [0, 12]])[1])


def test_a_relative_effect_is_counted_and_tested_like_brunner_and_munzel():
    result, p = relative_effect(FIRST, SECOND)
    pairs = [(a > b) + 0.5 * (a == b) for a in FIRST for b in SECOND]
    assert result.value == pytest.approx(np.mean(pairs))
    assert p == pytest.approx(stats.brunnermunzel(FIRST, SECOND).pvalue)
    assert 0 < result.low < result.value < result.high < 1


def test_a_miss_counts_as_the_worst_in_a_relative_effect():
    found, _ = relative_effect(np.array([1.0, math.inf, math.inf]), np.array([2.0, 3.0, math.inf]))
    assert found.value == pytest.approx((0 + 2 * (2 + 0.5)) / 9)


def test_groups_that_do_not_overlap_have_no_interval_of_ranks():
    result, p = relative_effect(FIRST, FIRST + 100)
    assert (result.value, result.low) == (0, None)
    assert p == pytest.approx(stats.mannwhitneyu(FIRST, FIRST + 100, method="exact").pvalue)
    assert relative_effect(np.ones(5), np.ones(6))[1] == 1


def test_rounding_is_no_spread():
    result, p = mean_difference(np.full(20, 0.8), np.full(30, 0.8))
    assert result.low is None
    assert p == 1
