# SPDX-License-Identifier: Apache-2.0
"""Do the groups differ at all? One studentised permutation test for any number of groups, over patients.

The statistic is a Wald form divided by its own estimate of spread, so that groups of unequal size and spread do not
raise false alarms, as they do for plain permutation; under exchangeability the test is exact. The random draws depend
on the pooled scores and the group sizes only: neither the order of cases nor the names of groups change a byte.

References:
    [1] Chung & Romano 2013, Ann. Stat. 41(2): studentised permutation of means.
    [2] Pauly, Brunner & Konietschke 2015, JRSS-B 77(2): its Wald form for several groups.
    [3] Neubert & Brunner 2007, CSDA 51; Brunner, Konietschke, Bathke & Pauly 2021, Int. Stat. Rev. 89(2):
        studentised permutation of (pseudo-)rank effects.
    [4] Besag & Clifford 1991, Biometrika 78(2): sequential Monte Carlo p-values; here with a single look.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_ethics.statistics.intervals import Floats

__all__ = ["CELLS", "FirstLook", "Omnibus", "histogram", "mean_omnibus", "rank_omnibus", "share_at_least", "summary"]

CELLS = 400_000  # array cells worked on at once: stays in the cache and bounds the memory at a few dozen MB
BINS = 41
FIRST_CELLS = 200_000_000  # draws x patients of a test before its first look: some seconds
FEWEST_FIRST = 1_999
ENOUGH = 20
_EQUAL = 1e-5  # statistics that differ by rounding only count as equal; ranks are worked on in single precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Omnibus:
    """Outcome of the test.

    Args:
        p: two-sided p-value.
        gap: largest minus smallest group location (means, or medians for ranks); ``None`` if not finite.
        gap_null_mean: mean of the gap when labels are exchanged between patients.
        gap_null_95th: 95th percentile of the gap when labels are exchanged.
        null_gaps: bin centers, and the share of draws whose gap lies in each bin; ``None`` if not finite.
        draws: random draws that were made.
    """

    p: float
    gap: float | None
    gap_null_mean: float | None
    gap_null_95th: float | None
    null_gaps: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    draws: int = 0


def histogram(null: Floats) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Distribution of the gap over the draws, small enough to be kept: at most `BINS` bins from 0 to the largest.

    Args:
        null: gap of each draw, shape ``(draws,)``, 0 or above.

    Returns:
        Bin centers and the share of draws in each bin; ``None`` without a draw, or if a gap is not finite.
    """
    if not len(null) or not np.isfinite(null).all():
        return None
    top = float(null.max())
    if top <= 0:
        return (0.0,), (1.0,)
    counts, edges = np.histogram(null, bins=BINS, range=(0.0, top))
    centers = (edges[:-1] + edges[1:]) / 2
    return tuple(centers.tolist()), tuple((counts / len(null)).tolist())


def share_at_least(null: Floats, observed: float) -> float:
    """Permutation p-value with the observed arrangement counted among the draws."""
    return (1 + count_at_least(null, observed)) / (1 + len(null))


def count_at_least(null: Floats, observed: float) -> int:
    """How many draws reach the observed statistic, rounding apart."""
    limit = observed - _EQUAL * max(abs(observed), 1.0)
    return int(np.count_nonzero(null >= limit))


def summary(statistics: Floats, gaps: Floats) -> Omnibus:
    """The outcome of a test; first entries are the observed ones, the others those of the draws."""
    null = gaps[1:]
    average = math.fsum(null) / len(null) if np.isfinite(null).all() else None
    upper = float(np.quantile(null, 0.95, method="higher"))
    return Omnibus(
        p=share_at_least(statistics[1:], float(statistics[0])),
        gap=_finite(float(gaps[0])),
        gap_null_mean=average,
        gap_null_95th=_finite(upper),
        null_gaps=histogram(null),
        draws=len(null),
    )


class FirstLook:
    """Ends the draws of a test of very many patients at one look, if the statistic is nothing rare by then [4].

    A first part of the draws is made always, so many that its end depends on sizes alone. If `ENOUGH` of them reach
    the observed statistic, theirs is the p-value; otherwise all draws are made, and all count. A p-value that the first
    look gives is above ``ENOUGH / (1 + draws of the first part)``; all that are below come from all draws. So for every
    level either rule alone decides, and each of them holds it.

    Args:
        patients: exchanged in each draw.
        draws: asked for; tests with at most `FIRST_CELLS` draws x patients make all of them.
    """

    def __init__(self, patients: int, draws: int) -> None:
        self._first = max(FIRST_CELLS // max(patients, 1), FEWEST_FIRST) if patients * draws > FIRST_CELLS else draws
        self._due = self._first < draws
        self._seen = 0

    def enough(self, statistics: Sequence[Floats]) -> bool:
        """Whether to end here.

        Args:
            statistics: the observed one, then those of each block of draws, shapes ``(1,)`` and ``(draws,)``.
        """
        self._seen += len(statistics[-1]) if len(statistics) > 1 else 0
        if not self._due or self._seen < self._first:
            return False
        self._due = False
        return count_at_least(np.concatenate(statistics[1:]), float(statistics[0][0])) >= ENOUGH


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ordered(groups: Sequence[Floats]) -> list[Floats]:
    """Groups in an order that depends on neither names nor rows: by size, then by their sorted scores."""
    return sorted((np.sort(values) for values in groups), key=lambda values: (len(values), tuple(values)))


def _draws(
    row: NDArray[Any], observed: NDArray[Any], count: int, rng: np.random.Generator, width: int
) -> Iterator[NDArray[Any]]:
    """The observed arrangement, then `count` permutations of `row`, in blocks."""
    block = max(CELLS // max(width * len(row), 1), 1)
    yield observed[None]
    for start in range(0, count, block):
        tiled = np.tile(row, (min(block, count - start), 1))
        yield rng.permuted(tiled, axis=1, out=tiled)


def mean_omnibus(groups: Sequence[Floats], *, n_permutations: int, rng: np.random.Generator) -> Omnibus:
    """Test of equal means with Welch's statistic, permuted [1, 2].

    Args:
        groups: one finite score per patient in each of at least 2 groups, shapes ``(n_g,)``, ``n_g >= 2``.
        n_permutations: number of random draws; of very many patients maybe fewer, see `FirstLook`.
        rng: source of random numbers.

    Returns:
        The p-value, and the gap of the means beside its distribution when labels are exchanged.
    """
    ordered = _ordered(groups)
    sizes = np.array([len(values) for values in ordered], dtype=np.float64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
    observed = np.concatenate(ordered)
    shifted = observed - math.fsum(observed) / len(observed)  # sums of squares lose nothing to a large mean
    least = float(shifted @ shifted) / len(shifted) / sizes**2  # a small group of equal scores is not sure of itself
    statistics, gaps = [], []
    look = FirstLook(len(shifted), n_permutations)
    for block in _draws(np.sort(shifted), shifted, n_permutations, rng, 1):
        means = np.add.reduceat(block, starts, axis=1) / sizes
        squares = np.add.reduceat(block * block, starts, axis=1)
        spread = np.maximum((squares - sizes * means**2) / (sizes - 1) / sizes, least)
        weights = 1 / np.where(spread > 0, spread, 1.0)
        center = (weights * means).sum(axis=1) / weights.sum(axis=1)
        statistics.append((weights * (means - center[:, None]) ** 2).sum(axis=1))
        gaps.append(means.max(axis=1) - means.min(axis=1))
        if look.enough(statistics):
            break
    return summary(np.concatenate(statistics), np.concatenate(gaps))


def rank_omnibus(groups: Sequence[Floats], *, n_permutations: int, rng: np.random.Generator) -> Omnibus:
    """Test of equal relative effects (pseudo-ranks), permuted [3]: valid with failures, ties and infinities.

    Args:
        groups: one score per patient in each of at least 2 groups, shapes ``(n_g,)``, ``n_g >= 2``.
        n_permutations: number of random draws.
        rng: source of random numbers.

    Returns:
        The p-value, and the gap of the medians beside its distribution when labels are exchanged.
    """
    ordered = _ordered(groups)
    sizes = np.array([len(values) for values in ordered])
    starts = np.cumsum(sizes) - sizes
    pooled = np.concatenate(ordered)
    order = np.argsort(pooled, kind="stable")
    pooled = pooled[order]
    row = np.repeat(np.arange(len(ordered), dtype=np.uint8), sizes)
    below = np.searchsorted(pooled, pooled, side="left")
    upto = np.searchsorted(pooled, pooled, side="right")
    statistics, gaps = [], []
    for labels in _draws(row, row[order], n_permutations, rng, len(ordered)):
        members = np.argsort(labels, axis=1, kind="stable")  # patients by group, in each by score
        counts = np.zeros((len(labels), len(row) + 1), dtype=np.int32)
        offset = counts.shape[1] * np.arange(len(labels))[:, None]
        less, most = below[members] + offset, upto[members] + offset
        shares = np.empty((len(labels), len(sizes), len(row)), dtype=np.float32)
        for group, size in enumerate(sizes):
            np.cumsum(labels == group, axis=1, out=counts[:, 1:])
            np.multiply(counts.take(less) + counts.take(most), 0.5 / size, out=shares[:, group])
        statistics.append(_rank_wald(shares, starts, sizes))
        gaps.append(_median_gap(*(pooled[members[:, starts + place]] for place in ((sizes - 1) // 2, sizes // 2))))
    return summary(np.concatenate(statistics), np.concatenate(gaps))


def _rank_wald(shares: NDArray[np.float32], starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> Floats:
    """Wald statistic of the relative effects.

    Args:
        shares: part of each group that is below each patient's score, ties half, shape ``(draws, groups, patients)``;
            patients by group.
        starts: first patient of each group.
        sizes: patients of each group.
    """
    count = len(sizes)
    effects = np.empty((len(shares), count))
    spread = np.zeros((len(shares), count, count))
    spread += np.diag(1 / (12 * sizes**2))
    for group, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        own = shares[:, :, start : start + size]
        means = own.mean(axis=2, keepdims=True)
        effects[:, group] = means.mean(axis=(1, 2), dtype=np.float64)
        own = own - means
        within = (own @ own.transpose(0, 2, 1)).astype(np.float64) / (size * (size - 1) * count**2)
        across = within.sum(axis=2)  # a patient's score bears on the mean of the own group, and on the pooled one
        spread += within
        spread[:, group] -= across
        spread[:, :, group] -= across
        spread[:, group, group] += across.sum(axis=1)
    contrast = np.hstack([np.eye(count - 1), -np.ones((count - 1, 1))])
    gap = effects @ contrast.T
    solved = np.linalg.solve(contrast @ spread @ contrast.T, gap[..., None])[..., 0]
    result: Floats = (gap * solved).sum(axis=1)
    return result


def _median_gap(lower: Floats, upper: Floats) -> Floats:
    """Largest minus smallest group median; both middle scores of each group have shape ``(draws, groups)``."""
    with np.errstate(invalid="ignore"):
        medians = (lower + upper) / 2
        gaps: Floats = medians.max(axis=1) - medians.min(axis=1)
    return np.where(np.isnan(gaps), np.where(np.isfinite(medians).any(axis=1), np.inf, 0.0), gaps)
