# SPDX-License-Identifier: Apache-2.0
"""Differential fairness: the largest ratio of the chances of a decision between two groups, and what it is by chance.

References:
    [1] Foulds, Islam, Keya & Pan 2020, An Intersectional Definition of Fairness (ICDE), section V: smoothed empirical
        differential fairness.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monai_ethics.fairness.methods.ratios import RatioGroup
from monai_ethics.statistics.exchange import count_rows, exchanged_sums
from monai_ethics.statistics.intervals import Floats
from monai_ethics.statistics.permutation import CELLS

__all__ = ["EpsilonByChance", "epsilon_by_chance", "smoothed_epsilon"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsilonByChance:
    """Epsilon beside its distribution when patients are exchanged between the groups.

    Args:
        epsilon: as observed.
        null_mean: mean over the draws.
        null_95th: 95th percentile over the draws.
    """

    epsilon: float
    null_mean: float
    null_95th: float


def smoothed_epsilon(selected: Any, cases: Any, *, concentration: float = 1.0) -> Floats:
    """Smallest epsilon with which no group's chance of either decision exceeds another's by a factor over exp(epsilon).

    Chances are smoothed by a symmetric Dirichlet prior worth `concentration` cases, half of them of each decision, so
    that a group without one positive decision has a finite epsilon [1].

    Args:
        selected: positive decisions of each group, shape ``(..., K)``.
        cases: cases of each group, same shape.
        concentration: total weight of the prior, in cases, above 0.

    Returns:
        Epsilon, shape ``(...)``; 0 = equal chances.
    """
    top = np.asarray(selected, dtype=np.float64) + concentration / 2
    every = np.asarray(cases, dtype=np.float64) + concentration
    logs = np.log(np.stack([top, every - top])) - np.log(every)
    ranges: Floats = logs.max(axis=-1) - logs.min(axis=-1)
    return np.asarray(np.round(ranges.max(axis=0), 12))  # equal counts give equal numbers in any place of an array


def epsilon_by_chance(
    groups: Sequence[RatioGroup], *, concentration: float, n_permutations: int, rng: np.random.Generator
) -> EpsilonByChance:
    """Epsilon, and its distribution under no difference: whole patients exchanged, or signs where they are in several.

    Args:
        groups: positive decisions and cases of each patient, at least 2 groups of 2 or more patients.
        concentration: total weight of the prior, in cases, above 0.
        n_permutations: number of random draws.
        rng: source of random numbers.

    Returns:
        Epsilon with the mean and the 95th percentile of the draws.
    """
    everyone = [patient for group in groups for patient in group.patients]
    if len(set(everyone)) < len(everyone):
        drawn = _by_signs(groups, n_permutations, rng)
    else:
        rows, observed = count_rows([np.column_stack([group.tops, group.bottoms]) for group in groups])
        drawn = list(exchanged_sums(observed, rows, n_permutations=n_permutations, rng=rng))
    sums = np.concatenate(drawn)
    every = smoothed_epsilon(sums[..., 0], sums[..., 1], concentration=concentration)
    null = every[1:]
    return EpsilonByChance(
        epsilon=float(every[0]),
        null_mean=math.fsum(null) / len(null),
        null_95th=float(np.quantile(null, 0.95, method="higher")),
    )


def _by_signs(groups: Sequence[RatioGroup], n_permutations: int, rng: np.random.Generator) -> list[Floats]:
    """Observed sums, then what the pooled rate and random signs of each patient's residuals from it would give."""
    cases = np.array([math.fsum(group.bottoms) for group in groups])
    selected = np.array([math.fsum(group.tops) for group in groups])
    everyone = sorted({patient for group in groups for patient in group.patients})
    position = {patient: row for row, patient in enumerate(everyone)}
    pooled = selected.sum() / cases.sum()
    rest = np.zeros((len(everyone), len(groups)))
    for column, group in enumerate(groups):
        rest[[position[patient] for patient in group.patients], column] = group.tops - pooled * group.bottoms
    rest = rest[np.lexsort(rest.T)]  # the order of patients changes nothing
    expected = cases * pooled
    drawn = [np.stack([selected, cases], axis=-1)[None]]
    block = max(CELLS // len(rest), 1)
    for start in range(0, n_permutations, block):
        signs = 2.0 * rng.integers(0, 2, (min(block, n_permutations - start), len(rest))) - 1
        moved = np.clip(expected + signs @ rest, 0, cases)
        drawn.append(np.stack([moved, np.broadcast_to(cases, moved.shape)], axis=-1))
    return drawn
