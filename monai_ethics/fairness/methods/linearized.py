# SPDX-License-Identifier: Apache-2.0
"""Change of a rate or an area between two measurements of the same patients, from what each patient adds to it.

A rate counts cases, so that the change of one patient is no change of a mean; its linearization is. Few patients change
a decision, and where none did the spread is zero: so a rate gets one patient more that changed in each direction. An
area near one is skewed: so its change is put together from the two areas' own intervals and their correlation.

References:
    [1] Cochran 1977, Sampling Techniques, section 6.3: the linearized variance of a ratio.
    [2] Bonett & Price 2012, J. Educ. Behav. Stat. 37(4): the adjusted interval of a difference of paired proportions.
    [3] DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44; Obuchowski 1997, Biometrics 53: areas on the same patients.
    [4] Zou & Donner 2008, Stat. Med. 27(10): MOVER, with the correlation of both estimates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy import special, stats

from monai_ethics.fairness.data.before_after import PairedGroup
from monai_ethics.fairness.methods.paired import layout
from monai_ethics.statistics.auc import area_difference, newcombe_area
from monai_ethics.statistics.intervals import Floats, Result

__all__ = ["area_changes", "rate_changes"]

Changes = tuple[list[Result], dict[tuple[int, int], Result]]
_ADDED = 2  # patients added to a rate, one in each direction
_ALIKE = "nothing changed for any patient: no spread to estimate an interval from"


def rate_changes(groups: Sequence[PairedGroup], *, level: float = 0.95) -> Changes:
    """Change of each group's rate and of each pair's difference, with Student t intervals over patients [1, 2].

    Args:
        groups: the groups, each of at least 2 patients, with `parts` and the `step` by which one patient more in each
            direction is added to the error and draws the center of the interval to zero.
        level: nominal coverage.

    Returns:
        One result per group, and one per pair of positions: first minus second. Patients in both groups of a pair add
        to its error once, with what they add to either.
    """
    member, change, _ = layout(groups)
    sizes, values = member.sum(axis=0), change.sum(axis=0) / member.sum(axis=0)
    totals = sizes + _ADDED
    parts = (change - values * member) / totals
    steps = np.array([group.step for group in groups])
    added = (2 * steps**2 + sizes * _ADDED / totals * values**2) / totals**2

    def result(*signs: tuple[int, int]) -> Result:
        used = [i for i, _ in signs]
        sign = np.array([sign for _, sign in signs], dtype=np.float64)
        variance = float(np.square(parts[:, used] @ sign).sum() + added[used].sum())
        df = _degrees(np.square(parts[:, used]).sum(axis=0) + added[used], sizes[used], member[:, used])
        half = float(stats.t.ppf((1 + level) / 2, df)) * math.sqrt(variance)
        value, center = (float(sign @ at[used]) for at in (values, values * sizes / totals))
        low, high = max(min(center - half, value), -len(used)), min(max(center + half, value), len(used))
        method = f"linearized t interval over patients, paired, one more in each direction ({df:.3g} df)"
        return Result(value=value, low=low, high=high, method=method)

    pairs = {(i, j): result((i, 1), (j, -1)) for i, j in combinations(range(len(groups)), 2)}
    return [result((i, 1)) for i in range(len(groups))], pairs


def _degrees(own: Floats, sizes: Floats, member: Floats) -> float:
    """Welch's degrees of freedom; those of the smaller group where patients are in both."""
    if (member.sum(axis=1) > 1).any():
        return float(sizes.min()) - 1
    return float(own.sum() ** 2 / (own**2 / (sizes - 1)).sum())


def area_changes(groups: Sequence[PairedGroup], *, level: float = 0.95) -> Changes:
    """Change of each group's area and of each pair's difference, by MOVER over patients [3, 4].

    Args:
        groups: the groups, with `before` and `after` at the sample variance of the area, and `fewest`, 2 or more.
        level: nominal coverage.

    Returns:
        One result per group, and one per pair of positions: first minus second; no interval where nothing changed for
        any patient of a group.
    """
    member, change, _ = layout(groups)
    parts = change - member * (change.sum(axis=0) / member.sum(axis=0))
    parts = parts / member.sum(axis=0)
    alone = [_area_change(group, level) for group in groups]
    pairs = {}
    for i, j in combinations(range(len(groups)), 2):
        shared = _correlation(parts[:, i], parts[:, j])
        found, _ = area_difference(alone[i], alone[j], correlation=shared, level=level)
        pairs[i, j] = _named(found, "MOVER of the two groups' changes")
    return alone, pairs


def _area_change(group: PairedGroup, level: float) -> Result:
    before, after = (_area(side, group.fewest or 2, level) for side in (group.before, group.after))
    if float(np.ptp(group.after - group.before)) <= 1e-12:
        return Result(value=math.fsum(group.after - group.before) / len(group.patients), reason=_ALIKE)
    sides = [side - side.mean() for side in (group.after, group.before)]
    found, _ = area_difference(after, before, correlation=_correlation(*sides), level=level)
    return _named(found, "MOVER of the two areas' logit intervals with their correlation, over patients, paired")


def _area(side: Floats, fewest: int, level: float) -> Result:
    """The area with its interval on the logit scale; Newcombe's at `fewest` patients of either class at its ends."""
    n = len(side)
    area = min(max(math.fsum(side) / n, 0.0), 1.0)
    error = math.sqrt(math.fsum((side - area) ** 2)) / n
    if error <= 1e-9 or not 0 < area < 1:
        low, high = newcombe_area(round(area, 9), fewest, fewest, level)
        return Result(value=area, low=low, high=high)
    half = float(stats.t.ppf((1 + level) / 2, max(n - 2, 1))) * error / (area * (1 - area))
    low, high = (float(special.expit(special.logit(area) + move)) for move in (-half, half))
    return Result(value=area, low=low, high=high)


def _correlation(first: Floats, second: Floats) -> float:
    spread = math.sqrt(float(first @ first) * float(second @ second))
    return min(max(float(first @ second) / spread, -1.0), 1.0) if spread > 0 else 0.0


def _named(found: Result, method: str) -> Result:
    if found.low is None:
        return Result(value=found.value, reason=found.reason or _ALIKE)
    return Result(value=found.value, low=found.low, high=found.high, method=method)
