# SPDX-License-Identifier: Apache-2.0
"""Sums over the cases of each patient, for the groups of an attribute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import labels_of
from monai_ethics.fairness.methods.intervals import Floats
from monai_ethics.fairness.methods.ratios import RatioGroup

__all__ = ["group_rows", "patient_sums", "selected_by_patient"]


def group_rows(data: BinaryScores, attribute: str | None) -> dict[str | None, list[int]]:
    """Rows of each group, sorted by label, not recorded last; everyone as one group if there is no attribute."""
    if attribute is None:
        return {None: list(range(len(data)))}
    rows: defaultdict[str | None, list[int]] = defaultdict(list)
    for position, label in enumerate(labels_of(data, attribute)):
        rows[label].append(position)
    return {label: rows[label] for label in sorted(rows, key=lambda label: (label is None, label or ""))}


def patient_sums(patients: Sequence[str], tops: Floats, bottoms: Floats, *, label: str | None = None) -> RatioGroup:
    """Sums of both columns over the cases of each patient, sorted; patients without a denominator are left out.

    Args:
        patients: patient of each case, length ``N``.
        tops: numerator of each case, shape ``(N,)``.
        bottoms: denominator of each case, shape ``(N,)``.
        label: label of the group.

    Returns:
        One row per patient.
    """
    names, codes = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    top = np.bincount(codes, weights=tops, minlength=len(names)).astype(np.float64)
    bottom = np.bincount(codes, weights=bottoms, minlength=len(names)).astype(np.float64)
    kept = np.flatnonzero(bottom > 0)
    return RatioGroup(
        label=label,
        patients=tuple(names[kept].tolist()),
        tops=top[kept],
        bottoms=bottom[kept],
    )


def selected_by_patient(data: BinaryScores, attribute: str) -> list[RatioGroup]:
    """Positive decisions and cases of each patient, for the groups of an attribute, in the order of `group_rows`."""
    decided = np.array(data.y_pred, dtype=np.float64)
    return [
        patient_sums([data.patients[i] for i in rows], decided[rows], np.ones(len(rows)), label=label)
        for label, rows in group_rows(data, attribute).items()
    ]
