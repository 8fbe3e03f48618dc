# SPDX-License-Identifier: Apache-2.0
"""Counts of decisions in many cells at once: the sufficient statistics of every rate, and their resampling.

A cell is a group or a crossing of groups. For one case a patient the counts are all that a bootstrap needs, so one
multinomial draw replaces the resampling of cases; where patients repeat, patients of equal counts are drawn together.
Undefined rates are NaN here and nowhere else.

References:
    [1] Efron & Tibshirani 1993, An Introduction to the Bootstrap, section 6.4: the multinomial form.
    [2] Davison & Hinkley 1997, Bootstrap Methods, section 3.8: resampling of clusters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from monai_ethics.statistics.intervals import Floats

__all__ = ["RATES", "bootstrap_rates", "cell_counts", "ends", "patient_counts", "rates", "resampled_counts"]

Counts = NDArray[np.int64]
#: name: (cells of the numerator, cells of the denominator), as weights of (TN, FP, FN, TP)
RATES: dict[str, tuple[tuple[int, int, int, int], tuple[int, int, int, int]]] = {
    "selection_rate": ((0, 1, 0, 1), (1, 1, 1, 1)),
    "tpr": ((0, 0, 0, 1), (0, 0, 1, 1)),
    "fpr": ((0, 1, 0, 0), (1, 1, 0, 0)),
    "tnr": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "fnr": ((0, 0, 1, 0), (0, 0, 1, 1)),
    "ppv": ((0, 0, 0, 1), (0, 1, 0, 1)),
    "npv": ((1, 0, 0, 0), (1, 0, 1, 0)),
    "accuracy": ((1, 0, 0, 1), (1, 1, 1, 1)),
    "prevalence": ((0, 0, 1, 1), (1, 1, 1, 1)),
}
_ROWS = 1 << 16  # cases counted at once: stay in the cache
_DRAWN = 4_000_000  # counts drawn at once: 32 MB


def cell_counts(
    codes: NDArray[np.integer], y_true: NDArray[np.bool_], y_pred: NDArray[np.bool_], n_cells: int
) -> Counts:
    """Number of cases in each cell by label and decision.

    Args:
        codes: cell of each case, 0 to ``n_cells - 1``, shape ``(N,)``.
        y_true: whether it is positive, shape ``(N,)``.
        y_pred: whether it is decided positive, shape ``(N,)``.
        n_cells: number of cells.

    Returns:
        Counts of shape ``(n_cells, 2, 2)``: label first, decision second.
    """
    counts = np.zeros(4 * n_cells, dtype=np.int64)
    small = np.uint16 if 4 * n_cells <= 1 << 16 else np.int64
    for start in range(0, len(codes), _ROWS):
        rows = slice(start, start + _ROWS)
        key: NDArray[Any] = codes[rows].astype(small)
        key <<= 2
        key += y_true[rows].view(np.uint8) << 1
        key += y_pred[rows].view(np.uint8)
        counts += np.bincount(key, minlength=4 * n_cells)
    return counts.reshape(n_cells, 2, 2)


def patient_counts(
    patients: NDArray[np.integer],
    codes: NDArray[np.integer],
    y_true: NDArray[np.bool_],
    y_pred: NDArray[np.bool_],
    n_cells: int,
) -> tuple[Counts, Any]:
    """Kinds of patients: patients whose cases fall alike into cells, labels and decisions count as one kind [2].

    Args:
        patients: patient of each case, 0 or above, shape ``(N,)``.
        codes: cell of each case, shape ``(N,)``.
        y_true: whether it is positive, shape ``(N,)``.
        y_pred: whether it is decided positive, shape ``(N,)``.
        n_cells: number of cells.

    Returns:
        Number of patients of each kind, shape ``(kinds,)``, and their counts, a sparse array of shape
        ``(kinds, 4 * n_cells)``.
    """
    key: NDArray[Any] = codes.astype(np.int64) * 4 + y_true * 2 + y_pred
    order = np.lexsort((key, patients))
    key, patient = key[order], patients[order]
    starts = np.flatnonzero(np.concatenate([[True], patient[1:] != patient[:-1]])[: len(key)])
    lengths = np.diff(np.concatenate([starts, [len(key)]]))
    totals, cells, sizes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for length in np.unique(lengths):
        first = starts[lengths == length]
        rows, repeats = np.unique(key[first[:, None] + np.arange(length)], axis=0, return_counts=True)
        totals.append(repeats)
        cells.append(rows.ravel())
        sizes.append(np.full(len(rows), length))
    indices = np.concatenate(cells)
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    kinds = sparse.csr_array((np.ones(len(indices)), indices, offsets), shape=(len(offsets) - 1, 4 * n_cells))
    kinds.sum_duplicates()
    return np.concatenate(totals), kinds


def rates(counts: Floats | Counts, names: Sequence[str] = tuple(RATES)) -> dict[str, Floats]:
    """Rates from counts; NaN where the denominator is 0.

    Args:
        counts: shape ``(..., 2, 2)``: label first, decision second.
        names: names of `RATES`.

    Returns:
        Name to rate, shape ``(...)``.
    """
    four = counts[..., 0, 0], counts[..., 0, 1], counts[..., 1, 0], counts[..., 1, 1]
    found = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for name in names:
            top, bottom = (sum(part for part, used in zip(four, uses, strict=True) if used) for uses in RATES[name])
            found[name] = np.asarray(top / bottom)
    return found


def resampled_counts(counts: Counts, n_resamples: int, rng: np.random.Generator) -> Iterator[Counts]:
    """Bootstrap of independent cases from their counts [1], in blocks of draws of at most 32 MB.

    Args:
        counts: shape ``(cells, 2, 2)``.
        n_resamples: number of draws.
        rng: source of random numbers.

    Yields:
        Counts of shape ``(draws, cells, 2, 2)``.
    """
    total = int(counts.sum())
    share = counts.ravel() / max(total, 1)
    block = max(_DRAWN // counts.size, 1)
    for start in range(0, n_resamples, block):
        draws = min(block, n_resamples - start)
        yield rng.multinomial(total, share, size=draws).reshape(draws, *counts.shape)


def _resample_patients(totals: Counts, kinds: Any, n_resamples: int, rng: np.random.Generator) -> Iterator[Counts]:
    n = int(totals.sum())
    across = kinds.T.tocsr()
    block = max(_DRAWN // max(kinds.shape), 1)
    for start in range(0, n_resamples, block):
        draws = min(block, n_resamples - start)
        drawn = across @ rng.multinomial(n, totals / max(n, 1), size=draws).T.astype(np.float64)
        yield np.rint(drawn.T).astype(np.int64).reshape(draws, -1, 2, 2)


def ends(draws: Floats, level: float) -> tuple[Floats, Floats]:
    """Percentile ends over the first axis, by partition; NaN where no draw is defined, or one is not.

    Args:
        draws: shape ``(draws, ...)``.
        level: share of draws between the ends.

    Returns:
        Lower and upper ends, shape ``(...)``: order statistics, not interpolated.
    """
    n = len(draws)
    low = int(np.floor((1 - level) / 2 * n))
    high = n - 1 - low
    ordered = np.partition(draws, (low, high), axis=0)
    undefined = np.isnan(draws).any(axis=0)
    return np.where(undefined, np.nan, ordered[low]), np.where(undefined, np.nan, ordered[high])


def bootstrap_rates(
    counts: Counts,
    *,
    n_resamples: int,
    rng: np.random.Generator,
    level: float = 0.95,
    names: Sequence[str] = tuple(RATES),
    patients: tuple[Counts, Any] | None = None,
) -> dict[str, tuple[Floats, Floats]]:
    """Percentile intervals of rates in every cell, for comparison with tools that give no other.

    Rates near 0 or 1 and small cells are not covered by it at all (10 of 10 has no width): Wilson's interval is.

    Args:
        counts: shape ``(cells, 2, 2)``.
        n_resamples: number of draws.
        rng: source of random numbers.
        level: nominal coverage.
        names: the rates wanted.
        patients: what `patient_counts` gave, to draw whole patients; ``None`` = each case is a patient.

    Returns:
        Name to lower and upper ends, shape ``(cells,)``; NaN where a draw left the rate undefined.
    """
    drawn = (
        resampled_counts(counts, n_resamples, rng)
        if patients is None
        else _resample_patients(*patients, n_resamples, rng)
    )
    pieces: dict[str, list[Floats]] = {name: [] for name in names}
    for block in drawn:
        every = rates(block, names)
        for name in names:
            pieces[name].append(every[name])
    return {name: ends(np.concatenate(parts), level) for name, parts in pieces.items()}
