# SPDX-License-Identifier: Apache-2.0
"""Coverage at 5 to 200 patients, of independent images and of 4 images a patient that correlate by one half.

Printed as a table. Where a method has no interval at a size, that is asserted too.
"""

import math

import numpy as np
import pytest
from scipy import stats

from monai_ethics.statistics.differences import mean_difference
from monai_ethics.statistics.intervals import clustered_rate, mean_over_patients, median_over_patients

pytestmark = pytest.mark.slow
SIZES, SETS, IMAGES = (5, 10, 20, 50, 200), 1200, 4


def scores(rng, n, images):
    """Patients' values: a skewed score, or the mean of 4 images of it, of which two correlate by one half."""
    if images == 1:
        return rng.beta(8, 2, n)
    both = rng.standard_normal((n, 1)) + rng.standard_normal((n, images))
    return stats.beta.ppf(stats.norm.cdf(both / math.sqrt(2)), 8, 2).mean(axis=1)


def failures(rng, n, images, rate=0.1):
    own = rng.beta(rate, 1 - rate, n) if images > 1 else np.full(n, rate)  # intra-class correlation one half
    return (rng.random((n, images)) < own[:, None]).ravel()


def row(make, truth, sizes=SIZES):
    """Coverage at each size; `None` where hardly any set has an interval."""
    found = {}
    for n in sizes:
        rng = np.random.default_rng(n)
        ends = [(result.low, result.high) for result in (make(rng, n) for _ in range(SETS))]
        known = [(low, high) for low, high in ends if low is not None]
        few = len(known) < 0.9 * SETS
        found[n] = None if few else float(np.mean([low <= truth <= high for low, high in known]))
    return found


def show(what, found):
    cells = " ".join("  none" if share is None else f"{share:6.3f}" for share in found.values())
    print(f"{what:45s} {cells}")


@pytest.mark.parametrize("images", [1, IMAGES])
def test_means_are_covered(images):
    found = row(lambda rng, n: mean_over_patients(scores(rng, n, images), bounds=(0, 1), failures=False), 0.8)
    show(f"mean, {images} images a patient", found)
    assert all(found[n] >= 0.95 for n in (5, 10, 20))
    assert all(0.93 <= found[n] <= 0.97 for n in (50, 200))


@pytest.mark.parametrize("images", [1, IMAGES])
def test_medians_are_covered(images):
    truth = float(np.median(scores(np.random.default_rng(0), 400_000, images)))
    found = row(lambda rng, n: median_over_patients(scores(rng, n, images)), truth)
    show(f"median, {images} images a patient", found)
    assert found[5] is None  # no exact interval of 95 % below 6 patients
    assert all(found[n] >= 0.93 for n in SIZES[1:])


@pytest.mark.parametrize("images", [1, IMAGES])
def test_failure_rates_are_covered(images):
    def make(rng, n):
        names = [str(i) for i in range(n) for _ in range(images)]
        return clustered_rate(failures(rng, n, images).tolist(), names)

    found = row(make, 0.1)
    show(f"failure rate .1, {images} images a patient", found)
    assert all(found[n] >= 0.9 for n in SIZES)
    assert all(0.93 <= found[n] <= 0.985 for n in (50, 200))


@pytest.mark.parametrize("images", [1, IMAGES])
def test_differences_of_means_are_covered(images):
    found = row(lambda rng, n: mean_difference(scores(rng, n, images), scores(rng, n, images))[0], 0.0)
    show(f"difference of means, {images} images a patient", found)
    assert all(0.93 <= found[n] <= 0.985 for n in SIZES)


def test_intervals_that_take_images_for_patients_do_not_cover():
    def make(rng, n):
        both = rng.standard_normal((n, 1)) + rng.standard_normal((n, IMAGES))
        values = stats.beta.ppf(stats.norm.cdf(both / math.sqrt(2)), 8, 2).ravel()
        return mean_over_patients(values, bounds=(0, 1), failures=False)

    found = row(make, 0.8, sizes=(50,))
    show("mean over images as if independent", found)
    assert found[50] < 0.87
