# SPDX-License-Identifier: Apache-2.0
"""Decisions of a classifier, counted by patient and by group: what every rate is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import labels_of
from monai_ethics.fairness.methods.ratios import RatioGroup

__all__ = ["MIN_DENOMINATOR", "NO_DECISIONS", "RATES", "RATE_WORDS", "RateCell", "cells", "rate_group", "too_small"]

MIN_DENOMINATOR = 5  # patients with a case that a rate can be counted on
NO_DECISIONS = "there are no decisions: give a threshold that was chosen on other data"
#: Rate: (cells of the numerator, cells of the denominator), as weights of (TN, FP, FN, TP)
RATES: dict[str, tuple[tuple[int, int, int, int], tuple[int, int, int, int]]] = {
    "selection_rate": ((0, 1, 0, 1), (1, 1, 1, 1)),
    "tpr": ((0, 0, 0, 1), (0, 0, 1, 1)),
    "fpr": ((0, 1, 0, 0), (1, 1, 0, 0)),
    "tnr": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "fnr": ((0, 0, 1, 0), (0, 0, 1, 1)),
    "ppv": ((0, 0, 0, 1), (0, 1, 0, 1)),
    "npv": ((1, 0, 0, 0), (1, 0, 1, 0)),
    "accuracy": ((1, 0, 0, 1), (1, 1, 1, 1)),
    "prevalence": ((0, 0, 1, 1), (1, 1, 1, 1)),
}
#: Rate: (what it is, the cases it is counted on, the name of its gap in the literature).
RATE_WORDS: dict[str, tuple[str, str, str]] = {
    "selection_rate": ("share of cases called positive", "all cases", "demographic parity"),
    "tpr": ("share of positive cases found (sensitivity)", "positive cases", "equal opportunity"),
    "fpr": ("share of negative cases called positive", "negative cases", "overdiagnosis"),
    "tnr": ("share of negative cases called negative (specificity)", "negative cases", "predictive equality"),
    "fnr": ("share of positive cases called negative", "positive cases", "underdiagnosis"),
    "ppv": ("share of cases called positive that are positive", "cases called positive", "predictive parity"),
    "npv": ("share of cases called negative that are negative", "cases called negative", "negative predictive parity"),
    "accuracy": ("share of cases called rightly", "all cases", "accuracy equality"),
    "prevalence": ("share of cases that are positive", "all cases", "equal prevalence"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCell:
    """Counts of one group, patient by patient.

    Args:
        label: label of the attribute; ``None`` = not recorded, or everyone.
        patients: sorted, length ``n``.
        counts: cases of each patient by (true negative, false positive, false negative, true positive), shape
            ``(n, 4)``.
    """

    label: str | None
    patients: tuple[str, ...]
    counts: NDArray[np.int64]

    @property
    def total(self) -> NDArray[np.int64]:
        """Cases of all patients together, shape ``(4,)``."""
        found: NDArray[np.int64] = self.counts.sum(axis=0)
        return found


def cells(data: BinaryScores, attribute: str | None) -> list[RateCell]:
    """Groups of an attribute sorted by label, not recorded last; everyone as one group if there is none.

    Args:
        data: decisions, with the groups.
        attribute: name of a grouping; ``None`` = everyone.

    Returns:
        The groups; no group without a case.
    """
    labels = (None,) * len(data) if attribute is None else labels_of(data, attribute)
    known = sorted({label for label in labels if label is not None})
    ordered = [*known, *([None] if None in labels else [])]
    place = {label: code for code, label in enumerate(ordered)}
    names = sorted(set(data.patients))
    row = {patient: code for code, patient in enumerate(names)}
    outcome = 2 * np.array(data.y_true, dtype=np.int64) + np.array(data.y_pred, dtype=np.int64)
    codes = np.array([place[label] for label in labels], dtype=np.int64)
    patients = np.array([row[patient] for patient in data.patients], dtype=np.int64)
    pairs, inverse = np.unique(codes * len(names) + patients, return_inverse=True)
    counts = np.bincount(4 * inverse.ravel() + outcome, minlength=4 * len(pairs)).reshape(-1, 4)
    ends = np.searchsorted(pairs, np.arange(len(ordered) + 1) * len(names))
    return [
        RateCell(
            label=label,
            patients=tuple(names[code % len(names)] for code in pairs[ends[i] : ends[i + 1]]),
            counts=counts[ends[i] : ends[i + 1]],
        )
        for i, label in enumerate(ordered)
    ]


def rate_group(cell: RateCell, rate: str) -> RatioGroup:
    """Numerator and denominator of a rate for each patient that has a denominator.

    Args:
        cell: the group.
        rate: one of `RATES`.

    Returns:
        The patients that can be counted.
    """
    counts = cell.counts.astype(np.float64)
    tops, bottoms = (counts @ np.array(uses, dtype=np.float64) for uses in RATES[rate])
    kept = bottoms > 0
    patients = tuple(patient for patient, keep in zip(cell.patients, kept, strict=True) if keep)
    return RatioGroup(label=cell.label, patients=patients, tops=tops[kept], bottoms=bottoms[kept])


def too_small(cell: RateCell, group: RatioGroup, rate: str, min_group_size: int) -> str | None:
    """Why a rate of this group is listed and not judged; ``None`` if it is judged."""
    if len(cell.patients) < max(min_group_size, 2):
        return f"{len(cell.patients)} patients: listed, not judged (at least {max(min_group_size, 2)})"
    if len(group.patients) < MIN_DENOMINATOR:
        among = RATE_WORDS[rate][1]
        return f"{len(group.patients)} patients with {among}: listed, not judged (at least {MIN_DENOMINATOR})"
    return None
