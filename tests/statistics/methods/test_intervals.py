# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from scipy import stats

from monai_ethics.statistics.intervals import (
    bounded_mean,
    clopper_pearson,
    clustered_rate,
    mean_over_patients,
    median_over_patients,
    wilson,
)


def test_wilson_is_known_at_two_of_ten():
    assert wilson(2, 10) == pytest.approx((0.0566822, 0.5098375), abs=1e-6)


def test_wilson_equals_scipys():
    for hits, n in ((0, 7), (3, 9), (50, 50)):
        peer = stats.binomtest(hits, n).proportion_ci(method="wilson")
        assert wilson(hits, n) == pytest.approx((peer.low, peer.high))


def test_clopper_and_pearsons_interval_equals_scipys():
    for hits, n in ((0, 7), (3, 9), (50, 50)):
        peer = stats.binomtest(hits, n).proportion_ci(method="exact")
        assert clopper_pearson(hits, n) == pytest.approx((peer.low, peer.high))


def test_the_median_of_ten_lies_between_the_second_and_the_ninth():
    found = median_over_patients(np.arange(1.0, 11))
    assert (found.value, found.low, found.high) == (5.5, 2.0, 9.0)


@pytest.mark.parametrize("n", range(6, 60, 7))
def test_the_medians_interval_has_at_least_its_level_and_no_narrower_one_has(n):
    found = median_over_patients(np.arange(1.0, n + 1))
    outside = 2 * stats.binom.cdf(found.low - 1, n, 0.5)
    assert outside <= 0.05 < 2 * stats.binom.cdf(found.low, n, 0.5)


def test_five_patients_have_a_median_and_no_interval():
    found = median_over_patients(np.arange(5.0))
    assert (found.value, found.low) == (2.0, None)
    assert "5 patients are too few" in found.reason


def test_a_median_among_misses_is_undefined_and_one_beside_them_is_not():
    misses = np.array([1.0, 2, 3, 4, 5, 6, math.inf, math.inf])
    assert median_over_patients(misses).value == 4.5
    assert "miss" in median_over_patients(misses).reason
    assert median_over_patients(misses[4:]).value is None
    assert median_over_patients(-misses[4:]).value is None
    assert median_over_patients(np.array([])).value is None


def test_the_mean_has_students_interval_only_where_it_holds():
    values = np.linspace(0.5, 0.9, 30)
    found = mean_over_patients(values, bounds=(0, 1), failures=False)
    peer = stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high))
    assert "betting" in mean_over_patients(values, bounds=(0, 1), failures=True).method
    assert "betting" in mean_over_patients(values[:29], bounds=(0, 1), failures=False).method
    assert mean_over_patients(values[:29], bounds=None, failures=False).low is None
    assert "missed" in mean_over_patients(values, bounds=None, failures=True).reason
    assert mean_over_patients(np.array([1.0, math.inf]), bounds=None, failures=True).value is None
    assert mean_over_patients(np.array([]), bounds=None, failures=False).value is None


def test_the_bounded_mean_respects_bounds_order_and_scale():
    values = np.array([0.0, 0.2, 0.9, 1.0, 0.7])
    low, high = bounded_mean(values, bounds=(0, 1))
    assert 0 <= low < values.mean() < high <= 1
    assert bounded_mean(values[::-1].copy(), bounds=(0, 1)) == (low, high)
    assert bounded_mean(10 * values - 5, bounds=(-5, 5)) == pytest.approx((10 * low - 5, 10 * high - 5))
    assert bounded_mean(np.zeros(5), bounds=(0, 1))[0] == 0
    assert bounded_mean(np.ones(5), bounds=(0, 1))[1] == 1


def test_the_bounded_mean_is_narrower_than_hoeffdings_and_narrows_with_n():
    rng = np.random.default_rng(0)
    widths = [np.diff(bounded_mean(rng.beta(8, 2, n), bounds=(0, 1)))[0] for n in (20, 200, 2000)]
    assert widths[0] > widths[1] > widths[2]
    assert widths[1] < 2 * math.sqrt(math.log(40) / 400)


def test_a_rate_over_repeated_patients_is_wider_than_wilsons():
    hits = [True] * 12 + [False] * 28
    alone = clustered_rate(hits, [str(i) for i in range(40)])
    together = clustered_rate(hits, [str(i // 4) for i in range(40)])
    assert alone.value == together.value == 0.3
    assert (alone.low, alone.high) == wilson(12, 40)
    assert together.low < alone.low < alone.high < together.high
    assert "Rao-Scott" in together.method


def test_rates_without_cases_or_of_one_patient_say_why_they_have_no_interval():
    assert clustered_rate([], []).reason == "no case can be counted"
    assert "one patient" in clustered_rate([True, False], ["a", "a"]).reason
    assert clustered_rate([True] * 4, ["a", "a", "b", "b"]).high == 1
