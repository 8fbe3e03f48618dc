# SPDX-License-Identifier: Apache-2.0
"""Intervals that hold their level at the sizes of medical test sets, or the reason why there is none.

References:
    [1] Wilson 1927; Brown, Cai, DasGupta 2001, Stat. Sci. 16(2), for rates.
    [2] Rao & Scott 1992, Biometrics 48, for rates over repeated patients: the effective number of cases.
    [3] Order statistics for the median: Conover, Practical Nonparametric Statistics, section 3.2.
    [4] Waudby-Smith & Ramdas 2024, JRSS-B 86(1), section 4, for means of scores known to be bounded: betting with a
        fixed mixture of bets, guaranteed at every n and every distribution by Markov's inequality.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

__all__ = [
    "T_FROM",
    "Result",
    "bounded_mean",
    "clopper_pearson",
    "clustered_rate",
    "effective_cases",
    "mean_over_patients",
    "median_over_patients",
    "patient_rate",
    "wilson",
]

T_FROM = 30  # simulated: below it Student's t covers .59-.91 when a tenth of the scores are failures
_BETS = np.sin(np.pi * (np.arange(40) + 0.5) / 80) ** 2  # arcsine mixture of bets in (0, 1)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A number and its interval; without either, the reason.

    Args:
        value: the number, or ``None``.
        low: lower end, or ``None``.
        high: upper end, or ``None``.
        method: how value and interval were computed.
        reason: why there is no value or no interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    method: str | None = None
    reason: str | None = None

    def stated(self, level: float) -> dict[str, Any]:
        """The fields of an `Estimate` that it fills; `level` is that of the interval, if there is one."""
        return {**asdict(self), "level": None if self.low is None else level}


def wilson(hits: float, n: float, *, level: float = 0.95, quantile: float | None = None) -> tuple[float, float]:
    """Wilson score interval of a proportion [1].

    Args:
        hits: number of hits; a fraction of an effective number is allowed.
        n: number of trials, above 0.
        level: nominal coverage.
        quantile: quantile to use in place of the normal one.

    Returns:
        Both ends, within 0 and 1.
    """
    z = float(special.ndtri((1 + level) / 2)) if quantile is None else quantile
    share, shrink = hits / n, 1 + z * z / n
    center = (share + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(max(share * (1 - share) / n + z * z / (4 * n * n), 0.0))
    low = 0.0 if hits == 0 else max(center - half, 0.0)
    return low, 1.0 if hits == n else min(center + half, 1.0)


def clopper_pearson(hits: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a proportion, never too short (Clopper and Pearson 1934, Biometrika 26).

    Args:
        hits: number of hits.
        n: number of trials, above 0.
        level: least coverage.

    Returns:
        Both ends, within 0 and 1.
    """
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(stats.beta.ppf(tail, hits, n - hits + 1))
    return low, 1.0 if hits == n else float(stats.beta.isf(tail, hits + 1, n - hits))


def clustered_rate(hits: Sequence[bool], patients: Sequence[str], *, level: float = 0.95) -> Result:
    """Rate over cases with its interval, allowing for patients with several cases [1, 2].

    Args:
        hits: whether each case counts, length ``N``.
        patients: patient of each case, length ``N``.
        level: nominal coverage.

    Returns:
        The case-weighted rate; Wilson's interval, at the effective number of cases where patients repeat.
    """
    n = len(hits)
    if not n:
        return Result(value=None, reason="no case can be counted")
    _, codes = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    totals = np.bincount(codes, weights=np.asarray(hits, dtype=np.float64)).astype(np.float64)
    return patient_rate(totals, np.bincount(codes).astype(np.float64), level=level)


def effective_cases(tops: Floats, bottoms: Floats) -> float | None:
    """Number of independent cases that are worth as much as these [2].

    Args:
        tops: hits of each patient, shape ``(patients,)``.
        bottoms: cases of each patient, above 0, shape ``(patients,)``.

    Returns:
        Never more than the cases; their number where each patient has one, the number of patients where the hits
        have no spread, ``None`` for a single patient with several cases.
    """
    n, count = float(bottoms.sum()), len(bottoms)
    if count == n:
        return n
    if count < 2:
        return None
    rate = float(tops.sum()) / n
    spread = count / (count - 1) * math.fsum(((tops - rate * bottoms) / n) ** 2)
    return float(count) if spread == 0 else min(rate * (1 - rate) / spread, n)


def patient_rate(tops: Floats, bottoms: Floats, *, level: float = 0.95) -> Result:
    """Case-weighted rate from counts per patient, with its interval [1, 2].

    Args:
        tops: hits of each patient, shape ``(patients,)``, 1 patient or more.
        bottoms: cases of each patient, above 0, shape ``(patients,)``.
        level: nominal coverage.

    Returns:
        The rate; Wilson's interval, at the effective number of cases where patients repeat.
    """
    n, hits, count = float(bottoms.sum()), float(tops.sum()), len(bottoms)
    rate, effective = hits / n, effective_cases(tops, bottoms)
    if count == n:
        low, high = wilson(hits, n, level=level)
        return Result(value=rate, low=low, high=high, method="Wilson score interval")
    if effective is None:
        return Result(value=rate, reason="all cases belong to one patient")
    quantile = float(special.stdtrit(count - 1, (1 + level) / 2))
    low, high = wilson(rate * effective, effective, quantile=quantile)
    method = f"Wilson score interval at the Rao-Scott effective number of cases with Student t of {count - 1} df"
    return Result(value=rate, low=min(low, rate), high=max(high, rate), method=method)


def median_over_patients(values: Floats, *, level: float = 0.95) -> Result:
    """Median with the exact interval between two order statistics [3].

    Args:
        values: one score per patient, shape ``(N,)``; infinities are misses and count at their side.
        level: least coverage.

    Returns:
        The median; no interval below 6 patients at 95 %, or where an end is a miss without a finite value.
    """
    ordered = np.sort(values)
    n = len(ordered)
    if not n:
        return Result(value=None, reason="no patient has a score")
    middle = float(np.median(ordered))
    if not math.isfinite(middle):
        return Result(
            value=None, reason="at least half of the patients have a missed case: the median has no finite value"
        )
    rank = int(stats.binom.ppf((1 - level) / 2, n, 0.5))
    rank -= int(rank > 0 and stats.binom.cdf(rank - 1, n, 0.5) > (1 - level) / 2)
    if rank < 1:
        return Result(
            value=middle, method="median", reason=f"{n} patients are too few for an exact {level:.0%} interval"
        )
    low, high = float(ordered[rank - 1]), float(ordered[n - rank])
    if not (math.isfinite(low) and math.isfinite(high)):
        return Result(value=middle, method="median", reason="the worse end of its interval is a miss without a value")
    return Result(
        value=middle, low=low, high=high, method=f"exact order-statistic interval (ranks {rank}, {n - rank + 1})"
    )


def bounded_mean(values: Floats, *, bounds: tuple[float, float], level: float = 0.95) -> tuple[float, float]:
    """Interval of a mean of bounded scores, guaranteed at every n [4].

    For each candidate mean a fixed mixture of bets is placed against it; a candidate is excluded when the mixture's
    capital reaches ``2 / (1 - level)``, which happens with probability at most ``(1 - level) / 2`` if it is true.

    Args:
        values: shape ``(N,)``, within `bounds`.
        bounds: lowest and highest possible score.
        level: least coverage.

    Returns:
        Both ends.
    """
    low, high = bounds
    scaled = (values - low) / (high - low)
    goal = math.log(2 / (1 - level))
    below, above = _lower(np.sort(scaled), goal), 1 - _lower(np.sort(1 - scaled), goal)
    return low + below * (high - low), low + above * (high - low)


def _lower(scaled: Floats, goal: float) -> float:
    average = math.fsum(scaled) / max(len(scaled), 1)
    if average <= 1e-9:
        return 0.0
    distinct, counts = np.unique(scaled, return_counts=True)

    def excess(candidate: float) -> float:
        capital = counts @ np.log1p(_BETS * (distinct[:, None] / candidate - 1))
        return float(special.logsumexp(capital) - math.log(len(_BETS)) - goal)

    start = average * 1e-9
    if excess(start) <= 0:
        return 0.0
    return float(optimize.brentq(excess, start, average, xtol=1e-10))


def mean_over_patients(
    values: Floats, *, bounds: tuple[float, float] | None, failures: bool, level: float = 0.95
) -> Result:
    """Mean over patients with an interval that is right at this n, or the reason why there is none.

    Args:
        values: one score per patient, shape ``(N,)``; infinities are misses without a value.
        bounds: lowest and highest possible score, ``None`` = not bounded.
        failures: whether any of them is a miss or lies at the worst possible score.
        level: nominal coverage.

    Returns:
        Student's t from 30 patients that differ, without a failure; else the guaranteed interval of bounded scores.
    """
    n = len(values)
    if not n:
        return Result(value=None, reason="no patient has a score")
    if not np.isfinite(values).all():
        return Result(value=None, reason="a patient was missed and the score has no worst value: see the median")
    average = math.fsum(values) / n
    constant = bool((values == values[0]).all())  # Student's t would be sure of it
    unsafe = failures or n < T_FROM or constant
    if bounds is None and unsafe:
        why = f"fewer than {T_FROM} patients" if n < T_FROM else "all scores are equal"
        why = "some patients were missed" if failures else why
        return Result(
            value=average, method="mean", reason=f"{why} and the score is not known to be bounded: no interval is sure"
        )
    if bounds is not None and unsafe:
        low, high = bounded_mean(values, bounds=bounds, level=level)
        return Result(
            value=average, low=min(low, average), high=max(high, average), method="guaranteed interval by betting"
        )
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    low, high = bounds or (-math.inf, math.inf)
    ends = max(average - half, min(low, average)), min(average + half, max(high, average))
    return Result(value=average, low=ends[0], high=ends[1], method="Student t interval")
