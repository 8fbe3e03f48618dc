# SPDX-License-Identifier: Apache-2.0
"""Numbers of patients beside statsmodels, which plans comparisons of two and of several groups."""

import math

import pytest
from statsmodels.stats.power import FTestAnovaPower, NormalIndPower, TTestIndPower
from statsmodels.stats.proportion import proportion_effectsize

from monai_ethics.statistics.plan import Plan

pytestmark = pytest.mark.peers


@pytest.mark.parametrize(("base", "gap"), [(0.9, 0.1), (0.85, 0.2), (0.5, 0.1), (0.1, 0.05)])
@pytest.mark.parametrize("tests", [1, 10])
def test_rates_need_as_many_as_with_the_normal_power_of_the_arcsine_difference(base, gap, tests):
    plan = Plan(quantity="rate", base=base, tests=tests)
    effect = abs(proportion_effectsize(base, plan.other(gap)))
    for n in (20, 100, 400):
        theirs = NormalIndPower().power(effect, n, 0.05 / tests, alternative="two-sided")
        assert plan.power_at(n, gap) == pytest.approx(theirs, abs=1e-9)
    needed = NormalIndPower().solve_power(effect, power=0.8, alpha=0.05 / tests)
    assert plan.patients_per_group(gap) == math.ceil(needed - 1e-9)


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0])
def test_means_of_two_groups_need_as_many_as_with_the_power_of_the_t_test(effect):
    plan = Plan(quantity="mean", sd=1.0)
    for n in (10, 50, 120):
        theirs = TTestIndPower().power(effect, n, 0.05, alternative="two-sided")
        assert plan.power_at(n, effect) == pytest.approx(theirs, abs=1e-9)
    assert plan.patients_per_group(effect) == math.ceil(TTestIndPower().solve_power(effect, power=0.8, alpha=0.05))


@pytest.mark.parametrize("groups", [3, 5, 8])
def test_means_of_several_groups_need_as_many_as_with_the_power_of_the_analysis_of_variance(groups):
    # two groups half a gap from the mean, the others at it: Cohen's f
    effect = 0.8 * math.sqrt(0.5 / groups)
    plan = Plan(quantity="mean", sd=1.0, groups=groups)
    for n in (10, 40, 100):
        theirs = FTestAnovaPower().power(effect, n * groups, 0.05, k_groups=groups)
        assert plan.power_at(n, 0.8) == pytest.approx(theirs, abs=1e-9)
