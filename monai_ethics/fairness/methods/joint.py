# SPDX-License-Identifier: Apache-2.0
"""Several tests on the same draws: every pair of groups, or every metric of one attribute.

Patients are exchanged between groups as in `monai_ethics.statistics.permutation`, and each draw serves all tests,
so that what they share is kept (max-T). Statistics are studentised: of means, or of relative effects when scores hold
failures.

References:
    [1] Westfall & Young 1993, Resampling-Based Multiple Testing, algorithm 2.8.
    [2] Chung & Romano 2016, J. Stat. Plan. Inference 168: studentised permutation for several tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from monai_ethics.fairness.data.groups import Group
from monai_ethics.fairness.methods.crossed import influence
from monai_ethics.statistics.corrections import max_t
from monai_ethics.statistics.intervals import Floats
from monai_ethics.statistics.permutation import CELLS

__all__ = ["crossed_pairs_max_t", "metrics_max_t", "pairs_max_t"]

Labels = NDArray[np.uint8]


def _members(labels: Labels, count: int, rng: np.random.Generator, kinds: int) -> Iterator[Floats]:
    """Who is in which group, shape ``(block, patients, groups)``: as observed, then for each draw."""
    which = np.arange(kinds, dtype=np.uint8)
    block = max(CELLS // max(len(labels) * kinds, 1), 1)
    yield (labels[None, :, None] == which).astype(np.float64)
    for start in range(0, count, block):
        tiled = np.tile(labels, (min(block, count - start), 1))
        yield (rng.permuted(tiled, axis=1)[..., None] == which).astype(np.float64)


class _Means:
    """Group means and the variances of their errors, on any draw."""

    def __init__(self, values: Floats, sizes: Floats) -> None:
        self.values, self.sizes = values - values.mean(), sizes
        self.least = float(np.mean(self.values**2)) / sizes**2  # a small group of equal scores is not sure of itself

    def parts(self, member: Floats) -> tuple[Floats, Floats]:
        across = member.transpose(0, 2, 1)
        means = (across @ self.values) / self.sizes
        squares = across @ self.values**2
        return means, np.maximum((squares - self.sizes * means**2) / (self.sizes - 1) / self.sizes, self.least)

    def pairs(self, member: Floats) -> Floats:
        means, errors = self.parts(member)
        return _over_pairs(
            [
                (np.abs(means[:, i] - means[:, j]), errors[:, i] + errors[:, j])
                for i, j in combinations(range(len(self.sizes)), 2)
            ]
        )

    def omnibus(self, member: Floats) -> Floats:
        means, errors = self.parts(member)
        weights = 1 / np.where(errors > 0, errors, 1.0)
        center = (weights * means).sum(axis=1) / weights.sum(axis=1)
        result: Floats = (weights * (means - center[:, None]) ** 2).sum(axis=1)
        return result


class _Ranks:
    """Relative effects of pairs of groups and the variances of their errors, on any draw."""

    def __init__(self, values: Floats, sizes: Floats) -> None:
        self.order = np.argsort(values, kind="stable")
        ordered = values[self.order]
        self.below = np.searchsorted(ordered, ordered, side="left")
        self.upto = np.searchsorted(ordered, ordered, side="right")
        self.sizes = sizes

    def _shares(self, member: Floats) -> Floats:
        """Share of each group that lies below each patient's score, ties half."""
        counts = np.zeros((len(member), member.shape[1] + 1, member.shape[2]))
        np.cumsum(member, axis=1, out=counts[:, 1:])
        shares: Floats = (counts[:, self.below] + counts[:, self.upto]) / (2 * self.sizes)
        return shares

    def pairs(self, member: Floats) -> Floats:
        member = member[:, self.order]
        shares = self._shares(member)
        across, sizes = member.transpose(0, 2, 1), self.sizes[:, None]
        effects = (across @ shares) / sizes
        spread = ((across @ shares**2) - sizes * effects**2) / (sizes - 1) / sizes + 1 / (12 * sizes**2)
        return _over_pairs(
            [
                (np.abs(effects[:, i, j] - 0.5), spread[:, i, j] + spread[:, j, i])
                for i, j in combinations(range(len(self.sizes)), 2)
            ]
        )

    def omnibus(self, member: Floats) -> Floats:
        member = member[:, self.order]
        shares, count = self._shares(member), len(self.sizes)
        pooled = shares.mean(axis=2, keepdims=True)
        across = member.transpose(0, 2, 1)
        places = (across @ pooled)[..., 0] / self.sizes
        own = member * pooled - shares / count
        own = own - member @ ((across @ own) / self.sizes[:, None])
        own *= (member @ (1 / np.sqrt(self.sizes * (self.sizes - 1))))[..., None]
        spread = own.transpose(0, 2, 1) @ own + np.diag(1 / (12 * self.sizes**2))
        contrast = np.hstack([np.eye(count - 1), -np.ones((count - 1, 1))])
        gap = places @ contrast.T
        solved = np.linalg.solve(contrast @ spread @ contrast.T, gap[..., None])[..., 0]
        result: Floats = (gap * solved).sum(axis=1)
        return result


def _over_pairs(columns: Sequence[tuple[Floats, Floats]]) -> Floats:
    ratios = [gap / np.sqrt(np.where(spread > 0, spread, 1.0)) for gap, spread in columns]
    return np.stack(ratios, axis=1)


def pairs_max_t(groups: Sequence[Floats], *, ranks: bool, n_permutations: int, rng: np.random.Generator) -> list[float]:
    """Adjusted p-value of every pair of groups [1, 2].

    Args:
        groups: one score per patient in each of at least 2 groups, shapes ``(n_g,)``, ``n_g >= 2``; finite unless
            `ranks`.
        ranks: compare relative effects in place of means.
        n_permutations: random draws.
        rng: source of random numbers.

    Returns:
        One for each pair, in the order of ``itertools.combinations``.
    """
    turned = sorted(range(len(groups)), key=lambda g: (len(groups[g]), tuple(np.sort(groups[g]))))
    ordered = [np.sort(groups[g]) for g in turned]
    sizes = np.array([len(values) for values in ordered], dtype=np.float64)
    pooled = np.concatenate(ordered)
    labels = np.repeat(np.arange(len(ordered), dtype=np.uint8), sizes.astype(int))
    test = (_Ranks if ranks else _Means)(pooled, sizes)
    found = max_t(np.concatenate([test.pairs(each) for each in _members(labels, n_permutations, rng, len(groups))]))
    by_pair = dict(zip(combinations(turned, 2), found, strict=True))
    return [by_pair.get((i, j), by_pair.get((j, i), 1.0)) for i, j in combinations(range(len(groups)), 2)]


def crossed_pairs_max_t(groups: Sequence[Group], *, n_permutations: int, rng: np.random.Generator) -> list[float]:
    """Adjusted p-value of every pair of group means when patients are in several groups: random signs of patients.

    Args:
        groups: at least 2 groups with 2 or more patients each, finite scores.
        n_permutations: random draws of signs.
        rng: source of random numbers.

    Returns:
        One for each pair, in the order of ``itertools.combinations``.
    """
    places, parts = influence(groups, ranks=False)
    columns = list(combinations(range(len(groups)), 2))
    gaps = np.array([places[i] - places[j] for i, j in columns])
    own = np.stack([parts[:, i] - parts[:, j] for i, j in columns], axis=1)
    own = own[np.lexsort(own.T)]
    total = np.maximum((own**2).sum(axis=0), 1e-30)
    statistics = [np.abs(gaps / np.sqrt(total))[None]]
    block = max(CELLS // max(len(own), 1), 1)
    for start in range(0, n_permutations, block):
        moved = (2.0 * rng.integers(0, 2, (min(block, n_permutations - start), len(own))) - 1.0) @ own
        statistics.append(np.abs(moved) / np.sqrt(np.maximum(total - moved**2 / len(own), 1e-30)))
    return max_t(np.concatenate(statistics))


def metrics_max_t(
    columns: Sequence[Floats], labels: Labels, *, ranks: Sequence[bool], n_permutations: int, rng: np.random.Generator
) -> list[float]:
    """Adjusted p-value of the omnibus test of every metric of the same patients [1, 2].

    Args:
        columns: scores of each metric, shape ``(patients,)`` each, the same patients in the same order.
        labels: group of each patient, 0 to K - 1, shape ``(patients,)``; at least 2 patients in each.
        ranks: for each metric, whether relative effects are compared in place of means.
        n_permutations: random draws.
        rng: source of random numbers.

    Returns:
        One for each metric.
    """
    order = np.lexsort((*columns, labels.astype(np.float64)))
    rows, kinds = labels[order], int(labels.max()) + 1
    sizes = np.bincount(rows, minlength=kinds).astype(np.float64)
    tests = [(_Ranks if rank else _Means)(values[order], sizes) for values, rank in zip(columns, ranks, strict=True)]
    blocks = [
        np.stack([test.omnibus(each) for test in tests], axis=1) for each in _members(rows, n_permutations, rng, kinds)
    ]
    return max_t(np.concatenate(blocks))
