# SPDX-License-Identifier: Apache-2.0
"""Signed differences between two groups, each with an interval and a p-value of its own.

References:
    [1] Welch 1947, for means.
    [2] Newcombe 1998, Stat. Med. 17, method 10, for rates; Donner & Zou 2012, Stat. Methods Med. Res. 21: MOVER, the
        same from any two intervals.
    [3] Brunner & Munzel 2000, Biom. J. 42, for ranks: valid when spreads differ, with ties and with failures.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special, stats

from monai_ethics.statistics.intervals import Floats, Result, wilson

__all__ = ["Ends", "Pair", "mean_difference", "mover", "newcombe", "relative_effect"]

Pair = tuple[Result, float | None]  # the difference, and its unadjusted two-sided p-value
Ends = tuple[float, float]


def _is_binary(*groups: Floats) -> bool:
    return all(np.isin(values, (0.0, 1.0)).all() for values in groups)


def _separated(n: int, m: int) -> float:
    """Share of all divisions into groups of these sizes that lie as far apart as two groups that do not overlap."""
    return min(2 / math.comb(n + m, n), 1.0)


def _spread(values: Floats) -> float:
    """Variance, exactly 0 where all scores are equal: rounding is no spread."""
    return 0.0 if (values == values[0]).all() else float(np.var(values, ddof=1))


def mover(values: tuple[float, float], first: Ends, second: Ends) -> Ends:
    """Interval of a difference from those of two independent numbers [2].

    Args:
        values: both numbers.
        first: interval of the first.
        second: interval of the second, of the same level.

    Returns:
        Both ends of first minus second.
    """
    p, q = values
    down, up = math.hypot(p - first[0], second[1] - q), math.hypot(first[1] - p, q - second[0])
    return p - q - down, p - q + up


def newcombe(hits: tuple[float, float], sizes: tuple[float, float], *, level: float = 0.95) -> Ends:
    """Newcombe's interval of a difference of two rates [2].

    Args:
        hits: hits of both groups.
        sizes: sizes of both groups, above 0.
        level: nominal coverage.

    Returns:
        Both ends of first minus second.
    """
    (a, b), (n, m) = hits, sizes
    return mover((a / n, b / m), wilson(a, n, level=level), wilson(b, m, level=level))


def mean_difference(first: Floats, second: Floats, *, level: float = 0.95) -> Pair:
    """Mean of the first minus mean of the second: Welch [1], or Newcombe [2] for zeros and ones.

    Args:
        first: one finite score per patient, shape ``(N,)``, ``N >= 2``.
        second: one finite score per patient, shape ``(M,)``, ``M >= 2``.
        level: nominal coverage.

    Returns:
        The difference with its interval, and its p-value: where neither group has any spread, that of all
        divisions into such groups.
    """
    n, m = len(first), len(second)
    difference = math.fsum(first) / n - math.fsum(second) / m
    parts = _spread(first) / n, _spread(second) / m
    total = sum(parts)
    p = 1.0 if difference == 0 else _separated(n, m)
    if total > 0:
        df = total**2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (m - 1))
        p = float(2 * special.stdtr(df, -abs(difference) / math.sqrt(total)))  # as stats.t, without its checks
    if _is_binary(first, second):
        low, high = newcombe((int(first.sum()), int(second.sum())), (n, m), level=level)
        return Result(value=difference, low=low, high=high, method="Newcombe interval of two rates"), p
    if total == 0:
        return Result(value=difference, method="difference of means", reason="no spread within either group"), p
    half = float(special.stdtrit(df, (1 + level) / 2)) * math.sqrt(total)
    return Result(value=difference, low=difference - half, high=difference + half, method="Welch interval"), p


def relative_effect(first: Floats, second: Floats, *, level: float = 0.95) -> Pair:
    """Probability that a patient of the first group scores higher than one of the second, ties counted half [3].

    Args:
        first: one score per patient, shape ``(N,)``, ``N >= 2``; infinities are allowed.
        second: one score per patient, shape ``(M,)``, ``M >= 2``.
        level: nominal coverage.

    Returns:
        The probability (0.5 = neither higher) with Brunner and Munzel's interval on the logit scale, and its p-value:
        where groups do not overlap that of all divisions into such groups, and 1 where all scores are equal.
    """
    n, m = len(first), len(second)
    pooled = stats.rankdata(np.concatenate([first, second]))
    above = (pooled[:n] - stats.rankdata(first)) / m  # share of the second group below each of the first
    below = (pooled[n:] - stats.rankdata(second)) / n
    effect = float(above.mean())
    parts = float(np.var(above, ddof=1)) / n, float(np.var(below, ddof=1)) / m
    total = sum(parts)
    if total == 0 or not 0 < effect < 1:
        reason = "the groups do not overlap or have no spread: the method has no interval"
        p = _separated(n, m) if effect in (0, 1) else 1.0
        return Result(value=effect, method="relative effect", reason=reason), p
    df = total**2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (m - 1))
    error = math.sqrt(total)
    half = float(stats.t.ppf((1 + level) / 2, df)) * error / (effect * (1 - effect))
    ends = special.expit([special.logit(effect) - half, special.logit(effect) + half])
    p = float(2 * stats.t.sf(abs(effect - 0.5) / error, df))
    return Result(value=effect, low=float(ends[0]), high=float(ends[1]), method="Brunner-Munzel interval (logit)"), p
