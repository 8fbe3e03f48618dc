# SPDX-License-Identifier: Apache-2.0
"""Who is in a set of images: patients, cases and groups, with no score needed; and the population it is meant for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from monai_ethics.errors import InputError
from monai_ethics.evidence import FrozenDict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.cases import CaseTable
from monai_ethics.fairness.data.scores import ScoreTable

__all__ = ["Roster", "TargetPopulation"]

ROUNDING = 0.011  # published shares are often given to two digits


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPopulation:
    """The population a model is meant for, as somebody declared it.

    Args:
        shares: label to its share of the population, for one attribute; sum 1 within rounding.
        source: who says so.

    Raises:
        InputError: if shares are negative, do not add up to 1, or have no source.
    """

    shares: Mapping[str, float]
    source: str

    def __post_init__(self) -> None:
        shares = {str(label): float(self.shares[label]) for label in sorted(self.shares)}
        object.__setattr__(self, "shares", FrozenDict(shares))
        total = math.fsum(shares.values())
        if any(not 0 <= share <= 1 for share in shares.values()) or abs(total - 1) > ROUNDING:
            raise InputError(
                f"The shares of a target population must lie in 0 to 1 and add up to 1: got a sum of {total:.3g}. "
                "Add the labels that are missing."
            )
        if not self.source.strip():
            raise InputError("A target population must have a source: got none. Name the census, registry or policy.")

    @property
    def scaled(self) -> dict[str, float]:
        """The shares, adding up to 1 exactly."""
        total = math.fsum(self.shares.values())
        return {label: share / total for label, share in self.shares.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster(CaseTable):
    """Cases with their patients and groups.

    Args:
        cases: unique key of each case, length ``N``.
        patients: patient of each case, length ``N``; equal to `cases` when not known.
        groups: attribute to the label of each case; ``None`` = not recorded.
        positives: whether each case is positive, length ``N``; empty if there is no such thing.
        outcome: what a positive is, such as ``"pneumonia"``; empty if there is none.
        target: attribute to the population declared for it.
        obtained: attribute to how its labels were obtained (self-report, DICOM tag, site table).

    Raises:
        InputError: if lengths differ or cases repeat.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("cases", "patients", "positives")

    cases: tuple[str, ...]
    patients: tuple[str, ...]
    groups: Mapping[str, tuple[str | None, ...]] = field(default_factory=FrozenDict)
    positives: tuple[bool, ...] = ()
    outcome: str = ""
    target: Mapping[str, TargetPopulation] = field(default_factory=FrozenDict)
    obtained: Mapping[str, str] = field(default_factory=FrozenDict)

    def __post_init__(self) -> None:
        for name in ("cases", "patients"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "positives", tuple(map(bool, self.positives)))
        groups = {str(name): tuple(self.groups[name]) for name in sorted(self.groups)}
        object.__setattr__(self, "groups", FrozenDict(groups))
        for name in ("target", "obtained"):
            given: Mapping[str, Any] = getattr(self, name)
            object.__setattr__(self, name, {key: given[key] for key in sorted(given)})
        n = len(self.cases)
        if any(len(column) != n for column in (self.patients, *groups.values())) or len(self.positives) not in (0, n):
            raise InputError("Every column must have one entry per case: got other lengths. Pass None where unknown.")
        self._check_cases()

    def declared(
        self, target: Mapping[str, TargetPopulation] | None = None, obtained: Mapping[str, str] | None = None
    ) -> Self:
        """The same cases with a declared target population, and with how attributes were obtained."""
        return replace(self, target={**self.target, **(target or {})}, obtained={**self.obtained, **(obtained or {})})

    @classmethod
    def of_scores(cls, table: ScoreTable) -> Self:
        """Every case of a score table, scored or not."""
        return cls(cases=table.cases, patients=table.patients, groups=table.groups)

    @classmethod
    def of_labels(cls, data: BinaryScores) -> Self:
        """Every case of a classifier's table, with its outcome."""
        return cls(
            cases=data.cases,
            patients=data.patients,
            groups=data.groups,
            positives=data.y_true,
            outcome=data.target,
        )
