# SPDX-License-Identifier: Apache-2.0
"""Labels, scores and decisions of a classifier that chooses one of several classes, case by case."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import FrozenDict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.cases import CaseTable
from monai_ethics.fairness.data.scores import LARGEST_SCORE

__all__ = ["TOP_ONE_RATES", "ClassScores", "clean_name", "is_top_one"]

_KEY = re.compile(r"[A-Za-z0-9_.-]+")
BY_HIGHEST = "the class with the highest score"
#: Rates of `ClassScores.top_one` that mean anything: there is no negative case in it.
TOP_ONE_RATES = ("accuracy",)
_TOP_ONE = "_top_one"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores(CaseTable):
    """What a classifier said of each case, one of several classes. Cases of one patient are no independent cases.

    Args:
        target: what is classified, such as ``"tissue"``; characters of ``[A-Za-z0-9_.-]``.
        cases: unique key of each case, length ``N``.
        patients: patient of each case, length ``N``; equal to `cases` when not known.
        classes: the classes, length ``C >= 2``, all different.
        y_true: class of each case, length ``N``.
        y_score: a score per class of each case, shape ``(N, C)``, higher = more likely; empty if not known.
        y_pred: class decided for each case, length ``N``; empty if only scores are known.
        probabilities: whether the scores are meant as probabilities of each class.
        decided_by: where the decisions come from, printed; empty if there are none.
        groups: attribute to the label of each case; ``None`` = not recorded.

    Raises:
        InputError: if lengths differ, cases or classes repeat, a class is unknown, a score is not finite or
            beyond 1e100, or a probability is outside 0 to 1.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("cases", "patients", "y_true", "y_pred", "y_score")

    target: str
    cases: tuple[str, ...]
    patients: tuple[str, ...]
    classes: tuple[str, ...]
    y_true: tuple[str, ...]
    y_score: tuple[tuple[float, ...], ...] = ()
    y_pred: tuple[str, ...] = ()
    probabilities: bool = False
    decided_by: str = ""
    groups: Mapping[str, tuple[str | None, ...]] = field(default_factory=FrozenDict)

    def __post_init__(self) -> None:
        for name in ("cases", "patients", "classes", "y_true", "y_pred"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "y_score", tuple(tuple(map(float, row)) for row in self.y_score))
        groups = {str(name): tuple(self.groups[name]) for name in sorted(self.groups)}
        object.__setattr__(self, "groups", FrozenDict(groups))
        self._check_columns()
        self._check_classes()
        self._check_scores()

    def _check_columns(self) -> None:
        if not _KEY.fullmatch(self.target):
            raise InputError("A target's name must be made of [A-Za-z0-9_.-]: got another character. Rename it.")
        n = len(self.cases)
        full = (self.patients, self.y_true, *self.groups.values())
        if any(len(column) != n for column in full) or any(len(c) not in (0, n) for c in (self.y_score, self.y_pred)):
            raise InputError("Every column must have one entry per case: got other lengths. Pass None where unknown.")
        self._check_cases()
        if self.y_pred and not self.decided_by:
            raise InputError("Decisions must say where they come from: got none. Fill `decided_by`.")

    def _check_classes(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise InputError("Expected at least 2 different classes: got fewer, or one twice. Name each class once.")
        if any(not isinstance(name, str) or not name for name in self.classes):
            raise InputError(
                "Classes must be named by text: got another type or an empty one. Convert them with str()."
            )
        known = set(self.classes)
        for column in (self.y_true, self.y_pred):
            for position, name in enumerate(column):
                if name not in known:
                    raise InputError(f"Every class must be one of `classes`: case {position} has another. Add it.")

    def _check_scores(self) -> None:
        for position, row in enumerate(self.y_score):
            if len(row) != len(self.classes):
                raise InputError(f"Every case needs a score for each class: case {position} has others. Fill them.")
            if not all(abs(score) <= LARGEST_SCORE for score in row):
                raise InputError(
                    f"Scores must be finite and of a size up to {LARGEST_SCORE:g}: got another at case {position}. "
                    "Leave the case out."
                )
            if self.probabilities and not all(0 <= score <= 1 for score in row):
                raise InputError(f"Probabilities must lie between 0 and 1: case {position} does not. Correct it.")

    def decisions(self) -> tuple[tuple[str, ...], str]:
        """Class decided for each case, and by what: `y_pred` where there is one, else the class with the highest score.

        Where scores tie, the first of `classes` is taken. Empty without decisions and scores.
        """
        if self.y_pred or not self.y_score:
            return self.y_pred, self.decided_by
        return tuple(self.classes[row.index(max(row))] for row in self.y_score), BY_HIGHEST

    def one_vs_rest(self) -> list[BinaryScores]:
        """One table for each class: positive = of that class.

        Returns:
            In the order of `classes`, targets named by the class, with the class's own score and the decisions.

        Raises:
            InputError: if two classes have the same name once cleaned to ``[A-Za-z0-9_.-]``.
        """
        names = [clean_name(name) for name in self.classes]
        if clash := [name for name, count in Counter(names).items() if count > 1]:
            raise InputError(
                f"Classes must differ in letters, digits or one of _.-: {len(clash)} do not. Rename one of them."
            )
        decided, by = self.decisions()
        return [self._against(name, column, names[column], decided, by) for column, name in enumerate(self.classes)]

    def _against(self, name: str, column: int, target: str, decided: tuple[str, ...], by: str) -> BinaryScores:
        return BinaryScores(
            target=target,
            cases=self.cases,
            patients=self.patients,
            y_true=tuple(label == name for label in self.y_true),
            y_score=tuple(row[column] for row in self.y_score),
            y_pred=tuple(label == name for label in decided),
            probabilities=self.probabilities,
            decided_by=by,
            groups=self.groups,
        )

    def top_one(self) -> BinaryScores | None:
        """Whether the class decided is the true one, as a table whose `accuracy` is the accuracy of the classes.

        Every case is positive ("a class is to be found") and is decided positive where the class is right, so that
        accuracy is a rate over all cases like any other, by patient. Only the rates in `TOP_ONE_RATES` mean anything.
        Accuracy depends on how often each class occurs in a group: read it beside the rates of `one_vs_rest`.

        Returns:
            The table, or ``None`` if nothing was decided.
        """
        decided, by = self.decisions()
        if len(self) and not decided:
            return None
        return BinaryScores(
            target=f"{self.target}{_TOP_ONE}",
            cases=self.cases,
            patients=self.patients,
            y_true=(True,) * len(self),
            y_pred=tuple(found == truth for found, truth in zip(decided, self.y_true, strict=True)),
            decided_by=by,
            groups=self.groups,
        )


def clean_name(name: str) -> str:
    """A class's or a target's name in the characters that names of targets may have."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name.strip()).strip("_") or "_"


def is_top_one(data: BinaryScores) -> bool:
    """Whether a table is what `ClassScores.top_one` gives, whose accuracy alone means anything."""
    return data.target.endswith(_TOP_ONE) and all(data.y_true) and not data.y_score
