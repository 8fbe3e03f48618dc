# SPDX-License-Identifier: Apache-2.0
"""One number for all groups: scores divided by how far groups lie apart, and the like, on any exchange of labels.

All of them are worse than the truth by chance alone, the more so the more groups there are: with five groups of 20 and
the same true Dice of .80 in each, the equity-scaled Dice (sum) is .73 on average. They are read beside their null.

References:
    [1] Luo et al. 2023, FairVision (arXiv 2310.02492) and FairCLIP: the sum of absolute deviations.
    [2] Tian et al. 2024, FairSeg (arXiv 2311.02189): the standard deviation, in code with ``ddof=1``.
    [3] Jin et al. 2024, FairMedFM (arXiv 2407.00983): the standard deviation with ``ddof=0``; skewed error ratio.
    [4] DerSimonian & Laird 1986, Control. Clin. Trials 7: spread between groups beyond chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monai_ethics.statistics.intervals import Floats
from monai_ethics.statistics.permutation import CELLS
from monai_ethics.statistics.shrunk import between_group_variance

__all__ = ["DEFINITIONS", "Scaled", "equity_scaled", "scaled_scores"]

DEFINITIONS = ("sum", "std_ddof0", "std_ddof1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """Summaries of all groups; entry 0 is observed, each other one comes from exchanging labels.

    Args:
        equity: equity-scaled score, shape ``(1 + draws,)``.
        ratio: skewed error ratio, shape ``(1 + draws,)``; infinite where a group's mean is 1.
        spread: standard deviation between groups beyond chance, shape ``(1 + draws,)``.
    """

    equity: Floats
    ratio: Floats
    spread: Floats


def equity_scaled(overall: Floats | float, means: Floats, *, definition: str, weight: float) -> Floats:
    """The overall value divided by one plus the weighted distance of the groups [1, 2, 3].

    Args:
        overall: value over everyone.
        means: value of each group, shape ``(..., K)``.
        definition: one of `DEFINITIONS`.
        weight: what the distance is multiplied with.

    Returns:
        Shape ``(...)``.
    """
    if definition == "sum":
        distance = np.abs(means - np.asarray(overall)[..., None]).sum(axis=-1)
    else:
        distance = np.std(means, axis=-1, ddof=int(definition == "std_ddof1"))
    result: Floats = overall / (1 + weight * distance)
    return result


def scaled_scores(
    groups: Sequence[Floats], *, definition: str, weight: float, n_permutations: int, rng: np.random.Generator
) -> Scaled:
    """The summaries, as observed and with labels exchanged between patients.

    Args:
        groups: one score of 0 to 1 per patient in each of at least 2 groups, shapes ``(n_g,)``, ``n_g >= 2``.
        definition: one of `DEFINITIONS`.
        weight: what the distance of the groups is multiplied with.
        n_permutations: random draws; 0 = only as observed.
        rng: source of random numbers.

    Returns:
        The summaries.
    """
    ordered = sorted((np.sort(values) for values in groups), key=lambda values: (len(values), tuple(values)))
    sizes = np.array([len(values) for values in ordered], dtype=np.float64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
    pooled = np.concatenate(ordered)
    overall = float(np.sort(pooled).mean())
    row = np.sort(pooled)
    block = max(CELLS // len(row), 1)
    found: list[tuple[Floats, Floats, Floats]] = []

    def add(values: Floats) -> None:
        means = np.add.reduceat(values, starts, axis=1) / sizes
        squares = np.add.reduceat(values**2, starts, axis=1) - sizes * means**2
        within = np.maximum(squares, 0).sum(axis=1) / (sizes.sum() - len(sizes))
        found.append(
            (
                equity_scaled(overall, means, definition=definition, weight=weight),
                _skewed_error_ratio(means),
                np.sqrt(between_group_variance(means, within[:, None] / sizes)),
            )
        )

    add(pooled[None])
    for start in range(0, n_permutations, block):
        add(rng.permuted(np.tile(row, (min(block, n_permutations - start), 1)), axis=1))
    equity, ratio, spread = (np.concatenate(column) for column in zip(*found, strict=True))
    return Scaled(equity=equity, ratio=ratio, spread=spread)


def _skewed_error_ratio(means: Floats) -> Floats:
    least, most = 1 - means.max(axis=1), 1 - means.min(axis=1)
    ratio: Floats = np.where(least > 1e-12, most / np.where(least > 1e-12, least, 1.0), np.inf)
    return ratio
