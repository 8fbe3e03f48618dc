# SPDX-License-Identifier: Apache-2.0
"""The smallest gap that this many patients can show: what 'not shown' leaves open.

Computed from group sizes and a stated spread, never from the observed effect.

References:
    [1] Cohen 1988, chapter 8: the non-central F distribution of a comparison of means.
    [2] Noether 1987, JASA 82: the rank test's power by the relative effect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import optimize, stats

__all__ = ["minimum_detectable_gap", "minimum_detectable_relative_effect"]


def _noncentrality(groups: int, total: int, alpha: float, power: float) -> float:
    critical = float(stats.f.isf(alpha, groups - 1, total - groups))

    def missing(value: float) -> float:
        return float(stats.ncf.sf(critical, groups - 1, total - groups, value)) - power

    top = 16.0
    while missing(top) < 0:
        top *= 2
    return float(optimize.brentq(missing, 1e-9, top))


def minimum_detectable_gap(sizes: Sequence[int], deviation: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest difference of means between the two smallest groups that is found with the stated power [1].

    The other groups are taken to lie between the two, at their weighted mean, which is the hardest case.

    Args:
        sizes: patients in each of at least 2 groups.
        deviation: standard deviation within groups, in the score's unit.
        alpha: level of the test, already adjusted for the number of tests.
        power: probability of finding it.

    Returns:
        The gap, in the score's unit.
    """
    smallest = sorted(sizes)[:2]
    need = _noncentrality(len(sizes), sum(sizes), alpha, power)
    return deviation * math.sqrt(need * (1 / smallest[0] + 1 / smallest[1]))


def minimum_detectable_relative_effect(sizes: Sequence[int], *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest probability, above one half, of the better group's patient scoring higher that is found [2].

    Args:
        sizes: patients in each of at least 2 groups.
        alpha: level of the test, already adjusted for the number of tests.
        power: probability of finding it.

    Returns:
        The relative effect of the two smallest groups, at most 1.
    """
    return min(0.5 + minimum_detectable_gap(sizes, math.sqrt(1 / 12), alpha=alpha, power=power), 1.0)
