# SPDX-License-Identifier: Apache-2.0
"""Cramer's V of two nominal columns, and rates, with intervals that allow for items of one unit.

References:
    [1] H. Cramer, Mathematical Methods of Statistics (1946), section 21.9.
    [2] M. Smithson, Confidence Intervals (2003), section 4.4: the noncentral chi-squared distribution turned round.
    [3] J. N. K. Rao and A. J. Scott, J. Am. Stat. Assoc. 76 (1981): design effects of clustered counts.
    [4] E. B. Wilson, J. Am. Stat. Assoc. 22 (1927).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

__all__ = ["Association", "cramers_v", "unit_rate"]


class Association(NamedTuple):
    """Cramer's V with its interval, and what it would be by chance.

    Args:
        value: V, 0 (none) to 1 (one column tells the other).
        low: lower end.
        high: upper end.
        chance: about what V of so many items is without any association.
        effective: number of independent items that these are worth.
    """

    value: float
    low: float
    high: float
    chance: float
    effective: float


def cramers_v(
    first: Sequence[str], second: Sequence[str], units: Sequence[str], *, level: float = 0.95
) -> Association | None:
    """Association of two columns of labels [1].

    The interval holds two: one from the noncentral chi-squared distribution at the effective number of items [2, 3],
    right near 0, and one from what each unit adds to V, right away from 0. It reaches from the lower of their low
    ends to the higher of their high ones.

    Args:
        first: labels, shape ``(N,)``.
        second: labels, shape ``(N,)``.
        units: what each item belongs to, such as its patient, shape ``(N,)``.
        level: nominal coverage.

    Returns:
        ``None`` where one of the columns has a single label, or all items are of one unit.
    """
    (rows, a), (columns, b) = (np.unique(np.asarray(x, dtype=str), return_inverse=True) for x in (first, second))
    owners = np.unique(np.asarray(units, dtype=str), return_inverse=True)[1]
    n, clusters = len(owners), int(owners.max(initial=-1)) + 1
    if min(len(rows), len(columns)) < 2 or clusters < 2:
        return None
    joint = np.zeros((len(rows), len(columns)))
    np.add.at(joint, (a, b), 1 / n)
    p, q = joint.sum(1), joint.sum(0)
    scale, df = min(len(rows), len(columns)) - 1, (len(rows) - 1) * (len(columns) - 1)
    square = max(float((joint**2 / np.outer(p, q)).sum()) - 1, 0.0)
    value = math.sqrt(min(square / scale, 1.0))
    effective = n / _design_effect(a, b, owners, (p, q))
    ends = [math.sqrt(x / effective / scale) for x in _noncentral(effective * square, df, level)]
    if value > 0:
        half = float(stats.norm.ppf((1 + level) / 2)) * _linearized(joint, a, b, owners) / (2 * value * scale)
        ends = [min(ends[0], value - half), max(ends[1], value + half)]
    chance = math.sqrt(min(df / effective / scale, 1.0))
    return Association(value, min(max(ends[0], 0.0), value), min(max(ends[1], value), 1.0), chance, effective)


def unit_rate(hits: Sequence[bool], units: Sequence[str], *, level: float = 0.95) -> tuple[float, float, float] | None:
    """Share of hits among items with Wilson's interval [4] at the effective number of items [3].

    Args:
        hits: whether each item counts, shape ``(N,)``.
        units: what each belongs to, shape ``(N,)``.
        level: nominal coverage.

    Returns:
        The share, and both ends; ``None`` without an item.
    """
    n = len(hits)
    if not n:
        return None
    owners = np.unique(np.asarray(units, dtype=str), return_inverse=True)[1]
    sizes = np.bincount(owners).astype(np.float64)
    tops = np.bincount(owners, weights=np.asarray(hits, dtype=np.float64))
    share, clusters = float(tops.sum()) / n, len(sizes)
    worth = float(n)
    if clusters < n:
        spread = clusters / max(clusters - 1, 1) * float((((tops - share * sizes) / n) ** 2).sum())
        worth = float(clusters) if spread == 0 else min(share * (1 - share) / spread, n)
    z = float(stats.norm.ppf((1 + level) / 2))
    center = (share + z * z / (2 * worth)) / (1 + z * z / worth)
    half = z / (1 + z * z / worth) * math.sqrt(share * (1 - share) / worth + z * z / (4 * worth * worth))
    return share, max(center - half, 0.0) if share else 0.0, min(center + half, 1.0) if share < 1 else 1.0


def _design_effect(a: np.ndarray, b: np.ndarray, owners: np.ndarray, margins: tuple[np.ndarray, np.ndarray]) -> float:
    """How much more the counts vary because of units than independent items' would, were there no association."""
    n = len(owners)
    if int(owners.max()) + 1 == n:
        return 1.0
    p, q = margins
    left = (np.eye(len(p))[a] - p) / np.sqrt(p)
    right = (np.eye(len(q))[b] - q) / np.sqrt(q)
    products = (left[:, :, None] * right[:, None, :]).reshape(n, -1)
    products -= products.mean(0)
    sums = np.zeros((int(owners.max()) + 1, products.shape[1]))
    np.add.at(sums, owners, products)
    alone = float((products**2).sum())
    return max(float((sums**2).sum()) / alone, 1.0) if alone > 0 else n / len(sums)


def _linearized(joint: np.ndarray, a: np.ndarray, b: np.ndarray, owners: np.ndarray) -> float:
    """Standard error of the mean-square contingency from what each unit adds to it."""
    p, q = joint.sum(1), joint.sum(0)
    per_row, per_column = (joint**2 / q).sum(1) / p**2, (joint**2 / p[:, None]).sum(0) / q**2
    adds = 2 * joint[a, b] / (p[a] * q[b]) - per_row[a] - per_column[b]
    sums = np.bincount(owners, weights=adds - adds.mean())
    clusters = len(sums)
    return math.sqrt(clusters / (clusters - 1) * float((sums**2).sum())) / len(a)


def _noncentral(statistic: float, df: int, level: float) -> tuple[float, float]:
    """Noncentralities under which the statistic would be in the upper, or the lower, tail."""
    tail = (1 - level) / 2

    def at(share: float) -> float:
        if stats.chi2.cdf(statistic, df) <= share:
            return 0.0
        top = statistic + 10 * math.sqrt(statistic + df) + 50
        return float(optimize.brentq(lambda x: stats.ncx2.cdf(statistic, df, x) - share, 1e-12, top))

    return at(1 - tail), at(tail)
