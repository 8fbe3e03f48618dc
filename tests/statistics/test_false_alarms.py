# SPDX-License-Identifier: Apache-2.0
"""False alarms where groups do not differ, power where they do. Acceptance is two-sided: p = 1 would fail too."""

import numpy as np
import pytest
from scipy import stats

from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.methods.comparison import compare

pytestmark = pytest.mark.slow
REPLICATES, DRAWS = 600, 499
LOW, HIGH = (int(x) for x in stats.binom.interval(0.99, REPLICATES, 0.05))


def beta(rng, n):
    return rng.beta(8, 2, n)


def failing(rng, n):
    return np.where(rng.random(n) < 0.1, 0.0, rng.beta(8, 2, n))


def spread(sd):
    return lambda rng, n: np.clip(0.7 + sd * rng.standard_normal(n), 0.001, 1)


def ties(rng, n):
    return rng.integers(1, 5, n) / 4


def rate(share):
    return lambda rng, n: (rng.random(n) < share).astype(float)


def table(groups):
    values = np.concatenate(groups)
    labels = tuple(str(g) for g, group in enumerate(groups) for _ in group)
    keys = tuple(str(i) for i in range(len(values)))
    failures = bool(set(values) - {0.0, 1.0})  # a rate's zeros are no misses
    return ScoreTable(
        metric="mean_dice",
        unit="1",
        higher_is_better=True,
        cases=keys,
        patients=keys,
        values=tuple(values.tolist()),
        outcomes=tuple("missed" if value == 0 and failures else "scored" for value in values),
        groups={"g": labels},
        bounds=(0.0, 1.0),
    )


def rejections(makers, sizes, seed):
    rng = np.random.default_rng(seed)
    hits = 0
    for replicate in range(REPLICATES):
        scores = table([make(rng, n) for make, n in zip(makers, sizes, strict=True)])
        hits += compare(scores, "g", min_group_size=10, n_permutations=DRAWS, seed=replicate).omnibus.p <= 0.05
    return hits


def gentle(rng, n):
    """The mean of `beta`, with another shape and place of the bulk: a few scores are far below it."""
    return rng.beta(4, 1, n)


NULLS = {
    "2 x 30": ([beta] * 2, (30,) * 2),
    "5 x 10": ([beta] * 5, (10,) * 5),
    "5 x 30": ([beta] * 5, (30,) * 5),
    "8 x 100": ([beta] * 8, (100,) * 8),
    "failures, 2 x 30": ([failing] * 2, (30,) * 2),
    "failures, 5 x 10": ([failing] * 5, (10,) * 5),
    "rates, 5 x 30": ([rate(0.85)] * 5, (30,) * 5),
    "bulk elsewhere, same mean": ([beta, gentle], (60, 30)),
    "equal": ([beta] * 2, (50, 50)),
    "unequal n": ([beta] * 3, (100, 40, 12)),
    "unequal spread, small group wide": ([spread(0.12), spread(0.04)], (15, 60)),
    "unequal spread, small group narrow": ([spread(0.04), spread(0.12)], (15, 60)),
    "failures": ([failing] * 2, (20, 80)),
    "failures, unequal spread": (
        [
            lambda rng, n: np.where(rng.random(n) < 0.1, 0.0, spread(0.12)(rng, n)),
            lambda rng, n: np.where(rng.random(n) < 0.1, 0.0, spread(0.04)(rng, n)),
        ],
        (20, 80),
    ),
    "failures, 5 x 30": ([failing] * 5, (30,) * 5),
    "failures, 8 x 100": ([failing] * 8, (100,) * 8),
    "rates, 8 x 100": ([rate(0.85)] * 8, (100,) * 8),
    "rates, unequal n": ([rate(0.85)] * 3, (200, 40, 12)),
    "failures, five groups": ([failing] * 5, (60, 40, 30, 20, 10)),
    "ties": ([ties] * 3, (50, 30, 20)),
    "rates": ([rate(0.6)] * 2, (80, 30)),
}


@pytest.mark.parametrize("name", NULLS)
def test_false_alarms_are_as_often_as_stated(name):
    hits = rejections(*NULLS[name], seed=17)
    print(f"{name}: {hits} of {REPLICATES} = {hits / REPLICATES:.3f} (accepted {LOW} to {HIGH})")
    assert LOW <= hits <= HIGH


def attainable(share, n):
    """Level of an exact test at .05 of two groups of n with this rate: few arrangements differ, so it is far below."""
    level = 0.0
    for total in range(2 * n + 1):
        first = np.arange(max(0, total - n), min(total, n) + 1)
        apart = np.abs(first - total / 2)
        chance = stats.hypergeom.pmf(first, 2 * n, total, n)
        tails = [chance[apart >= least].sum() for least in apart]
        level += stats.binom.pmf(total, 2 * n, share) * max([tail for tail in tails if tail <= 0.05], default=0.0)
    return level


def test_false_alarms_of_small_rates_are_as_often_as_can_be_attained():
    level = attainable(0.85, 30)
    low, high = stats.binom.interval(0.99, REPLICATES, level)
    hits = rejections([rate(0.85)] * 2, (30, 30), seed=17)
    print(f"rates, 2 x 30: {hits / REPLICATES:.3f}, attainable {level:.3f} (accepted {low:.0f} to {high:.0f}: {hits})")
    assert low <= hits <= high


def repeated(rng, n_patients, images, *, two_views, missed=0.0):
    """Scores of patients with several images, of which two correlate by .5; the group is the patient's or the view.

    Some patients' images are all missed, so that ranks are compared.
    """
    own = np.repeat(rng.standard_normal(n_patients), images)
    values = 0.7 + 0.05 * (own + rng.standard_normal(len(own)))
    lost = np.repeat(rng.random(n_patients) < missed, images)
    values = np.where(lost, 0.0, values)
    patients = tuple(f"p{i:03d}" for i in np.repeat(np.arange(n_patients), images))
    keys = tuple(map(str, range(len(values))))
    if two_views:
        labels = tuple(str(i % images % 2) for i in range(len(values)))
    else:
        labels = tuple(str(int(i * 3 // n_patients)) for i in np.repeat(np.arange(n_patients), images))
    return ScoreTable(
        metric="score",
        unit="1",
        higher_is_better=True,
        cases=keys,
        patients=patients,
        values=tuple(values.tolist()),
        outcomes=tuple("missed" if each else "scored" for each in lost),
        groups={"g": labels},
        bounds=(0.0, 2.0) if missed else None,
    )


@pytest.mark.parametrize("missed", [0.0, 0.1])
@pytest.mark.parametrize(("two_views", "n", "images"), [(False, 60, 4), (True, 40, 2)])
def test_images_of_one_patient_do_not_raise_more_alarms(two_views, n, images, missed):
    rng, hits, rows = np.random.default_rng(31), 0, 0
    for seed in range(REPLICATES):
        kept = {"min_group_size": 10, "n_permutations": DRAWS, "seed": seed}
        scores = repeated(rng, n, images, two_views=two_views, missed=missed)
        hits += compare(scores, "g", **kept).p <= 0.05
        rows += compare(scores.with_patients(scores.cases), "g", **kept).p <= 0.05
    what = "views of the same patients" if two_views else f"3 groups of patients, {images} images each"
    what += ", a tenth missed" if missed else ""
    print(f"{what}: {hits / REPLICATES:.3f}; images taken as patients {rows / REPLICATES:.3f}")
    assert LOW <= hits <= HIGH
    assert rows < LOW if two_views else rows > HIGH  # views of one patient would lose power, repeats raise alarms


GAPS = {
    "two groups, 0.08 lower": ([beta, lambda rng, n: beta(rng, n) - 0.08], (60, 60), 0.9),
    "one small group harmed": (
        [beta, beta, lambda rng, n: np.clip(beta(rng, n) - 0.15, 0.001, 1)],
        (200, 200, 12),
        0.8,
    ),
    "failures on top": ([failing, lambda rng, n: np.clip(failing(rng, n) - 0.1, 0, 1)], (60, 60), 0.85),
    "rates": ([rate(0.9), rate(0.6)], (50, 50), 0.85),
}


@pytest.mark.parametrize("name", GAPS)
def test_planted_gaps_are_found(name):
    makers, sizes, least = GAPS[name]
    hits = rejections(makers, sizes, seed=23)
    print(f"{name}: power {hits / REPLICATES:.3f}")
    assert hits / REPLICATES >= least
