# SPDX-License-Identifier: Apache-2.0
"""Labels exchanged at random within blocks of rows, such as those of one site: what a permutation test draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["blocks_of", "labelings"]

Rows = NDArray[np.int64]


def blocks_of(strata: Sequence[str] | NDArray[Any]) -> list[Rows]:
    """Rows of each stratum, in the order of their names.

    Args:
        strata: stratum of each row, length ``N``, ``N`` of 1 or more.
    """
    codes = np.unique(np.asarray(strata), return_inverse=True)[1]
    return [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]


def labelings(
    labels: NDArray[Any], blocks: Sequence[Rows], *, draws: int, at_once: int, rng: np.random.Generator
) -> Iterator[NDArray[Any]]:
    """Random labelings under which no label leaves its block.

    Args:
        labels: label of each row, shape ``(N,)``; which draws come out depends on their order.
        blocks: rows among which labels move.
        draws: number of labelings.
        at_once: most labelings of one batch.
        rng: source of random numbers.

    Yields:
        Batches of shape ``(at_once, N)``, the last one of fewer.
    """
    for start in range(0, draws, at_once):
        drawn = np.tile(labels, (min(at_once, draws - start), 1))
        for rows in blocks:
            drawn[:, rows] = rng.permuted(drawn[:, rows], axis=1)
        yield drawn
