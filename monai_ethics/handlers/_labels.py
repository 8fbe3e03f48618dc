# SPDX-License-Identifier: Apache-2.0
"""Labels and scores of a classifier out of the rows that ROC AUC and its like already hold, one table per class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from monai_ethics.errors import InputError
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.scores import LARGEST_SCORE

if TYPE_CHECKING:
    from monai_ethics.handlers._tables import Cases

__all__ = ["DECIDED_BY", "Column", "as_threshold", "columns_of", "holds_labels", "labels_of"]

DECIDED_BY = "a score of at least {:g}; the threshold was given for the run"
TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One class.

    Args:
        name: ``"target"`` for a single score, ``"class_1"``, ``"class_2"``, ... otherwise.
        scores: of each row, float64 on the CPU, shape ``(N,)``.
        truth: whether each row is positive, bool on the CPU, shape ``(N,)``.
    """

    name: str
    scores: torch.Tensor
    truth: torch.Tensor

    def same(self, scores: Sequence[float], truth: Sequence[bool]) -> bool:
        """Whether it holds these very scores and labels."""
        return self.scores.tolist() == list(scores) and self.truth.tolist() == list(truth)


def as_threshold(value: Any) -> float | None:
    """A threshold for decisions from a setting; ``None`` if there is none.

    Raises:
        InputError: if it is no finite number.
    """
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError("`threshold` must be a finite number: got something else. Give one chosen on other data.")
    return number


def holds_labels(buffers: Sequence[torch.Tensor]) -> bool:
    """Whether two buffers look like scores and labels: one row per case, the second of nothing but 0 and 1."""
    if len(buffers) != 2 or any(b.ndim not in (1, 2) for b in buffers) or len(buffers[0]) != len(buffers[1]):
        return False
    return buffers[0].is_floating_point() and bool(((buffers[1] == 0) | (buffers[1] == 1)).all())


def columns_of(scores: torch.Tensor, truth: torch.Tensor, index: torch.Tensor) -> tuple[list[Column], str]:
    """Scores and labels of each class.

    Args:
        scores: shape ``(N,)`` or ``(N, C)``.
        truth: 0 and 1, shape ``(N,)`` or ``(N, C)``; or classes by number, shape ``(N,)``, beside several scores.
        index: the rows that count.

    Returns:
        One column per class, and why there is none. Of two classes whose scores add up to 1, the second alone.
    """
    scores, truth = (t.detach().as_subclass(torch.Tensor).cpu()[index].double() for t in (scores, truth))
    scores, truth = (t.reshape(len(index), -1) for t in (scores, truth))
    if not bool((scores.abs() <= LARGEST_SCORE).all()):
        return [], "some scores are not finite"
    classes = scores.shape[1]
    if truth.shape[1] == 1 < classes and bool(torch.isin(truth, torch.arange(classes).double()).all()):
        truth = torch.nn.functional.one_hot(truth[:, 0].long(), classes).double()
    if scores.shape != truth.shape or not bool(((truth == 0) | (truth == 1)).all()):
        return [], "the labels are not 0 and 1 for each class"
    if classes == 1:
        return [Column(name=TARGET, scores=scores[:, 0], truth=truth[:, 0] == 1)], ""
    opposite = classes == 2 and bool(torch.isclose(scores.sum(1), torch.ones(1).double(), atol=1e-4).all())
    opposite = opposite and bool((truth.sum(1) == 1).all())
    return [
        Column(name=f"class_{c + 1}", scores=scores[:, c], truth=truth[:, c] == 1)
        for c in range(1 if opposite else 0, classes)
    ], ""


def labels_of(
    metric: str, columns: Sequence[Column], cases: Cases, known: Sequence[BinaryScores], threshold: float | None
) -> list[BinaryScores]:
    """Tables of the classes that are not known yet.

    Args:
        metric: name of the metric, which stands before a class whose name is taken.
        columns: of the cases, in their order.
        cases: the cases.
        known: tables of other metrics; one that holds the same scores and labels is not repeated.
        threshold: score from which on a case is decided positive; ``None`` for no decisions.
    """
    out: list[BinaryScores] = []
    for column in columns:
        if any(column.same(table.y_score, table.y_true) for table in known):
            continue
        taken = {table.target for table in known}
        scores = tuple(column.scores.tolist())
        table = BinaryScores(
            target=f"{metric}_{column.name}" if column.name in taken else column.name,
            cases=cases.keys,
            patients=cases.patients,
            y_true=tuple(column.truth.tolist()),
            y_score=scores,
            probabilities=all(0 <= score <= 1 for score in scores),
            groups=cases.groups,
        )
        if threshold is not None:
            table = table.decided(threshold, decided_by=DECIDED_BY.format(threshold))
        out.append(table)
    return out
