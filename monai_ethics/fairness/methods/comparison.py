# SPDX-License-Identifier: Apache-2.0
"""The comparison of one metric between the groups of one attribute, before it is put into words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from monai_ethics.fairness.data.groups import Group, at_worst, repeated, split
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.methods.crossed import crossed_difference, crossed_omnibus
from monai_ethics.statistics.corrections import holm
from monai_ethics.statistics.differences import Pair, mean_difference, relative_effect
from monai_ethics.statistics.intervals import Result
from monai_ethics.statistics.permutation import Omnibus, mean_omnibus, rank_omnibus
from monai_ethics.statistics.power import minimum_detectable_gap, minimum_detectable_relative_effect

__all__ = ["Comparison", "compare", "detectable", "holm", "judgeable", "pairs"]

RANK_CELLS = 200_000_000  # draws x patients x groups of a rank test at most: some seconds
FEWEST_DRAWS = 1_999


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was compared, and the omnibus test.

    Args:
        groups: every group, small ones and missing labels included.
        judged: those with enough patients.
        ranks: whether relative effects were compared, because scores contain failures; means otherwise.
        crossed: number of patients in several groups.
        draws: random draws of the test.
        omnibus: its outcome; ``None`` with fewer than 2 judged groups.
    """

    groups: tuple[Group, ...]
    judged: tuple[Group, ...]
    ranks: bool
    crossed: int
    draws: int
    omnibus: Omnibus | None

    @property
    def p(self) -> float | None:
        """p-value of the omnibus test; ``None`` if there was none."""
        return None if self.omnibus is None else self.omnibus.p


def judgeable(groups: Sequence[Group], min_group_size: int) -> tuple[Group, ...]:
    """Groups with at least that many patients with a score, and never fewer than 2."""
    return tuple(group for group in groups if len(group.patients) >= max(min_group_size, 2))


def compare(table: ScoreTable, attribute: str, *, min_group_size: int, n_permutations: int, seed: int) -> Comparison:
    """Run the omnibus test of one metric over the groups of one attribute.

    Ranks are compared when any judged patient was missed, has no finite score, or has the worst possible score of a
    bounded metric, because the mean's tests do not hold their level there; the choice depends on the pooled scores
    only, so that the test stays exact under exchangeability.

    Args:
        table: per-case scores.
        attribute: name of a grouping of the table.
        min_group_size: smallest group that is judged (patients with a score).
        n_permutations: random draws.
        seed: seed of the draws.

    Returns:
        The comparison.
    """
    groups = split(table, attribute)
    judged = judgeable(groups, min_group_size)
    crossed = repeated(list(judged))
    if len(judged) < 2:
        return Comparison(groups=tuple(groups), judged=judged, ranks=False, crossed=crossed, draws=0, omnibus=None)
    pooled = np.concatenate([group.values for group in judged])
    failed = any(group.missed for group in judged) or not np.isfinite(pooled).all()
    ranks = failed or at_worst(table, pooled)
    draws = n_permutations
    if ranks:
        draws = min(draws, max(FEWEST_DRAWS, RANK_CELLS // (len(pooled) * len(judged))))
    rng = np.random.default_rng(seed)
    if crossed:
        omnibus = crossed_omnibus(judged, ranks=ranks, n_permutations=draws, rng=rng)
    else:
        test = rank_omnibus if ranks else mean_omnibus
        omnibus = test([group.values for group in judged], n_permutations=draws, rng=rng)
    return Comparison(
        groups=tuple(groups), judged=judged, ranks=ranks, crossed=crossed, draws=omnibus.draws or draws, omnibus=omnibus
    )


def pairs(found: Comparison, *, level: float) -> list[tuple[Group, Group, Pair]]:
    """Every pair of judged groups, in the order of their labels, with its signed difference and own p-value."""
    return [(first, second, _pair(found, first, second, level)) for first, second in combinations(found.judged, 2)]


def _pair(found: Comparison, first: Group, second: Group, level: float) -> Pair:
    both = len({*first.patients} & {*second.patients})
    if not found.ranks:
        if both:
            return crossed_difference(first, second, level=level)
        return mean_difference(first.values, second.values, level=level)
    result, p = relative_effect(first.values, second.values, level=level)
    if both:
        reason = f"{both} patients are in both groups: the interval for independent groups does not hold"
        return Result(value=result.value, method="relative effect", reason=reason), None
    return result, p


def detectable(found: Comparison, *, alpha: float) -> Result:
    """Smallest gap between the two smallest judged groups that the test finds with 80 % power at this level."""
    if found.crossed:
        return Result(value=None, reason=f"{found.crossed} patients are in several groups: not computed")
    sizes = [len(group.values) for group in found.judged]
    if found.ranks:
        value = minimum_detectable_relative_effect(sizes, alpha=alpha)
        return Result(value=value, method="Noether's approximation, 80 % power")
    degrees = sum(sizes) - len(sizes)
    within = math.fsum(float(np.var(group.values)) * len(group.values) for group in found.judged)
    deviation, scale = math.sqrt(within / degrees), max(float(np.abs(group.values).max()) for group in found.judged)
    if deviation <= 1e-9 * scale:
        return Result(value=None, reason="no spread within any group: it says nothing about new patients")
    value = minimum_detectable_gap(sizes, deviation, alpha=alpha)
    return Result(value=value, method="non-central F at the pooled spread within groups, 80 % power")
