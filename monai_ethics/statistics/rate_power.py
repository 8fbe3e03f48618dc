# SPDX-License-Identifier: Apache-2.0
"""How many cases a gap of two rates needs, and what gap so many cases can show: from a rate stated beforehand.

Two conventions are in use, and both are approximations. `rate_sample_size` compares two named rates by Cohen's arcsine
difference (.90 against .80 needs 195 cases a group, 331 at a level divided by 10). `detectable_rate_gap` has one rate
only, the one both groups would share without a gap, and takes its variance for both (.28 at 25 cases a group and .41 at
12, for a base rate of .85 or .15).

References:
    [1] Cohen 1988, Statistical Power Analysis, section 6.2: the arcsine difference h of two rates.
    [2] Fleiss, Levin & Paik 2003, Statistical Methods for Rates and Proportions, chapter 4.
    [3] Donner & Klar 2000, Cluster Randomization Trials, chapter 5: sizes are divided by the design effect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import optimize, stats

__all__ = ["detectable_rate_gap", "rate_sample_size"]


def rate_sample_size(
    first: float, second: float, *, alpha: float = 0.05, power: float = 0.8, design_effect: float = 1.0
) -> int:
    """Cases needed in each of two groups to show that two rates differ [1, 3].

    Args:
        first: rate of one group, 0 to 1.
        second: rate of the other, not the same.
        alpha: two-sided level of the test, already adjusted for the number of tests.
        power: probability of showing it.
        design_effect: variance of the rate over repeated patients, by that of as many independent cases; 1 or above.

    Returns:
        Cases a group, rounded up.
    """
    h = 2 * math.asin(math.sqrt(first)) - 2 * math.asin(math.sqrt(second))
    z = float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power))
    return math.ceil(2 * design_effect * (z / h) ** 2)


def detectable_rate_gap(
    sizes: Sequence[float], base_rate: float, *, alpha: float = 0.05, power: float = 0.8, design_effect: float = 1.0
) -> float | None:
    """Smallest difference of rates between the two smallest groups that is found with the stated power [2, 3].

    The other groups are taken to lie between the two, at their weighted mean, which is the hardest case.

    Args:
        sizes: cases in each of at least 2 groups.
        base_rate: rate all groups would share without a gap, stated beforehand, between 0 and 1.
        alpha: level of the test, already adjusted for the number of tests.
        power: probability of finding it.
        design_effect: as in `rate_sample_size`.

    Returns:
        The gap; ``None`` if no gap from 0 to 1 would be found so often.
    """
    smallest = sorted(sizes)[:2]
    variance = base_rate * (1 - base_rate) * design_effect * (1 / smallest[0] + 1 / smallest[1])
    gap = math.sqrt(_noncentrality(len(sizes) - 1, alpha, power) * variance)
    return gap if gap < 1 else None


def _noncentrality(degrees: int, alpha: float, power: float) -> float:
    """Non-centrality at which a chi-square test has this power."""
    critical = float(stats.chi2.isf(alpha, degrees))

    def missing(value: float) -> float:
        return float(stats.ncx2.sf(critical, degrees, value)) - power

    top = 16.0
    while missing(top) < 0:
        top *= 2
    return float(optimize.brentq(missing, 1e-9, top))
