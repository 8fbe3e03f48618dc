# SPDX-License-Identifier: Apache-2.0
"""Intervals of a change, and false alarms of its test, over simulated pairs of measurements."""

import numpy as np
import pytest
from scipy import stats

from monai_ethics.fairness.data.before_after import PairedGroup
from monai_ethics.fairness.methods.paired import changed_alike, exchange, paired_changes
from monai_ethics.statistics.intervals import T_FROM

pytestmark = pytest.mark.slow
REPLICATES = 600


def gains(rng, n, *, skewed, clustered):
    """Changes of mean 0.05; of 4 images a patient with intraclass correlation .5 the mean, otherwise of one image."""

    def noise(size):
        return 0.05 * (rng.exponential(1, size) - 1 if skewed else rng.normal(0, 1, size))

    if clustered:
        return 0.05 + np.sqrt(0.5) * noise(n) + np.sqrt(0.5) * noise((n, 4)).mean(1)
    return 0.05 + noise(n)


def group(label, change, before):
    names = tuple(f"{label}{i:04d}" for i in range(len(change)))
    return PairedGroup(label=label, patients=names, before=before, after=before + change, failures=False)


def coverage(n, *, skewed=False, clustered=False, seed=0, replicates=REPLICATES):
    """Share of intervals of a group's change and of a pair's that hold the truth, and the change's mean width."""
    rng = np.random.default_rng(seed)
    hits, wide = np.zeros(2), []
    for _ in range(replicates):
        groups = [group(s, gains(rng, n, skewed=skewed, clustered=clustered), rng.normal(0, 1, n)) for s in "FM"]
        (one, _), pairs = paired_changes(groups, bounds=(-2.0, 2.0), n_bootstraps=599, rng=rng)
        pair = pairs[0, 1]
        hits += one.low <= 0.05 <= one.high, pair.low <= 0 <= pair.high
        wide.append(one.high - one.low)
    return *(hits / replicates), float(np.mean(wide))


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("n", [50, 200])
def test_changes_of_groups_and_pairs_are_covered(n, skewed, clustered):
    replicates = REPLICATES if n < 200 else 300
    one, pair, width = coverage(n, skewed=skewed, clustered=clustered, seed=n + 1, replicates=replicates)
    low, high = (limit / replicates for limit in stats.binom.interval(1 - 0.01 / 16, replicates, 0.95))  # 16 of them
    print(f"n={n} skewed={skewed} clustered={clustered}: change {one:.3f}, pair {pair:.3f}, width {width:.4f}")
    slack = 0.015 if skewed else 0.0  # simulated: the studentized bootstrap loses a little where changes are skewed
    assert low - slack <= one <= high
    assert low - slack <= pair <= high


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("n", [5, 10, 20])
def test_few_patients_are_covered_by_guarantee(n, clustered):
    assert n < T_FROM
    one, pair, width = coverage(n, skewed=True, clustered=clustered, seed=n, replicates=200)
    print(f"n={n} clustered={clustered}: change {one:.3f}, pair {pair:.3f}, width {width:.4f}")
    assert one >= 0.95
    assert pair >= 0.95


def alarms(make, seed, replicates=REPLICATES):
    """Rejections of "changed alike" at 5 %, and changes of the gap outside the 5th to 95th percentile of exchanges."""
    rng = np.random.default_rng(seed)
    rejected = outside = 0
    for _ in range(replicates):
        groups = make(rng)
        rejected += changed_alike(groups, n_permutations=199, rng=rng) <= 0.05 + 1e-9
        found = exchange(groups, higher_is_better=True, n_permutations=199, rng=rng)
        low, high = found.gap_null
        outside += not low - 1e-9 <= found.gap_after - found.gap_before <= high + 1e-9
    return rejected, outside


def unchanged(sizes, *, spreads=(0.1,) * 5, images=1, common=0.0):
    """Two measurements of the same patients, each with its own error; `common` is what all gain."""

    def make(rng):
        out = []
        for label, n, spread in zip("ABCDE", sizes, spreads, strict=False):
            noise = [rng.normal(0, spread, (n, images)).mean(1) for _ in (0, 1)]
            out.append(group(label, common + noise[1] - noise[0], rng.normal(0, 0.1, n) + noise[0]))
        return out

    return make


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("two of 30", unchanged((30, 30))),
        ("all gain 0.2", unchanged((30, 30), common=0.2)),
        ("unequal n", unchanged((100, 40, 12))),
        ("unequal spread", unchanged((60, 15), spreads=(0.05, 0.2))),
        ("five of 10", unchanged((10,) * 5)),
        ("4 images", unchanged((30, 30), images=4)),
    ],
)
def test_groups_that_changed_alike_are_rarely_told_apart(name, make):
    rejected, outside = alarms(make, seed=len(name))
    low, high = stats.binom.interval(0.99, REPLICATES, 0.05)
    print(f"{name}: {rejected} of {REPLICATES} rejected, {outside} changes of the gap beyond the percentiles")
    assert low <= rejected <= high
    assert outside <= stats.binom.ppf(0.995, REPLICATES, 0.1), "exchanges of a gap tie, so there may be fewer"


def test_a_gap_that_closed_is_found():
    def closed(rng):
        first = rng.normal(0.7, 0.1, 60), rng.normal(0.6, 0.1, 60)
        return [group("F", rng.normal(0, 0.1, 60), first[0]), group("M", rng.normal(0.06, 0.1, 60), first[1])]

    rejected, _ = alarms(closed, seed=1, replicates=200)
    expected = 1 - stats.nct.cdf(stats.t.ppf(0.975, 118), 118, 0.06 / (0.1 * np.sqrt(2 / 60)))
    print(f"power {rejected / 200:.2f}, of Student's test {expected:.2f}")
    assert rejected / 200 >= expected - 0.08
