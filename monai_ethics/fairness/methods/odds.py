# SPDX-License-Identifier: Apache-2.0
"""Two rates tested at once: the larger of their studentised statistics, over the same draws.

Patients are exchanged only with those who have the same classes, positive cases, negative ones or both, so that
neither rate's denominators move from group to group in kind.

References:
    [1] Westfall & Young 1993, Resampling-Based Multiple Testing, chapter 2: the maximum of several statistics over the
        same draws is one statistic, and keeps what they share.
    [2] Pauly, Brunner & Konietschke 2015, JRSS-B 77(2): the studentised statistic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from monai_ethics.fairness.methods.crossed import signed_sums
from monai_ethics.fairness.methods.ratios import (
    RatioGroup,
    Studentized,
    ratio_influence,
    ratio_parts,
    signed_statistics,
)
from monai_ethics.statistics.differences import Pair
from monai_ethics.statistics.exchange import Counts, count_rows, exchanged_sums
from monai_ethics.statistics.intervals import Floats, Result
from monai_ethics.statistics.permutation import Omnibus, summary

__all__ = ["OddsTest", "average_odds", "odds_omnibus"]

Ratios = Sequence[RatioGroup]


@dataclass(frozen=True, slots=True, kw_only=True)
class OddsTest:
    """Outcome of the joint test.

    Args:
        worst: the test, and the larger of both gaps beside chance.
        mean: the same test, and the mean of both gaps beside chance.
    """

    worst: Omnibus
    mean: Omnibus


def odds_omnibus(first: Ratios, second: Ratios, *, n_permutations: int, rng: np.random.Generator) -> OddsTest:
    """Test that neither of two ratios differs between groups [1, 2].

    Args:
        first: one ratio of at least 2 groups, such as the TPR, with 2 or more patients each.
        second: another ratio of the same groups, in the same order, such as the FPR.
        n_permutations: number of random draws.
        rng: source of random numbers.

    Returns:
        One p-value, and both gaps beside their distribution when labels are exchanged.
    """
    who = [{*a.patients, *b.patients} for a, b in zip(first, second, strict=True)]
    crossed = len(set().union(*who)) < sum(map(len, who))
    draw = _signed if crossed else _exchanged
    statistics, gaps = draw(first, second, n_permutations, rng)
    largest = statistics.max(axis=0)
    return OddsTest(worst=summary(largest, gaps.max(axis=0)), mean=summary(largest, gaps.mean(axis=0)))


def _exchanged(first: Ratios, second: Ratios, draws: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    rows, observed = count_rows([_rows(a, b) for a, b in zip(first, second, strict=True)])
    tests = [Studentized(rows[:, column], rows[:, column + 1], observed) for column in (0, 2)]
    features = np.hstack([test.features for test in tests])
    sums = np.zeros((draws + 1, len(observed), features.shape[1]))
    kinds = (rows[:, 1] > 0) + 2 * (rows[:, 3] > 0)
    for kind in np.unique(kinds):
        among = kinds == kind
        _add(sums, observed[:, among], features[among], rng)
    found = [test(sums[..., 5 * i : 5 * i + 5]) for i, test in enumerate(tests)]
    return np.array([each[0] for each in found]), np.array([each[1] for each in found])


def _add(sums: Floats, observed: Counts, features: Floats, rng: np.random.Generator) -> None:
    """Exchange the patients of one kind between the groups that have any; add their sums to `sums`."""
    present = np.flatnonzero(observed.sum(axis=1))
    start = 0
    for block in exchanged_sums(observed[present], features, n_permutations=len(sums) - 1, rng=rng):
        sums[start : start + len(block), present] += block
        start += len(block)


def _rows(first: RatioGroup, second: RatioGroup) -> Floats:
    """Both numerators and denominators of each patient of a group, shape ``(patients, 4)``."""
    place = {patient: row for row, patient in enumerate(sorted({*first.patients, *second.patients}))}
    rows = np.zeros((len(place), 4))
    for column, group in ((0, first), (2, second)):
        own = [place[patient] for patient in group.patients]
        rows[own, column], rows[own, column + 1] = group.tops, group.bottoms
    return rows


def _signed(first: Ratios, second: Ratios, draws: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Random signs of whole patients, the same for both ratios."""
    everyone = sorted({patient for group in (*first, *second) for patient in group.patients})
    joint = np.hstack([ratio_parts(groups, everyone) for groups in (first, second)])
    sums = np.concatenate([joint.sum(axis=0)[None], *signed_sums(joint, n_permutations=draws, rng=rng)])
    sides = (first, sums[:, : len(first)]), (second, sums[:, len(first) :])
    found = [signed_statistics(groups, moved) for groups, moved in sides]
    return np.array([each[0] for each in found]), np.array([each[1] for each in found])


def average_odds(
    one: tuple[RatioGroup, RatioGroup], other: tuple[RatioGroup, RatioGroup], *, level: float = 0.95
) -> Pair:
    """Mean of the differences of two ratios, with the sandwich's interval over patients.

    Args:
        one: both ratios of the first group.
        other: both ratios of the second.
        level: nominal coverage.

    Returns:
        The signed mean difference, Student's t with the smallest group's patients less one, and its p-value. Opposite
        differences cancel.
    """
    value = math.fsum(a.value - b.value for a, b in zip(one, other, strict=True)) / 2
    df = min(len(group.patients) for group in (*one, *other)) - 1
    if df < 1:
        return Result(value=value, method="average odds difference", reason="a group has one patient only"), None
    everyone = sorted({patient for group in (*one, *other) for patient in group.patients})
    parts = ratio_influence((*one, *other), everyone) @ np.array([0.5, 0.5, -0.5, -0.5])
    error = math.sqrt(math.fsum(parts**2))
    if error == 0:
        return Result(value=value, method="average odds difference", reason="no spread within either group"), None
    half = float(stats.t.ppf((1 + level) / 2, df)) * error
    method = f"cluster-robust interval over patients (Student t, {df} df)"
    p = float(2 * stats.t.sf(abs(value) / error, df))
    return Result(value=value, low=value - half, high=value + half, method=method), p
