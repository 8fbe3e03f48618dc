# SPDX-License-Identifier: Apache-2.0
"""Where each case lies among the cases of the other class: the kernel of areas, of their errors and of ROC curves.

Cases are sorted by score once. For any number of groups, and for any number of random exchanges of their labels, one
stable sort of small integers and running counts then give every rank, so that the cost does not grow with the number
of groups.

References:
    [1] DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44: structural components ("placements").
    [2] Obuchowski 1997, Biometrics 53: their sums over patients with several cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_ethics.statistics.intervals import Floats

__all__ = ["Blocks", "Ints", "blocks_of", "patient_variances", "runs_of", "runs_within"]

Ints = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """Cases sorted by block (a group, in one draw) and then by score; ``B`` blocks, ``N`` cases in all.

    Args:
        order: position of each sorted case among the cases given, shape ``(N,)``.
        block: block of each sorted case, shape ``(N,)``.
        truth: whether each sorted case is positive, shape ``(N,)``.
        twice: twice the number of cases of the other class and its block that it beats (positive) or that beat it
            (negative), ties counted half, shape ``(N,)``.
        positives: number of positive cases of each block, shape ``(B,)``.
        negatives: number of negative cases, shape ``(B,)``.
        areas: area under the ROC curve of each block; NaN where a class is absent, shape ``(B,)``.
    """

    order: Ints
    block: Ints
    truth: NDArray[np.bool_]
    twice: Ints
    positives: Ints
    negatives: Ints
    areas: Floats

    def influence(self) -> Floats:
        """What each sorted case contributes to the error of its block's area, shape ``(N,)``."""
        own = np.where(self.truth, self.positives[self.block], self.negatives[self.block])
        other = np.where(self.truth, self.negatives[self.block], self.positives[self.block])
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Floats = (self.twice / (2.0 * other) - self.areas[self.block]) / own
        return found


def runs_of(scores: Floats) -> Ints | None:
    """Number of the tie that each case belongs to, of scores sorted upwards; ``None`` if no score repeats."""
    new = scores[1:] != scores[:-1]
    if new.all():
        return None
    return np.concatenate([[0], np.cumsum(new)])


def runs_within(runs: Ints, block: Ints, order: Ints) -> Ints:
    """Tie of each sorted case of `Blocks`, of ties that all groups share or of each group's own."""
    found: Ints = runs[order] if runs.ndim == 1 else runs[block % len(runs), order]
    return found


def blocks_of(labels: Ints, truth: NDArray[np.bool_], runs: Ints | None, n_groups: int) -> Blocks:
    """Rank cases within every group of every draw.

    Args:
        labels: group of each case, 0 to ``n_groups - 1``, shape ``(draws, N)``, cases sorted upwards by score.
        truth: whether each case is positive, shape ``(N,)``.
        runs: as `runs_of` gives them, shape ``(N,)``; or the ties that cases form within each group, shape
            ``(n_groups, N)``.
        n_groups: number of groups.

    Returns:
        Blocks numbered ``draw * n_groups + group``.
    """
    kind = np.uint8 if n_groups <= 256 else np.uint16 if n_groups <= 65_536 else np.int64
    small = labels.astype(kind, copy=False)  # sorting small integers is linear
    order = np.argsort(small, axis=1, kind="stable")
    draws = np.arange(len(labels))[:, None]
    sorted_labels: Ints = np.take_along_axis(small, order, axis=1).astype(np.int64)
    block = (sorted_labels + n_groups * draws).ravel()
    flat = order.ravel()
    positive = truth[flat]
    count = n_groups * len(labels)
    sizes = np.bincount(block, minlength=count)
    m = np.bincount(block[positive], minlength=count)
    n = sizes - m
    twice = _twice(block, positive, None if runs is None else runs_within(runs, block, flat), sizes, m)
    won = np.bincount(block[positive], weights=twice[positive], minlength=count)
    with np.errstate(divide="ignore", invalid="ignore"):
        areas = won / (2.0 * m * n)
    return Blocks(order=flat, block=block, truth=positive, twice=twice, positives=m, negatives=n, areas=areas)


def _twice(block: Ints, positive: NDArray[np.bool_], runs: Ints | None, sizes: Ints, m: Ints) -> Ints:
    """Running counts of both classes from the start of each block; at a tie, before and after it."""
    first = np.cumsum(sizes) - sizes
    counted = np.cumsum(positive)
    before = np.concatenate([[0], counted])[first]  # positives in the blocks before
    ups = counted - before[block]
    downs = np.arange(1, len(block) + 1) - first[block] - ups
    if runs is None:
        found: Ints = 2 * np.where(positive, downs, m[block] - ups)
        return found
    new = np.empty(len(block), dtype=bool)
    new[:1] = True
    new[1:] = (runs[1:] != runs[:-1]) | (block[1:] != block[:-1])
    starts = np.flatnonzero(new)
    tie = np.cumsum(new) - 1
    ends = np.append(starts[1:], len(block)) - 1
    ups_before, downs_before = (ups - positive)[starts][tie], (downs - ~positive)[starts][tie]
    ups_upto, downs_upto = ups[ends][tie], downs[ends][tie]
    tied: Ints = np.where(positive, downs_before + downs_upto, 2 * m[block] - ups_before - ups_upto)
    return tied


def patient_variances(blocks: Blocks, parts: Floats, patients: Ints, labels: Ints) -> Floats:
    """Obuchowski's variance of every area [2]; DeLong's where each patient has one case [1].

    Args:
        blocks: as `blocks_of` gives them.
        parts: their `influence`.
        patients: patient of each sorted case, another number in every draw, shape ``(N,)``.
        labels: block of each patient, shape ``(patients,)``.

    Returns:
        Variance of each block's area, shape ``(B,)``; NaN with fewer than 2 patients of a class.
    """
    count, size = len(blocks.areas), len(labels)
    sums, having = [], []
    for side in (blocks.truth, ~blocks.truth):
        sums.append(np.bincount(patients[side], weights=parts[side], minlength=size))
        having.append(np.bincount(patients[side], minlength=size) > 0)

    def total(values: Any) -> Floats:
        return np.bincount(labels, weights=values, minlength=count).astype(np.float64)

    ups, downs, both = total(having[0]), total(having[1]), total(having[0] | having[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        variances: Floats = (
            ups / (ups - 1) * total(sums[0] ** 2)
            + downs / (downs - 1) * total(sums[1] ** 2)
            + 2 * both / (both - 1) * total(sums[0] * sums[1])
        )
    return np.where((ups > 1) & (downs > 1), variances, np.nan)
