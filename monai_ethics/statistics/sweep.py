# SPDX-License-Identifier: Apache-2.0
"""Rates of decisions over thresholds, with their intervals, for one group of cases.

References:
    [1] Wilson 1927; Rao & Scott 1992, Biometrics 48: as in `monai_ethics.statistics.intervals`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monai_ethics.statistics.intervals import Floats, Result, patient_rate

__all__ = ["RATES_SWEPT", "SweptRate", "common_grid", "sweep"]

RATES_SWEPT = {
    "selection_rate": "share of cases decided positive (selection rate)",
    "tpr": "share of positive cases decided positive (TPR, sensitivity)",
    "fpr": "share of negative cases decided positive (FPR)",
    "ppv": "share of truly positive among cases decided positive (PPV)",
}
_TAIL = 0.005  # share of scores beyond each end of the grid
_NO_BAND = "no interval at any threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptRate:
    """One rate over the thresholds.

    Args:
        values: the rate at each threshold; ``None`` = undefined there.
        low: lower ends of its interval.
        high: upper ends of it.
        method: how the intervals were made.
    """

    values: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    method: str


def common_grid(scores: Floats, count: int, fixed: float | None) -> Floats:
    """Thresholds common to all groups: rounded, evenly spaced, over all but 1 % of the scores.

    They depend on the pooled scores only, and show no single one of them.

    Args:
        scores: scores of all cases, at least one.
        count: thresholds wanted, 2 or more; about as many come.
        fixed: a threshold that must be among them; ``None`` = none.

    Returns:
        Ascending thresholds, at most ``count + 1``.
    """
    low, high = np.quantile(scores, [_TAIL, 1 - _TAIL])
    width = float(high - low) or max(abs(float(low)), 1.0)
    digits = 2 - math.floor(math.log10(width / (count - 1)))
    step = math.ceil(width / (count - 1) * 10**digits) / 10**digits
    start = math.floor(float(low) / step) * step
    last = min(math.ceil((float(high) - start) / step), count - 1)
    grid = {round(start + step * position, digits + 2) for position in range(last + 1)}
    return np.array(sorted(grid if fixed is None else {*grid, fixed}))


def sweep(
    truth: NDArray[np.bool_],
    scores: Floats,
    patients: Sequence[str],
    grid: Floats,
    *,
    level: float = 0.95,
    least: int = 5,
) -> dict[str, SweptRate]:
    """Rates of `RATES_SWEPT` at each threshold, case-weighted, by patient [1].

    Args:
        truth: whether each case is positive, shape ``(N,)``.
        scores: its score, shape ``(N,)``.
        patients: its patient, length ``N``.
        grid: thresholds, shape ``(T,)``; positive from there on.
        level: nominal coverage at each threshold.
        least: patients that a denominator needs.

    Returns:
        Name to rate, in the order of `RATES_SWEPT`.
    """
    _, codes = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    among = {"selection_rate": np.ones(len(truth), dtype=bool), "tpr": truth, "fpr": ~truth}
    found = {
        name: _rate([_hits(codes[rows], scores[rows] >= t, level, least) for t in grid]) for name, rows in among.items()
    }
    chosen = [scores >= t for t in grid]
    found["ppv"] = _rate([_hits(codes[rows], truth[rows], level, least) for rows in chosen])
    return found


def _hits(codes: NDArray[np.int64], hits: NDArray[np.bool_], level: float, least: int) -> Result:
    """Rate over the cases of patients `codes`."""
    cases = np.bincount(codes)
    tops = np.bincount(codes, weights=hits).astype(np.float64)
    present = cases > 0
    if np.count_nonzero(present) < max(least, 1):
        return Result(value=None, reason="too few patients in the denominator")
    return patient_rate(tops[present], cases[present].astype(np.float64), level=level)


def _rate(results: Sequence[Result]) -> SweptRate:
    methods = {result.method.split(" with ")[0]: None for result in results if result.method}
    return SweptRate(
        values=tuple(result.value for result in results),
        low=tuple(result.low for result in results),
        high=tuple(result.high for result in results),
        method=" or ".join(methods) or _NO_BAND,
    )
