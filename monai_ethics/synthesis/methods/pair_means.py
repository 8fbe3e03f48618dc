# SPDX-License-Identifier: Apache-2.0
"""Mean similarity of synthetic pairs beside that of real pairs of different patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from monai_ethics.evidence import Estimate
from monai_ethics.synthesis.data.pair_similarity import Pairing, PairSimilarity
from monai_ethics.synthesis.methods.comparison import estimate_of
from monai_ethics.synthesis.methods.jackknife import FEWEST_GROUPS, balanced_groups, jackknife

__all__ = ["pair_estimates"]

TOO_FEW = "Without one of the groups of units no pair is left, so there is no interval."


def pair_estimates(given: PairSimilarity, *, groups: int, level: float, seed: int) -> list[Estimate]:
    """Mean of both kinds of pairs and their difference; a mean over pairs has no bias that depends on their number.

    Units are left out in groups, each with all its pairs, from both kinds at once.

    Args:
        given: similarities and who is in each pair.
        groups: most groups of the jackknife.
        level: nominal coverage.
        seed: seed of the groups.
    """
    rng = np.random.default_rng(seed)
    sides = [(given.synthetic, given.synthetic_pairs), (given.real, given.real_pairs)]
    units = [len({unit for pair in pairs for unit in pair}) for _, pairs in sides]
    used = min(groups, *units)
    means = np.stack([_means(values, pairs, used, rng=rng) for values, pairs in sides])  # (2, 1 + groups)
    rows = (
        ("", means[0], "mean similarity of pairs of synthetic images of different units; high is little variety"),
        ("_floor", means[1], "mean similarity of pairs of held-out images of different patients"),
        ("_excess", means[0] - means[1], f"{given.name} less {given.name}_floor"),
    )
    kept: dict[str, Any] = {"unit": "1", "n": sum(units), "n_unit": "patients and synthetic units"}
    return [
        _estimate(f"{given.name}{suffix}", numbers, level=level, estimand=what, **kept)
        for suffix, numbers, what in rows
    ]


def _estimate(name: str, numbers: np.ndarray, *, level: float, **kept: Any) -> Estimate:
    if np.isnan(numbers[0]):
        return Estimate(name=name, value=None, reason="There is no pair.", **kept)
    if len(numbers) <= FEWEST_GROUPS or np.isnan(numbers).any():
        return Estimate(name=name, value=float(numbers[0]), reason=TOO_FEW, **kept)
    return estimate_of(name, jackknife(float(numbers[0]), numbers[1:], level=level), **kept)


def _means(values: Sequence[float], pairs: Pairing, groups: int, *, rng: np.random.Generator) -> np.ndarray:
    """Mean over all pairs, then without each group of units; NaN where no pair is left."""
    numbers = np.asarray(values, dtype=np.float64)
    units = sorted({unit for pair in pairs for unit in pair})
    of = dict(zip(units, balanced_groups(len(units), groups, rng=rng).tolist(), strict=True)) if units else {}
    owners = np.array([[of[a], of[b]] for a, b in pairs], dtype=np.int64).reshape(-1, 2)
    kept = [numbers, *(numbers[(owners != group).all(axis=1)] for group in range(groups))]
    return np.array([part.mean() if len(part) else np.nan for part in kept])
