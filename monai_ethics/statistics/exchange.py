# SPDX-License-Identifier: Apache-2.0
"""Whole patients exchanged between groups, and what is summed over them in each draw.

Patients with equal rows are exchanged by counting (a multivariate hypergeometric draw), which is the same as permuting
them and costs no more for a million patients than for a hundred. The draws depend on the pooled rows and the group
sizes: neither the order of patients nor the names of groups change a byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from monai_ethics.statistics.intervals import Floats
from monai_ethics.statistics.permutation import CELLS

__all__ = ["Counts", "count_rows", "exchanged_sums", "shuffles"]

Counts = NDArray[np.int64]


def count_rows(groups: Sequence[Floats]) -> tuple[Floats, Counts]:
    """Different rows of all groups, and how often each group has them.

    Args:
        groups: a row for each patient, shapes ``(n_g, F)``.

    Returns:
        Rows of shape ``(R, F)``, sorted; counts of shape ``(K, R)``, by size of group and then by counts.
    """
    rows, codes = np.unique(np.concatenate(list(groups)), axis=0, return_inverse=True)
    ends = np.cumsum([len(group) for group in groups])[:-1]
    members = [np.bincount(part, minlength=len(rows)) for part in np.split(codes.ravel(), ends)]
    return rows, np.array(sorted(members, key=lambda counts: (int(counts.sum()), tuple(counts))))


def shuffles(observed: Counts) -> bool:
    """Whether draws permute the patients themselves, which costs the more the more there are.

    Args:
        observed: how often each group has each row, shape ``(K, R)``.
    """
    total = observed.sum(axis=0)
    return not (len(total) * len(observed) * 4 <= int(total.sum()) or len(total) <= 8)


def exchanged_sums(
    observed: Counts, features: Floats, *, n_permutations: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """Sums over the patients of each group: as observed, then with patients exchanged at random.

    Args:
        observed: how often each group has each row, shape ``(K, R)``, as `count_rows` gives.
        features: what is summed, for each row, shape ``(R, F)``.
        n_permutations: number of random draws.
        rng: source of random numbers.

    Yields:
        Sums of shape ``(draws, K, F)``; the first block holds the observed ones alone.
    """
    sizes, total = observed.sum(axis=1), observed.sum(axis=0)
    draws = _by_shuffling if shuffles(observed) else _by_counting
    yield observed[None] @ features
    yield from draws(total, sizes, features, n_permutations, rng)


def _by_counting(
    total: Counts, sizes: Counts, features: Floats, count: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """Divide patients of equal rows between the groups by hypergeometric draws; yields sums of features."""
    block = max(CELLS // (len(total) * len(sizes)), 1)
    for start in range(0, count, block):
        draws = min(block, count - start)
        left = np.tile(total, (draws, 1))
        sums = np.empty((draws, len(sizes), features.shape[1]))
        for group, size in enumerate(sizes[:-1]):
            taken = _hypergeometric(left, int(size), rng)
            left -= taken
            sums[:, group] = taken @ features
        sums[:, -1] = left @ features
        yield sums


def _hypergeometric(left: Counts, size: int, rng: np.random.Generator) -> Counts:
    """How many of `size` patients drawn from those `left` have each row, shape ``(draws, rows)``."""
    taken = np.zeros_like(left)
    wanted = np.full(len(left), size)
    others = left.sum(axis=1)
    for row in range(left.shape[1] - 1):
        others = others - left[:, row]
        taken[:, row] = rng.hypergeometric(left[:, row], others, wanted)
        wanted = wanted - taken[:, row]
    taken[:, -1] = wanted
    return taken


def _by_shuffling(
    total: Counts, sizes: Counts, features: Floats, count: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """Permute the patients themselves; yields sums of features."""
    row = np.repeat(np.arange(len(total), dtype=np.int32), total)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
    block = max(CELLS // len(row), 1)
    for start in range(0, count, block):
        tiled = np.tile(row, (min(block, count - start), 1))
        rng.permuted(tiled, axis=1, out=tiled)
        yield np.stack([np.add.reduceat(column[tiled], starts, axis=1) for column in features.T], axis=-1)
