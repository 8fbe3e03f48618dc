# SPDX-License-Identifier: Apache-2.0
"""How often any of several tests on the same draws raises a false alarm, and what they find beside Holm's."""

import numpy as np
import pytest
from scipy import stats

from monai_ethics.fairness.methods.joint import metrics_max_t, pairs_max_t
from monai_ethics.statistics.corrections import holm
from monai_ethics.statistics.differences import mean_difference

pytestmark = pytest.mark.slow
SETS, DRAWS = 600, 299
LOW, HIGH = (int(x) for x in stats.binom.interval(0.99, SETS, 0.05))


def pairs(make, *, ranks=False, seed=0, true_null=None):
    """Sets in which a pair without a difference is called different."""
    rng, hits = np.random.default_rng(seed), 0
    for replicate in range(SETS):
        groups = make(rng)
        found = pairs_max_t(groups, ranks=ranks, n_permutations=DRAWS, rng=np.random.default_rng(replicate))
        kept = found if true_null is None else [found[i] for i in true_null]
        hits += min(kept) <= 0.05
    return hits


@pytest.mark.parametrize("ranks", [False, True])
def test_pairs_of_groups_that_do_not_differ_are_called_different_as_often_as_stated(ranks):
    hits = pairs(lambda rng: [rng.beta(8, 2, n) for n in (12, 20, 20, 40)], ranks=ranks, seed=1)
    print(f"4 groups alike, {'ranks' if ranks else 'means'}: any pair in {hits / SETS:.3f} of sets")
    assert LOW <= hits <= HIGH


def test_unequal_spreads_raise_no_more_alarms():
    hits = pairs(
        lambda rng: [rng.normal(0, sd, n) for sd, n in ((3, 15), (1, 60), (1, 30), (2, 20))],
        seed=2,
    )
    print(f"4 groups of unequal spread: any pair in {hits / SETS:.3f} of sets")
    assert LOW <= hits <= HIGH


def test_a_group_far_away_raises_no_alarms_among_the_others():
    # pairs in the order 01 02 03 12 13 23: those without group 0 do not differ
    hits = pairs(
        lambda rng: [rng.normal(2, 1, 20), *(rng.normal(0, 1, 20) for _ in range(3))], seed=3, true_null=(3, 4, 5)
    )
    print(f"one of 4 groups far away: a pair of the others in {hits / SETS:.3f} of sets")
    assert hits <= HIGH


def test_the_group_that_differs_is_found_at_least_as_often_as_by_holm():
    rng, ours, theirs, sets = np.random.default_rng(4), 0, 0, 300
    for replicate in range(sets):
        groups = [rng.normal(0.8, 1, 25), *(rng.normal(0, 1, 25) for _ in range(4))]
        found = pairs_max_t(groups, ranks=False, n_permutations=DRAWS, rng=np.random.default_rng(replicate))
        raw = [mean_difference(groups[i], groups[j])[1] for i in range(5) for j in range(i + 1, 5)]
        ours += sum(p <= 0.05 for p in found[:4])
        theirs += sum(p <= 0.05 for p in holm(raw)[:4])
    print(f"pairs with the group that differs: found {ours / sets / 4:.3f} by max-T, {theirs / sets / 4:.3f} by Holm")
    assert ours >= theirs


def metrics(rng, n, shift=0.0):
    """Five scores of one prediction, of two groups of patients."""
    labels = np.repeat(np.arange(2, dtype=np.uint8), [n, n])
    quality = rng.standard_normal(2 * n) - shift * labels
    return labels, [quality + 0.5 * rng.standard_normal(2 * n) for _ in range(5)]


@pytest.mark.parametrize("shift", [0.0, 0.6])
def test_metrics_that_share_a_cause_are_corrected_without_loss(shift):
    rng, ours, theirs = np.random.default_rng(5), 0, 0
    for replicate in range(SETS):
        labels, columns = metrics(rng, 30, shift)
        found = metrics_max_t(
            columns, labels, ranks=[False] * 5, n_permutations=DRAWS, rng=np.random.default_rng(replicate)
        )
        raw = [mean_difference(values[labels == 0], values[labels == 1])[1] for values in columns]
        ours += min(found) <= 0.05
        theirs += min(holm(raw)) <= 0.05
    what = "any alarm" if not shift else "any of them found"
    print(f"5 metrics, gap {shift}: {what} in {ours / SETS:.3f} by max-T, {theirs / SETS:.3f} by Holm")
    assert ours >= theirs
    assert shift or LOW <= ours <= HIGH
