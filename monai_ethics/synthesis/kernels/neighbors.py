# SPDX-License-Identifier: Apache-2.0
"""Nearest neighbors, exact and in bounded memory, on any device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from monai_ethics.errors import InputError

__all__ = ["ROUNDING", "Neighbors", "full_precision", "measured", "nearest"]

SPARE = 4  # candidates kept beyond k, so that rounding cannot hide a neighbor
TILE = 2**22  # entries of one block of the distance matrix: 16 MiB in float32
EXACT_TILE = 2**18  # float64 numbers measured at a time: 2 MiB, which stays in cache
# Rounding of a float32 squared distance by norms and a dot product, in units of eps * (|x|^2 + |y|^2): the error of a
# sum of d products grows like sqrt(d) and stays below this multiple of it in practice; the worst case is d.
ROUNDING = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbors:
    """The `k` nearest reference rows of each query row, nearest first.

    Args:
        distance: Euclidean distances, shape ``(N, k)``, float64, in the unit of the features.
        index: rows of the reference, shape ``(N, k)``, int64; of equal distances the smaller index comes first.
        checked_in_full: query rows whose candidates float32 could not tell apart, computed in float64 throughout.
    """

    distance: np.ndarray
    index: np.ndarray
    checked_in_full: int


def nearest(
    query: np.ndarray, reference: np.ndarray, *, k: int = 1, device: str = "cpu", tile: int = TILE
) -> Neighbors:
    """Nearest neighbors of each query row among the reference rows.

    Blocks of distances are found in float32 by a matrix product (never the whole matrix; TF32 off); the best candidates
    are measured anew in float64 by subtraction, so that a copy has distance exactly 0, and where float32 cannot tell
    the last one kept from the first one left out, all are. Device and block size do not change the result; if query and
    reference are one object, each pair is computed once.

    Args:
        query: shape ``(N, d)``, finite.
        reference: shape ``(M, d)``, finite, at least one row.
        k: neighbors to return; at most ``M`` are.
        device: where the blocks are computed, such as ``"cuda"``.
        tile: entries of one block.

    Raises:
        InputError: if the shapes do not match, there is no reference row, or a number is not finite.
    """
    x = _checked(query, "query")
    y = x if reference is query else _checked(reference, "reference")
    if not len(y) or x.shape[1] != y.shape[1] or k < 1:
        raise InputError(
            f"Query and reference must have as many columns and the reference a row: got {x.shape} and {y.shape}. "
            "Compute both with the same features."
        )
    k = min(k, len(y))
    distance, index = np.empty((len(x), k)), np.empty((len(x), k), dtype=np.int64)
    unsure = np.zeros(len(x), dtype=bool)
    for rows, candidates, left_out in _candidates(x, y, keep=min(k + SPARE, len(y)), device=device, tile=tile):
        exact = measured(x[rows], y, candidates)
        order = np.lexsort((candidates, exact), axis=1)[:, :k]
        distance[rows] = np.take_along_axis(exact, order, axis=1)
        index[rows] = np.take_along_axis(candidates, order, axis=1)
        unsure[rows] = ~(np.square(distance[rows, -1]) < left_out)
    for row in np.flatnonzero(unsure):
        exact = _measured_in_full(x[row], y)
        index[row] = np.argsort(exact, kind="stable")[:k]
        distance[row] = exact[index[row]]
    return Neighbors(distance=distance, index=index, checked_in_full=int(unsure.sum()))


def _checked(array: np.ndarray, name: str) -> np.ndarray:
    rows = np.ascontiguousarray(array)
    if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.floating) or not np.isfinite(rows).all():
        raise InputError(f"`{name}` must be a finite floating-point array of shape (rows, features): got another.")
    return rows


def _candidates(
    x: np.ndarray, y: np.ndarray, *, keep: int, device: str, tile: int
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Per block of queries: rows, nearest `keep` by float32, and what squared distance all others exceed for sure."""
    center = y.mean(axis=0, dtype=np.float64)  # smaller norms round less
    b, b_low = _in_float32(y, center, device)
    step = max(1, tile // max(keep, min(len(y), 8192)))
    with full_precision():
        within = _top_within(b, b_low, keep=keep, step=max(keep, int(tile**0.5) // 2)) if x is y else None
        for start in range(0, len(x), step):
            rows = slice(start, min(start + step, len(x)))
            if within is None:
                a, a_low = _in_float32(x[rows], center, device)
                best = _top(a, b, b_low, keep=keep)
            else:
                a_low, best = b_low[rows], within.taken(rows)
            left_out = best.value[:, -1] + a_low
            left_out = torch.where(left_out.isfinite(), left_out, -torch.inf)  # float32 overflowed: nothing is sure
            left_out = left_out if keep < len(y) else torch.full_like(a_low, torch.inf)
            yield rows, best.place.cpu().numpy(), left_out.double().cpu().numpy()


def _in_float32(rows: np.ndarray, center: np.ndarray, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows less the center, and their squared norms less what rounding may add to a squared distance."""
    a = torch.as_tensor(rows - center).to(dtype=torch.float32, device=device)
    eps = ROUNDING * torch.finfo(torch.float32).eps * float(np.sqrt(rows.shape[1]) + 8)
    return a, a.square().sum(dim=1) * (1 - eps)  # candidates are ranked by what they exceed for sure


@dataclass(slots=True)
class _Best:
    """Smallest values of each row so far, ascending, and where they are."""

    value: torch.Tensor
    place: torch.Tensor

    @classmethod
    def of_none(cls, like: torch.Tensor) -> _Best:
        return cls(like.new_empty((len(like), 0)), torch.empty((len(like), 0), dtype=torch.int64, device=like.device))

    def taken(self, rows: slice) -> _Best:
        return _Best(self.value[rows], self.place[rows])

    def merged(self, block: torch.Tensor, start: int, keep: int) -> _Best:
        """With the columns of a block, the first of which is at `start`."""
        value, place = block.topk(min(keep, block.shape[1]), dim=1, largest=False, sorted=True)
        value, place = torch.cat([self.value, value], dim=1), torch.cat([self.place, place + start], dim=1)
        value, order = value.topk(min(keep, value.shape[1]), dim=1, largest=False, sorted=True)
        return _Best(value, place.gather(1, order))


def _top(a: torch.Tensor, b: torch.Tensor, b_low: torch.Tensor, *, keep: int) -> _Best:
    """Nearest rows of `b`, by squared distance less the query's own norm."""
    best = _Best.of_none(a)
    columns = max(keep, min(len(b), 8192))
    for start in range(0, len(b), columns):
        part = slice(start, start + columns)
        best = best.merged(torch.addmm(b_low[part], a, b[part].T, alpha=-2.0), start, keep)
    return best


def _top_within(b: torch.Tensor, b_low: torch.Tensor, *, keep: int, step: int) -> _Best:
    """The same of `b` to itself, each product of two rows computed once."""
    parts = [slice(start, start + step) for start in range(0, len(b), step)]
    best = [_Best.of_none(b[part]) for part in parts]
    for i, rows in enumerate(parts):
        for j, columns in enumerate(parts[i:], start=i):
            products = (b[rows] @ b[columns].T).mul_(-2.0)
            best[i] = best[i].merged(products + b_low[columns], columns.start, keep)
            if j > i:
                best[j] = best[j].merged(products.T + b_low[rows], rows.start, keep)
    return _Best(torch.cat([part.value for part in best]), torch.cat([part.place for part in best]))


def measured(x: np.ndarray, y: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Distances in float64 by subtraction, shape of `candidates`; in blocks, whatever the number of candidates."""
    result = np.empty(candidates.shape)
    step = max(1, EXACT_TILE // max(1, candidates.shape[1] * x.shape[1]))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        difference = y[candidates[rows]].astype(np.float64) - x[rows, None, :]
        result[rows] = np.sqrt(np.square(difference).sum(axis=-1))
    return result


def _measured_in_full(row: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distances in float64 of one query row to every reference row, shape ``(M,)``."""
    step = max(1, EXACT_TILE // max(1, len(row)))
    parts = (y[start : start + step].astype(np.float64) - row for start in range(0, len(y), step))
    found: np.ndarray = np.sqrt(np.concatenate([np.square(part).sum(axis=-1) for part in parts]))
    return found


@contextmanager
def full_precision() -> Iterator[None]:
    """Matrix products in full float32, and the user's setting as it was afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.no_grad(), torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
