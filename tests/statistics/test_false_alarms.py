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
    return ScoreTable(
        metric="mean_dice",
        unit="1",
        higher_is_better=True,
        cases=keys,
        patients=keys,
        values=tuple(values.tolist()),
        outcomes=tuple("missed" if value == 0 and set(values) - {0.0, 1.0} else "scored" for value in values),
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


NULLS = {
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
    "failures, five groups": ([failing] * 5, (60, 40, 30, 20, 10)),
    "ties": ([ties] * 3, (50, 30, 20)),
    "rates": ([rate(0.6)] * 2, (80, 30)),
}


@pytest.mark.parametrize("name", NULLS)
def test_false_alarms_are_as_often_as_stated(name):
    hits = rejections(*NULLS[name], seed=17)
    print(f"{name}: {hits} of {REPLICATES} = {hits / REPLICATES:.3f} (accepted {LOW} to {HIGH})")
    assert LOW <= hits <= HIGH


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
