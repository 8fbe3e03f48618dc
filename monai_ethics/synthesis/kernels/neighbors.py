# SPDX-License-Identifier: Apache-2.0
"""Nearest neighbors, exact and in bounded memory, on any device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from monai_ethics.errors import InputError
from monai_ethics.synthesis.kernels import rounded as rounding
from monai_ethics.synthesis.kernels.rounded import COARSE, FINE, Frame, Rounded, full_precision, products, rounded
from monai_ethics.synthesis.kernels.rows import places_of

__all__ = ["Neighbors", "measured", "nearest"]

SPARE = 4  # candidates kept beyond k, so that rounding cannot hide a neighbor
TILE = 2**22  # entries of one block of the distance matrix: 16 MiB in float32
COARSE_TILE = 2**20  # the same where products are so cheap that fresh memory would cost as much
COLUMNS = 8192  # at most, of one block
EXACT_TILE = 2**18  # float64 numbers measured at a time: 2 MiB, which stays in cache
WIDER = 3  # times as many spare candidates where bfloat16 finds them
TRIED, FAILED = 64, 0.25  # rows that bfloat16 is tried on, and the share left unsettled from which it does not pay


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

    Candidates are found by matrix products of rounded rows in blocks (never the whole matrix; TF32 off) and measured in
    float64 by subtraction, so that a copy has distance exactly 0. Rows whose last one kept the rounding cannot tell
    from the first one left out go from bfloat16, where that is fast, to float32, and from there to float64 throughout.
    Device and block size do not change the result; if query and reference are one object, each pair is computed once.

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
    found = Neighbors(distance=np.empty((len(x), k)), index=np.empty((len(x), k), dtype=np.int64), checked_in_full=0)
    search, left = _Search(x, y, Frame.of(*((y,) if y is x else (y, x)), device=device), tile, found), np.arange(len(x))
    with full_precision():
        if rounding.coarse_pays(device, len(x) * len(y), x.shape[1]):
            left = search.settled(left, COARSE)
        left = search.settled(left, FINE)
    for row in left:
        exact = _measured_in_full(x[row], y)
        found.index[row] = np.argsort(exact, kind="stable")[:k]
        found.distance[row] = exact[found.index[row]]
    return replace(found, checked_in_full=len(left))


def _checked(array: np.ndarray, name: str) -> np.ndarray:
    rows = np.ascontiguousarray(array)
    if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.floating) or not np.isfinite(rows).all():
        raise InputError(f"`{name}` must be a finite floating-point array of shape (rows, features): got another.")
    return rows


@dataclass(frozen=True, slots=True)
class _Search:
    """Fills in the neighbors of `x` in `y` as far as rounded rows can tell them."""

    x: np.ndarray
    y: np.ndarray
    frame: Frame
    tile: int
    found: Neighbors

    def settled(self, rows: np.ndarray, dtype: torch.dtype) -> np.ndarray:
        """Settle these queries, ascending; returns those left, all of them where a trial of some shows no gain."""
        if not len(rows):
            return rows
        reference = rounded(self.frame, self.y, dtype)
        if dtype == COARSE:
            tried = rows[:: max(1, len(rows) // TRIED)]
            if len(self._among(tried, reference)) > FAILED * len(tried):
                return rows
        return self._among(rows, reference)

    def _among(self, rows: np.ndarray, reference: Rounded) -> np.ndarray:
        k = self.found.index.shape[1]
        spare = (1 + WIDER) * SPARE if reference.rows.dtype == COARSE else SPARE
        keep, left = min(k + spare, len(self.y)), []
        for part, best in self._candidates(rows, reference, keep):
            places, low = best.place.cpu().numpy(), best.value.double().cpu().numpy()
            beyond = np.column_stack([low, low[:, -1] if keep < len(self.y) else np.full(len(part), np.inf)])
            left.append(part[self._measured(part, places, beyond)])
        return np.concatenate(left)

    def _measured(self, rows: np.ndarray, places: np.ndarray, beyond: np.ndarray) -> np.ndarray:
        """Keep the nearest candidates of these queries; returns which queries may have nearer ones elsewhere.

        Candidates `places` are measured a few at a time while the next may be nearer: `beyond` is what their squared
        distances in the frame exceed for sure, ascending, and in the last column those of all others.
        """
        k, measuring = self.found.index.shape[1], np.arange(len(rows))
        exact, own = np.full(places.shape, np.inf), int(self.x is self.y and np.array_equal(places[:, 0], rows))
        exact[:, :own] = 0.0  # a row is its own nearest
        for start, stop in pairwise(dict.fromkeys([own, *range(k + 1, places.shape[1], 2), places.shape[1]])):
            some = slice(start, stop)
            exact[measuring, some] = measured(self.x, rows[measuring], self.y, places[measuring, some])
            reach = np.partition(exact[measuring], k - 1, axis=1)[:, k - 1]
            measuring = measuring[~(np.square(self.frame.scale * reach) < beyond[measuring, stop])]
        order = np.lexsort((places, exact), axis=1)[:, :k]
        self.found.distance[rows] = np.take_along_axis(exact, order, axis=1)
        self.found.index[rows] = np.take_along_axis(places, order, axis=1)
        return measuring

    def _candidates(self, rows: np.ndarray, reference: Rounded, keep: int) -> Iterator[tuple[np.ndarray, _Best]]:
        """Per block: queries and their `keep` nearest, ascending by what the squared distances exceed for sure."""
        tile = min(self.tile, COARSE_TILE) if reference.rows.dtype == COARSE else self.tile
        step = max(1, tile // max(keep, min(len(self.y), COLUMNS)))
        every, within = self.x is self.y and len(rows) == len(self.x), None
        if every:
            within = _top_within(reference, keep=keep, step=max(keep, int(tile**0.5) // 2))
        for part in (slice(start, start + step) for start in range(0, len(rows), step)):
            some = rows[part]
            queries = reference[part] if every else rounded(self.frame, self.x[some], reference.rows.dtype)
            best = _top(queries, reference, keep=keep) if within is None else within.taken(part)
            best.value += (queries.norm - queries.error(reference))[:, None]
            yield some, best


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
        if self.value.shape[1] == keep:
            row, column = places_of(block < self.value[:, -1:])
            if len(row) <= keep * len(block):
                return self._joined(*_side_by_side(block, row, column), start, keep)
        value, place = block.topk(min(keep, block.shape[1]), dim=1, largest=False, sorted=True)
        return self._joined(value, place, start, keep)

    def _joined(self, value: torch.Tensor, place: torch.Tensor, start: int, keep: int) -> _Best:
        value, place = torch.cat([self.value, value], dim=1), torch.cat([self.place, place + start], dim=1)
        value, order = value.topk(min(keep, value.shape[1]), dim=1, largest=False, sorted=True)
        return _Best(value, place.gather(1, order))


def _side_by_side(block: torch.Tensor, row: torch.Tensor, column: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and columns of some entries, ascending by row, each row's beside one another; infinity fills the gaps."""
    count = torch.bincount(row, minlength=len(block))
    nth = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    value = block.new_full((len(block), int(count.max())), torch.inf)
    place = torch.zeros(value.shape, dtype=torch.int64, device=row.device)
    value[row, nth], place[row, nth] = block[row, column], column
    return value, place


def _top(a: Rounded, b: Rounded, *, keep: int) -> _Best:
    """Nearest rows of `b`, by what the squared distance exceeds for sure, less the query's own part of that."""
    best = _Best.of_none(a.norm)
    columns = max(keep, min(len(b), COLUMNS))
    for start in range(0, len(b), columns):
        part = b[start : start + columns]
        best = best.merged(products(a, part)[0].add_(part.norm - part.error(a)), start, keep)
    return best


def _top_within(b: Rounded, *, keep: int, step: int) -> _Best:
    """The same of `b` to itself, each product of two rows computed once."""
    parts = [slice(start, start + step) for start in range(0, len(b), step)]
    best, low = [_Best.of_none(b.norm[part]) for part in parts], b.norm - b.error(b)
    for i, rows in enumerate(parts):
        for j, columns in enumerate(parts[i:], start=i):
            block = products(b[rows], b[columns])[0]
            best[i] = best[i].merged(block + low[columns], columns.start, keep)
            if j > i:
                best[j] = best[j].merged(block.add_(low[rows, None]).T, rows.start, keep)
    return _Best(torch.cat([part.value for part in best]), torch.cat([part.place for part in best]))


def measured(x: np.ndarray, rows: np.ndarray, y: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Distances in float64 by subtraction of some rows of `x` to their candidates in `y`, in blocks.

    Args:
        x: shape ``(N, d)``.
        rows: which of them, shape ``(R,)``.
        y: shape ``(M, d)``.
        candidates: rows of `y` for each, shape ``(R, C)``.

    Returns:
        Distances, shape ``(R, C)``; of the same two rows always the same.
    """
    result = np.empty(candidates.shape)
    step = max(1, EXACT_TILE // max(1, candidates.shape[1] * x.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        difference = y[candidates[part]].astype(np.float64)
        difference -= x[rows[part], None, :]
        result[part] = np.sqrt(np.square(difference, out=difference).sum(axis=-1))
    return result


def _measured_in_full(row: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distances in float64 of one query row to every reference row, shape ``(M,)``."""
    step = max(1, EXACT_TILE // max(1, len(row)))
    parts = (y[start : start + step].astype(np.float64) - row for start in range(0, len(y), step))
    found: np.ndarray = np.sqrt(np.concatenate([np.square(part).sum(axis=-1) for part in parts]))
    return found
