# SPDX-License-Identifier: Apache-2.0
"""Labels, scores and decisions of a classifier for one target, with the patient and the groups of each case."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from monai_ethics.errors import InputError
from monai_ethics.evidence import FrozenDict
from monai_ethics.fairness.data.cases import CaseTable
from monai_ethics.fairness.data.scores import LARGEST_SCORE

__all__ = ["BinaryScores"]

_KEY = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryScores(CaseTable):
    """What a classifier said about one target, case by case. Cases of one patient are no independent cases.

    Args:
        target: what is told apart, such as ``"pneumonia"``; characters of ``[A-Za-z0-9_.-]``.
        cases: unique key of each case, length ``N``.
        patients: patient of each case, length ``N``; equal to `cases` when not known.
        y_true: whether each case is positive, length ``N``.
        y_score: score of each case, higher = more likely positive, length ``N``; empty if only decisions are known.
        y_pred: decision for each case, length ``N``; empty if only scores are known.
        probabilities: whether the scores are meant as probabilities of being positive.
        threshold: score from which on a case is decided positive; ``None`` if the decisions came with the file or
            there are none.
        decided_by: where the decisions come from, printed; empty if there are none.
        groups: attribute to the label of each case; ``None`` = not recorded.

    Raises:
        InputError: if lengths differ, cases repeat, a score is not finite or beyond 1e100, or a
            probability is outside 0 to 1.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("cases", "patients", "y_true", "y_score", "y_pred")

    target: str
    cases: tuple[str, ...]
    patients: tuple[str, ...]
    y_true: tuple[bool, ...]
    y_score: tuple[float, ...] = ()
    y_pred: tuple[bool, ...] = ()
    probabilities: bool = False
    threshold: float | None = None
    decided_by: str = ""
    groups: Mapping[str, tuple[str | None, ...]] = field(default_factory=FrozenDict)

    def __post_init__(self) -> None:
        for name in ("cases", "patients"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "y_true", tuple(map(bool, self.y_true)))
        object.__setattr__(self, "y_pred", tuple(map(bool, self.y_pred)))
        object.__setattr__(self, "y_score", tuple(map(float, self.y_score)))
        groups = {str(name): tuple(self.groups[name]) for name in sorted(self.groups)}
        object.__setattr__(self, "groups", FrozenDict(groups))
        self._check_columns()
        self._check_scores()

    def _check_columns(self) -> None:
        if not _KEY.fullmatch(self.target):
            raise InputError("A target's name must be made of [A-Za-z0-9_.-]: got another character. Rename it.")
        n = len(self.cases)
        full = (self.patients, self.y_true, *self.groups.values())
        if any(len(column) != n for column in full) or any(len(c) not in (0, n) for c in (self.y_score, self.y_pred)):
            raise InputError("Every column must have one entry per case: got other lengths. Pass None where unknown.")
        self._check_cases()

    def _check_scores(self) -> None:
        for position, score in enumerate(self.y_score):
            if not abs(score) <= LARGEST_SCORE:
                raise InputError(
                    f"Scores must be finite and of a size up to {LARGEST_SCORE:g}: got another at case {position}. "
                    "Leave the case out."
                )
            if self.probabilities and not 0 <= score <= 1:
                raise InputError(f"Probabilities must lie between 0 and 1: case {position} does not. Correct it.")
        if self.y_pred and not self.decided_by:
            raise InputError("Decisions must say where they come from: got none. Fill `decided_by`.")

    def decided(self, threshold: float, *, decided_by: str) -> Self:
        """The same scores, decided positive from `threshold` on.

        Args:
            threshold: finite; chosen on other data than these.
            decided_by: where it was chosen, printed.

        Raises:
            InputError: if there are no scores, or the threshold is not finite.
        """
        if not math.isfinite(threshold):
            raise InputError(
                "A threshold must be a finite number: got another. Give one that was chosen on other data."
            )
        if len(self) and not self.y_score:
            raise InputError("Expected scores to decide by a threshold: got decisions only. Leave the threshold out.")
        decisions = tuple(score >= threshold for score in self.y_score)
        return replace(self, y_pred=decisions, threshold=float(threshold), decided_by=decided_by)
