# SPDX-License-Identifier: Apache-2.0
"""Decisions of a classifier as scores of cases, for comparisons that take one value a patient."""

from __future__ import annotations

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.scores import ScoreTable

__all__ = ["decision_table"]


def decision_table(data: BinaryScores, *, positive: bool) -> ScoreTable:
    """Cases of one class with 1 where they were called positive.

    Args:
        data: labels and decisions.
        positive: the positive cases, whose mean is the TPR; else the negative ones, whose mean is the FPR. Both are
            patient-weighted here, unlike those of `fairness.rate_gap`.

    Returns:
        A table without a case if there is none of that class.
    """
    rows = [i for i, truth in enumerate(data.y_true) if truth is positive and data.y_pred]
    return ScoreTable(
        metric=f"{data.target}_{'tpr' if positive else 'fpr'}",
        unit="1",
        higher_is_better=positive,
        cases=tuple(data.cases[i] for i in rows),
        patients=tuple(data.patients[i] for i in rows),
        values=tuple(float(data.y_pred[i]) for i in rows),
        outcomes=("scored",) * len(rows),
        groups={name: tuple(labels[i] for i in rows) for name, labels in data.groups.items()},
        bounds=(0.0, 1.0),
        misses_known=False,
    )
