# SPDX-License-Identifier: Apache-2.0
"""Share of intervals that hold the truth, over simulated test sets of the sizes that medicine has."""

import numpy as np
import pytest
from scipy import stats

from monai_ethics.statistics.auc import area_under_curve
from monai_ethics.statistics.differences import mean_difference, relative_effect
from monai_ethics.statistics.intervals import clustered_rate, mean_over_patients, median_over_patients, wilson

pytestmark = pytest.mark.slow
REPLICATES = 2000
MOST = 0.975  # an interval that holds everything would cover too; only guaranteed ones may be that wide
FEWEST = 0.95 - 2.6 * np.sqrt(0.95 * 0.05 / REPLICATES)  # 99 % limit of an interval that is exact


def covered(make, truth, rng, replicates=REPLICATES):
    found = [make(rng) for _ in range(replicates)]
    known = [result for result in found if result.low is not None]
    assert len(known) > 0.9 * replicates
    share = np.mean([result.low <= truth <= result.high for result in known])
    width = np.mean([result.high - result.low for result in known])
    return float(share), float(width)


def failing(rng, n):
    return np.where(rng.random(n) < 0.1, 0.0, rng.beta(8, 2, n))


@pytest.mark.parametrize("n", [8, 15, 30, 60])
def test_the_mean_of_scores_with_failures_is_covered(n):
    share, width = covered(
        lambda rng: mean_over_patients(failing(rng, n), bounds=(0, 1), failures=True), 0.72, np.random.default_rng(n)
    )
    print(f"mean with failures, n={n}: coverage {share:.3f}, width {width:.3f}")
    assert share >= 0.95


@pytest.mark.parametrize("n", [10, 29, 30, 60])
def test_the_mean_without_failures_is_covered(n):
    share, width = covered(
        lambda rng: mean_over_patients(rng.beta(8, 2, n), bounds=(0, 1), failures=False), 0.8, np.random.default_rng(n)
    )
    print(f"mean, n={n}: coverage {share:.3f}, width {width:.3f}")
    assert share >= FEWEST - 0.01  # Student's t at skewed scores loses a little
    assert n < 30 or share <= MOST


@pytest.mark.parametrize("n", [8, 15, 50])
def test_the_median_with_failures_is_covered(n):
    truth = float(stats.beta.ppf(0.4 / 0.9, 8, 2))
    share, width = covered(lambda rng: median_over_patients(failing(rng, n)), truth, np.random.default_rng(n))
    print(f"median with failures, n={n}: coverage {share:.3f}, width {width:.3f}")
    assert share >= FEWEST


def test_wilson_covers_rates_on_average():
    shares = []
    for rate in np.linspace(0.05, 0.95, 19):
        ends = [wilson(k, 20) for k in range(21)]
        inside = [low <= rate <= high for low, high in ends]
        shares.append(float(stats.binom.pmf(np.arange(21), 20, rate) @ inside))
    print(f"Wilson, n=20: mean coverage {np.mean(shares):.3f}, lowest {min(shares):.3f}")
    assert 0.94 <= np.mean(shares) <= MOST


def clustered(rng, patients=40, images=4, share=0.8):
    own = rng.beta(share, 1 - share, patients)  # intra-class correlation 0.5
    return (rng.random((patients, images)) < own[:, None]).ravel()


def test_rates_over_repeated_patients_are_covered():
    names = [str(i) for i in range(40) for _ in range(4)]
    share, _ = covered(lambda rng: clustered_rate(clustered(rng), names), 0.8, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    plain = np.mean(
        [low <= 0.8 <= high for low, high in (wilson(clustered(rng).sum(), 160) for _ in range(REPLICATES))]
    )
    print(f"clustered rate: coverage {share:.3f}; Wilson that ignores patients {plain:.3f}")
    assert 0.93 <= share <= MOST
    assert plain < 0.85


@pytest.mark.parametrize(("n", "m"), [(10, 40), (15, 60), (30, 30)])
def test_differences_of_means_are_covered(n, m):
    def make(rng):
        return mean_difference(rng.beta(8, 2, n), rng.beta(16, 4, m))[0]

    share, _ = covered(make, 0.0, np.random.default_rng(n))
    print(f"Welch {n}/{m}: coverage {share:.3f}")
    assert 0.93 <= share <= MOST


def test_relative_effects_with_failures_are_covered():
    rng = np.random.default_rng(3)
    big = failing(rng, 20_000), failing(rng, 20_000) - 0.05
    truth = relative_effect(*big)[0].value

    def make(rng):
        return relative_effect(failing(rng, 20), failing(rng, 60) - 0.05)[0]

    share, _ = covered(make, truth, rng)
    print(f"relative effect 20/60 with failures: coverage {share:.3f}")
    assert 0.93 <= share <= MOST


def test_areas_are_covered_when_patients_repeat():
    names = [str(i) for i in range(40) for _ in range(3)]
    truth = float(stats.norm.cdf(1 / np.sqrt(2)))

    def make(rng):
        labels = np.repeat(rng.random(40) < 0.5, 3)
        scores = labels + np.sqrt(0.5) * (np.repeat(rng.standard_normal(40), 3) + rng.standard_normal(120))
        return area_under_curve(labels, scores, names)

    share, _ = covered(make, truth, np.random.default_rng(9))
    print(f"area, 40 patients of 3 cases: coverage {share:.3f}")
    assert 0.92 <= share <= MOST
