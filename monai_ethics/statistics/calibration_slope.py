# SPDX-License-Identifier: Apache-2.0
"""Calibration slope: are probabilities too extreme (below 1) or too timid (above 1)?

References:
    [1] Cox 1958, Biometrika 45; Van Calster et al. 2019, BMC Med. 17: calibration slope.
    [2] Liang & Zeger 1986, Biometrika 73: the clustered sandwich.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from monai_ethics.statistics.intervals import Floats, Result

__all__ = ["CLIP", "Slope", "calibration_slope", "slope_interval"]

CLIP = 1e-6  # probabilities nearer to 0 or 1 have no useful logit


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """Logistic regression of the outcome on the logit of the probability.

    Args:
        value: the slope; ``None`` with a `reason`. 1 = calibrated spread, below 1 = too extreme probabilities.
        patients: patients in the order of `parts`.
        parts: what each patient contributes to the slope's error, shape ``(patients,)``; its sum of squares is the
            clustered sandwich variance, with the factor ``G / (G - 1)`` of `G` patients.
        rarer: patients with a case of the rarer outcome; Student's t has one degree of freedom less.
        clipped: cases with a probability nearer to 0 or 1 than `CLIP`.
        reason: why there is no slope.
    """

    value: float | None
    patients: tuple[str, ...] = ()
    parts: Floats
    rarer: int = 0
    clipped: int = 0
    reason: str | None = None

    @property
    def df(self) -> int:
        """Degrees of freedom: information is bounded by the patients of the rarer outcome."""
        return max(min(self.rarer - 1, len(self.patients) - 2), 1)

    @property
    def error(self) -> float:
        """Standard error over patients."""
        return math.sqrt(math.fsum(self.parts**2))


def _no_slope(reason: str) -> Slope:
    return Slope(value=None, parts=np.zeros(0), reason=reason)


def _overlap_problem(x: Floats, y: Floats) -> str | None:
    """Why the regression has no finite solution: with one covariate, the classes must overlap."""
    if not len(y) or y.min() == y.max():
        return "a slope needs positive and negative cases: one of them is absent"
    if x.min() == x.max():
        return "all probabilities are equal: there is no slope"
    low, high = x[y == 0], x[y == 1]
    if low.max() <= high.min() or high.max() <= low.min():
        return "positive and negative cases are separated by the score: the slope has no finite estimate"
    return None


def calibration_slope(p: Floats, y: Floats, patients: Sequence[str]) -> Slope:
    """Calibration slope with its error over patients [1, 2].

    Args:
        p: probabilities, shape ``(N,)``; clipped to ``[CLIP, 1 - CLIP]``.
        y: outcomes 0 or 1, shape ``(N,)``.
        patients: patient of each case, length ``N``.

    Returns:
        The slope, or the reason why there is none.
    """
    x = special.logit(np.clip(p, CLIP, 1 - CLIP))
    clipped = int(((p < CLIP) | (p > 1 - CLIP)).sum())
    if problem := _overlap_problem(x, y):
        return _no_slope(problem)
    names, codes = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    design = np.column_stack([np.ones_like(x), x])
    beta = _newton(design, y)
    if beta is None:
        return _no_slope("the logistic regression did not converge")
    fitted = special.expit(design @ beta)
    bread = np.linalg.inv(design.T @ (design * (fitted * (1 - fitted))[:, None]))
    scores = np.zeros((len(names), 2))
    np.add.at(scores, codes, design * (y - fitted)[:, None])
    count = len(names)
    factor = math.sqrt(count / (count - 1)) if count > 1 else math.nan
    parts = (scores @ bread)[:, 1] * factor
    if not np.isfinite(parts).all() or not (parts != 0).any():
        return _no_slope("the slope has no error to be read from these patients")
    rarer = min(len(np.unique(codes[y == outcome])) for outcome in (0, 1))
    return Slope(value=float(beta[1]), patients=tuple(names.tolist()), parts=parts, rarer=rarer, clipped=clipped)


def _newton(design: Floats, y: Floats) -> Floats | None:
    """Maximum likelihood by Newton's method with halved steps; ``None`` if it does not converge."""
    beta = np.zeros(design.shape[1])
    best = _log_likelihood(design, y, beta)
    for _ in range(100):
        fitted = special.expit(design @ beta)
        information = design.T @ (design * (fitted * (1 - fitted))[:, None])
        try:
            step = np.linalg.solve(information, design.T @ (y - fitted))
        except np.linalg.LinAlgError:
            return None
        while (value := _log_likelihood(design, y, beta + step)) < best - 1e-12 * abs(best):
            step = step / 2
            if np.abs(step).max() < 1e-14:
                return None
        beta, best = beta + step, value
        if np.abs(step).max() < 1e-11 * max(1.0, float(np.abs(beta).max())):
            return beta
    return None


def _log_likelihood(design: Floats, y: Floats, beta: Floats) -> float:
    line = design @ beta
    return float((y * line - np.logaddexp(0.0, line)).sum())


def slope_interval(slope: Slope, *, level: float) -> Result:
    """The slope with its Wald interval over patients (Student t).

    Args:
        slope: from `calibration_slope`.
        level: nominal coverage.

    Returns:
        The slope and interval, or the reason.
    """
    if slope.value is None:
        return Result(value=None, reason=slope.reason)
    half = float(stats.t.ppf((1 + level) / 2, slope.df)) * slope.error
    method = f"logistic regression on the logit, clustered sandwich over patients, Student t with {slope.df} df"
    if slope.clipped:
        method += f"; {slope.clipped} probabilities clipped to [{CLIP:g}, 1 - {CLIP:g}]"
    return Result(value=slope.value, low=slope.value - half, high=slope.value + half, method=method)
