# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from scipy import stats

from monai_ethics.errors import InputError
from monai_ethics.statistics.plan import Plan
from monai_ethics.statistics.power import minimum_detectable_gap
from monai_ethics.statistics.rate_power import rate_sample_size

RATE = Plan(quantity="rate", base=0.9)


def test_a_rate_of_90_against_80_percent_needs_195_cases_and_331_in_a_family_of_ten():
    assert RATE.patients_per_group(0.1) == rate_sample_size(0.9, 0.8) == 195
    assert Plan(quantity="rate", base=0.9, tests=10).patients_per_group(0.1) == 331
    assert Plan(quantity="rate", base=0.1).patients_per_group(0.1) == 195


def test_two_groups_of_64_find_half_a_deviation():
    plan = Plan(quantity="mean", sd=1.0)
    assert plan.patients_per_group(0.5) == 64  # Cohen 1988, table 2.4.1
    assert plan.smallest_gap(64) == pytest.approx(minimum_detectable_gap([64, 64], 1.0))


@pytest.mark.parametrize(
    "plan",
    [
        RATE,
        Plan(quantity="rate", base=0.2, share=0.3, groups=4, tests=6),
        Plan(quantity="mean", sd=0.12, groups=5),
        Plan(quantity="auc", base=0.85, share=0.2, images=3, icc=0.4),
        Plan(quantity="rank", level=0.9, power=0.9),
    ],
)
def test_the_reverse_gives_the_gap_back(plan):
    gap = 0.08
    patients = plan.patients_per_group(gap)
    assert plan.power_at(patients, gap) >= plan.power > plan.power_at(patients - 1, gap)
    assert plan.smallest_gap(patients) <= gap < plan.smallest_gap(patients - 1)


def test_repeated_images_and_cases_that_do_not_count_cost_patients():
    four = Plan(quantity="rate", base=0.9, images=4, icc=0.5)
    assert four.design_effect == 2.5
    assert four.patients_per_group(0.1) == math.ceil(195 * 2.5 / 4)
    assert Plan(quantity="rate", base=0.9, images=4, icc=1.0).patients_per_group(0.1) == 195
    assert Plan(quantity="rate", base=0.9, share=0.1).patients_per_group(0.1) == pytest.approx(1950, abs=5)


def test_more_groups_tests_and_power_need_more_patients():
    least = RATE.patients_per_group(0.1)
    for kept in ({"groups": 5}, {"tests": 3}, {"power": 0.9}, {"level": 0.99}):
        assert Plan(quantity="rate", base=0.9, **kept).patients_per_group(0.1) > least


def test_what_cannot_be_shown_has_no_number():
    assert Plan(quantity="rate", base=0.5).smallest_gap(4) is None
    assert Plan(quantity="auc", base=0.6).smallest_gap(5) is None
    assert Plan(quantity="mean", sd=1.0).patients_per_group(1e-5) is None


@pytest.mark.parametrize(
    "kept",
    [
        {"quantity": "dice"},
        {"quantity": "rate"},
        {"quantity": "rate", "base": 1.0},
        {"quantity": "auc", "base": 0.4},
        {"quantity": "auc", "base": 0.8, "share": 1.0},
        {"quantity": "mean"},
        {"quantity": "rank", "icc": 1.5},
        {"quantity": "rank", "groups": 1},
        {"quantity": "rank", "power": 0.01},
    ],
)
def test_a_plan_that_lacks_or_mistakes_something_is_refused(kept):
    with pytest.raises(InputError):
        Plan(**kept)


@pytest.mark.parametrize("gap", [0.0, -0.1, 0.95])
def test_a_gap_that_cannot_be_is_refused(gap):
    with pytest.raises(InputError, match=r"at most 0\.9"):
        RATE.patients_per_group(gap)
    with pytest.raises(InputError, match="2 to 10,000,000 patients"):
        RATE.smallest_gap(1)


def test_the_stated_power_is_that_of_simulated_ranks_and_areas():
    rng = np.random.default_rng(0)
    gap, sets = 0.15, 800
    n = Plan(quantity="rank").patients_per_group(gap)
    shift = math.sqrt(2) * float(stats.norm.ppf(0.5 + gap))
    ranked = [stats.mannwhitneyu(rng.normal(shift, 1, n), rng.normal(size=n)).pvalue <= 0.05 for _ in range(sets)]
    print(f"ranks: {n} patients a group, power {np.mean(ranked):.3f}")
    assert np.mean(ranked) == pytest.approx(0.8, abs=0.06)

    n = Plan(quantity="auc", base=0.9).patients_per_group(0.1)
    found = []
    for _ in range(sets):
        areas, errors = zip(*(_area(rng, area, n // 2) for area in (0.9, 0.8)), strict=True)
        found.append(abs(areas[0] - areas[1]) > 1.96 * math.sqrt(sum(errors)))
    print(f"areas: {n} patients a group, power {np.mean(found):.3f}")
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


def _area(rng, area, n):
    shift = math.sqrt(2) * float(stats.norm.ppf(area))
    positive, negative = rng.normal(shift, 1, n), np.sort(rng.normal(size=n))
    above = np.searchsorted(negative, positive) / n
    below = 1 - np.searchsorted(np.sort(positive), negative) / n
    return above.mean(), above.var(ddof=1) / n + below.var(ddof=1) / n
