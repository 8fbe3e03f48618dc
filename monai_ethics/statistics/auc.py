# SPDX-License-Identifier: Apache-2.0
"""Area under the ROC curve, within groups and across them, with intervals that allow for patients with several cases.

References:
    [1] DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44; Obuchowski 1997, Biometrics 53, for clusters.
    [2] Newcombe 2006, Stat. Med. 25(4), method 5, where DeLong's variance is zero.
    [3] Borkan et al. 2019, arXiv 1903.04561, section 3: BPSN and BNSP; Kallus & Zhou 2019, arXiv 1902.05826: xAUC.
    [4] Zou & Donner 2008, Stat. Med. 27(10): MOVER, with the correlation of both estimates.
    [5] Brunner & Munzel 2000, Biom. J. 42: degrees of freedom of an area, by Satterthwaite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from monai_ethics.statistics.differences import Pair
from monai_ethics.statistics.intervals import Floats, Result
from monai_ethics.statistics.placements import Ints, blocks_of, patient_variances, runs_of

__all__ = [
    "GroupAreas",
    "area_between",
    "area_difference",
    "area_under_curve",
    "areas_by_group",
    "cross_areas",
    "newcombe_area",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAreas:
    """Areas of many groups at once.

    Args:
        values: area of each group; NaN where a class is absent, shape ``(G,)``.
        variances: Obuchowski's variance (DeLong's where patients do not repeat); NaN with fewer than 2 patients of a
            class, shape ``(G,)``.
        positives: positive cases of each group, shape ``(G,)``.
        negatives: negative cases of each group, shape ``(G,)``.
        influence: what each case contributes to the error of its group's area, shape ``(N,)``.
    """

    values: Floats
    variances: Floats
    positives: Ints
    negatives: Ints
    influence: Floats


def areas_by_group(
    codes: Ints, y_true: NDArray[np.bool_], y_score: Floats, patients: Ints, n_groups: int
) -> GroupAreas:
    """Area and its variance in every group, from one sort of all cases [1].

    Args:
        codes: group of each case, 0 to ``n_groups - 1``, shape ``(N,)``.
        y_true: whether each case is positive, shape ``(N,)``.
        y_score: its score, shape ``(N,)``.
        patients: number of its patient, from 0, shape ``(N,)``.
        n_groups: number of groups.

    Returns:
        The areas; ranks are counted in whole numbers, so that the order of cases does not change a bit.
    """
    by_score = np.argsort(y_score, kind="stable")
    found = blocks_of(codes[by_score][None], y_true[by_score], runs_of(y_score[by_score]), n_groups)
    parts, rows = found.influence(), by_score[found.order]
    members, labels = patients[rows], found.block
    if len(members) and np.bincount(members).max() > 1:  # a patient may be in several groups
        keys, members = np.unique(found.block * (int(patients.max()) + 1) + members, return_inverse=True)
        labels = keys // (int(patients.max()) + 1)
    else:
        members = np.arange(len(rows))
    variances = patient_variances(found, parts, members, labels)
    influence = np.empty(len(rows))
    influence[rows] = parts
    return GroupAreas(
        values=found.areas,
        variances=variances,
        positives=found.positives,
        negatives=found.negatives,
        influence=influence,
    )


def area_under_curve(
    y_true: Sequence[bool], y_score: Sequence[float], patients: Sequence[str], *, level: float = 0.95
) -> Result:
    """Probability that a positive case scores higher than a negative one, ties counted half.

    Args:
        y_true: whether each case is positive, length ``N``.
        y_score: its score, length ``N``.
        patients: its patient, length ``N``.
        level: nominal coverage.

    Returns:
        The area with DeLong's interval on the logit scale, clustered by patient [1], with Student t [5]; Newcombe's
        method 5 where all placements are equal, as for an area of 1 [2]; the reason where one class is absent.
    """
    truth = np.asarray(y_true, dtype=bool)
    scores = np.asarray(y_score, dtype=np.float64)
    _, codes = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    return area_between(scores, codes, truth, ~truth, level=level)


def area_between(
    scores: Floats,
    patients: Ints,
    positives: NDArray[np.bool_],
    negatives: NDArray[np.bool_],
    *,
    level: float = 0.95,
) -> Result:
    """Probability that a case of one set scores higher than one of another: any area, within or across groups [3].

    Args:
        scores: score of each case, shape ``(N,)``.
        patients: number of its patient, shape ``(N,)``.
        positives: whether it is in the set that should score higher, shape ``(N,)``.
        negatives: whether it is in the set that should score lower, shape ``(N,)``.
        level: nominal coverage.

    Returns:
        As `area_under_curve`.
    """
    m, n = int(positives.sum()), int(negatives.sum())
    if not m or not n:
        return Result(value=None, reason="an area needs positive and negative cases: one of them is absent")
    positive, negative = scores[positives], scores[negatives]
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    own = ranks[:m] - stats.rankdata(positive)  # how many of the others each positive case beats
    above, below = own / n, 1 - (ranks[m:] - stats.rankdata(negative)) / m
    area = float(own.sum()) / (m * n)
    codes = np.concatenate([patients[positives], patients[negatives]])
    spread = _variance(above - area, below - area, codes[:m], codes[m:])
    if spread is None:
        return Result(value=area, reason="fewer than 2 patients with positive or with negative cases")
    variance, degrees = spread
    people = len(np.unique(codes))
    if variance <= 0 or not 0 < area < 1:
        if people < len(codes):
            return Result(value=area, reason="no spread to estimate an interval from, and patients repeat")
        low, high = newcombe_area(area, m, n, level)
        return Result(value=area, low=low, high=high, method="Newcombe's method 5")
    method = "DeLong interval on the logit scale, by patient"
    if people < len(codes):  # simulated: .93 at 10 and 20 patients with the normal quantile
        degrees, method = min(degrees, max(people - 2, 1)), "Obuchowski's interval on the logit scale, by patient"
    method += f" (Student t, {degrees:,.1f} df)"
    quantile = float(stats.t.ppf((1 + level) / 2, degrees))
    half = quantile * math.sqrt(variance) / (area * (1 - area))
    low, high = special.expit([special.logit(area) - half, special.logit(area) + half])
    return Result(value=area, low=float(low), high=float(high), method=method)


def area_difference(first: Result, second: Result, *, correlation: float = 0.0, level: float = 0.95) -> Pair:
    """First area minus second [4].

    Args:
        first: an area with its interval.
        second: another, with an interval of the same level.
        correlation: of their errors; 0 if they share no patient.
        level: nominal coverage of both.

    Returns:
        The difference with MOVER's interval, and the p-value at which such an interval would end at zero; no interval
        where one of the areas has none.
    """
    if first.value is None or second.value is None:
        return Result(value=None, reason="one of the groups has no area"), None
    difference = first.value - second.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Result(value=difference, method="difference of areas", reason="an area has no interval"), None

    def reach(own: float, other: float) -> float:
        return math.sqrt(max(own**2 + other**2 - 2 * correlation * own * other, 0.0))

    down = reach(first.value - first.low, second.high - second.value)
    up = reach(first.high - first.value, second.value - second.low)
    method = "MOVER of the two areas' intervals" + (", with their covariance by patient" if correlation else "")
    margin = down if difference > 0 else up
    z = float(stats.norm.ppf((1 + level) / 2))
    p = 1.0 if difference == 0 else None if margin <= 0 else float(2 * stats.norm.sf(z * abs(difference) / margin))
    return Result(value=difference, low=difference - down, high=difference + up, method=method), p


def cross_areas(
    labels: Ints, truth: NDArray[np.bool_], runs: Ints | None, n_groups: int
) -> tuple[Floats, NDArray[np.float64]]:
    """Areas of each group's negative cases against the positive cases of all others (BPSN), in many draws at once [3].

    With scores and classes turned around these are the areas of each group's positive cases against the negative cases
    of all others (BNSP).

    Args:
        labels: group of each case, 0 to ``n_groups - 1``, others belong to no group but to every group's background,
            shape ``(draws, N)``, cases sorted upwards by score.
        truth: whether each case is positive, shape ``(N,)``.
        runs: as `runs_of` gives them.
        n_groups: number of groups ``G``.

    Returns:
        Areas, shape ``(draws, G)``, and what each case contributes to their error, shape ``(draws, N, G)``.
    """
    kinds = np.arange(n_groups)
    ties = np.arange(len(truth)) if runs is None else runs
    ups, downs = np.flatnonzero(truth), np.flatnonzero(~truth)
    of_ups, of_downs = (labels[:, rows, None] == kinds for rows in (ups, downs))
    m, n = of_ups.sum(axis=1), of_downs.sum(axis=1)
    rest = len(ups) - m  # positive cases outside each group
    below = _counts_at(of_downs, ties[downs], ties[ups])
    above = 2 * rest[:, None, :] - (
        _counts_at(np.ones((1, len(ups), 1), dtype=bool), ties[ups], ties[downs])
        - _counts_at(of_ups, ties[ups], ties[downs])
    )
    outside = ~of_ups
    with np.errstate(divide="ignore", invalid="ignore"):
        areas = (below * outside).sum(axis=1) / (2.0 * rest * n)
        parts = np.empty((*labels.shape, n_groups))
        center = areas[:, None, :]
        parts[:, ups] = outside * ((below / (2.0 * n[:, None, :]) - center) / rest[:, None, :])
        parts[:, downs] = of_downs * ((above / (2.0 * rest[:, None, :]) - center) / n[:, None, :])
    return areas, parts


def _counts_at(member: NDArray[np.bool_], ties: Ints, wanted: Ints) -> NDArray[np.float64]:
    """Twice the members of each group that lie below each wanted place, those in its tie counted half."""
    counts = np.zeros((len(member), member.shape[1] + 1, member.shape[2]))
    np.cumsum(member, axis=1, out=counts[:, 1:])
    found: NDArray[np.float64] = counts[:, np.searchsorted(ties, wanted, side="left")]
    return found + counts[:, np.searchsorted(ties, wanted, side="right")]


def _variance(above: Floats, below: Floats, positives: Ints, negatives: Ints) -> tuple[float, float] | None:
    """Obuchowski's variance, DeLong's where each patient has one case, and its degrees of freedom [5].

    Few positive cases among many negative ones are the few that say how sure the area is: at areas of .8 and .9, 5
    beside 100 were covered in .88 and .86 with the normal quantile, 10 beside 100 in .93 and .91.
    """
    with_positive, with_negative = np.unique(positives), np.unique(negatives)
    if min(len(with_positive), len(with_negative)) < 2:
        return None
    size = int(max(positives.max(), negatives.max())) + 1
    up = np.bincount(positives, weights=above, minlength=size)
    down = np.bincount(negatives, weights=below, minlength=size)
    m, n, both = len(above), len(below), len(np.union1d(with_positive, with_negative))
    ups, downs = len(with_positive) - 1, len(with_negative) - 1
    first = (ups + 1) / ups * float(up @ up) / m**2
    second = (downs + 1) / downs * float(down @ down) / n**2
    inverse = (first**2 / ups + second**2 / downs) / (first + second) ** 2 if first + second > 0 else 1.0
    return first + second + 2 * both / (both - 1) * float(up @ down) / (m * n), 1 / inverse


def newcombe_area(area: float, m: int, n: int, level: float) -> tuple[float, float]:
    """Newcombe's interval of an area [2], also where no placement differs.

    Args:
        area: the area.
        m: positive cases.
        n: negative cases.
        level: nominal coverage.
    """
    z = float(stats.norm.ppf((1 + level) / 2))
    middle = (m + n) / 2

    def excess(candidate: float) -> float:
        spread = 2 * middle - 1 - (3 * middle - 3) / ((2 - candidate) * (1 + candidate))
        return abs(area - candidate) - z * math.sqrt(max(candidate * (1 - candidate) * spread / (m * n), 0.0))

    low = 0.0 if area == 0 else float(optimize.brentq(excess, 1e-9, area - 1e-9)) if excess(1e-9) > 0 else 0.0
    high = 1.0 if area == 1 else float(optimize.brentq(excess, area + 1e-9, 1 - 1e-9)) if excess(1 - 1e-9) > 0 else 1.0
    return low, high
