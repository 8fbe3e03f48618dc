# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy import stats
from scipy.stats import mstats

from monai_ethics.statistics.distribution import PROBABILITIES, density, grid, smooth_quantiles


@pytest.mark.parametrize("n", [10, 50, 400])
def test_a_density_within_bounds_holds_all_patients(n):
    values = np.random.default_rng(n).beta(8, 2, n)
    x = grid(values, (0, 1))
    assert np.trapezoid(density(values, x, (0, 1)), x) == pytest.approx(1, abs=0.02)


def test_a_density_comes_close_to_the_truth():
    values = np.random.default_rng(0).normal(size=20_000)
    x = grid(values, None)
    assert density(values, x, None) == pytest.approx(stats.norm.pdf(x), abs=0.02)


def test_misses_without_a_value_are_missing_from_the_density():
    values = np.concatenate([np.random.default_rng(0).beta(8, 2, 60), np.full(20, -np.inf)])
    x = grid(values, (0, 1))
    assert np.trapezoid(density(values, x, (0, 1)), x) == pytest.approx(0.75, abs=0.02)
    quantiles = smooth_quantiles(values)
    assert quantiles[0] is None
    assert quantiles[-1] is not None


def test_nothing_to_draw_is_nothing():
    assert grid(np.full(12, 3.0), None) is None
    assert grid(np.full(12, np.inf), None) is None
    assert density(np.array([1.0, np.inf]), np.linspace(0, 1, 5), None) is None


def test_very_many_values_are_drawn_as_few_are():
    values = np.random.default_rng(3).beta(8, 2, 20_000)
    x = grid(values, (0, 1))
    inside = x < 0.94
    assert density(values, x, (0, 1))[inside] == pytest.approx(stats.beta.pdf(x, 8, 2)[inside], abs=0.15)
    assert np.trapezoid(density(values, x, (0, 1)), x) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("n", [80, 3000])
def test_quantiles_are_harrell_and_davis(n):
    values = np.random.default_rng(1).gamma(3, size=n)
    assert smooth_quantiles(values) == pytest.approx(np.asarray(mstats.hdquantiles(values, PROBABILITIES)))


def test_quantiles_with_fewer_than_two_patients_beyond_are_left_out_and_none_is_a_patients_value():
    values = np.random.default_rng(2).random(10)
    found = smooth_quantiles(values)
    known = [value for value in found if value is not None]
    assert next(p for p, value in zip(PROBABILITIES, found, strict=True) if value is not None) == 0.2
    assert known == sorted(known)
    assert not set(known) & set(values)
    assert set(smooth_quantiles(values[:3])) == {None}
