# SPDX-License-Identifier: Apache-2.0
"""Scores of models trained on mixes of real and synthetic images: one row per test case of one training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from monai_ethics.errors import InputError

__all__ = ["ARMS", "DESIGNS", "TESTED_ON", "Recipe", "SweepTable", "arm_of"]

DESIGNS = ("fixed_total", "fixed_real")
TESTED_ON = ("real", "synthetic")
ARMS = ("train-real", "train-mixed", "train-synthetic")
LARGEST = 1e15  # of a score: its square has to stay finite in sums
COLUMNS = ("designs", "real_fractions", "seeds", "cases", "patients", "tested_on", "values")


def arm_of(real_fraction: float) -> str:
    """The arm that a share of real training items belongs to."""
    return ARMS[0] if real_fraction == 1 else ARMS[2] if real_fraction == 0 else ARMS[1]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Recipe:
    """How a model was trained, apart from the seed.

    Args:
        design: ``"fixed_total"`` (equally many items at every share) or ``"fixed_real"`` (synthetic ones are added).
        real_fraction: share of real items among the training items, 0 to 1.
    """

    design: str
    real_fraction: float

    @property
    def group(self) -> dict[str, str]:
        """The recipe as an estimate names it."""
        return {"design": self.design, "real_fraction": f"{self.real_fraction:.4g}"}

    @property
    def baseline(self) -> Recipe:
        """What it is compared with: training on real items alone in the same design."""
        return replace(self, real_fraction=1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class SweepTable:
    """Scores by training and test case.

    Args:
        metric: name of the score, such as ``"dice"``.
        designs: design of each row's training, one of `DESIGNS`, shape ``(N,)``.
        real_fractions: share of real items in it, shape ``(N,)``.
        seeds: seed of it, shape ``(N,)``.
        cases: test case of each row; a case may stand in several rows of a training, once for each region.
        patients: patient of the case; of a synthetic test image what it was generated with, such as its batch.
        values: score of the case; ``None`` where it is not defined.
        tested_on: ``"real"`` or ``"synthetic"``; all are real if not given.
        groups: attribute to the label of each row, such as sex, region or ``roi_size_band``; ``None`` = not recorded.
        unit: unit of the score.
        higher_is_better: ``None`` if not known.

    Raises:
        InputError: if lengths differ, a share or a word is none, or a row stands twice.
    """

    metric: str
    designs: Sequence[str]
    real_fractions: Sequence[float]
    seeds: Sequence[int]
    cases: Sequence[str]
    patients: Sequence[str]
    values: Sequence[float | None]
    tested_on: Sequence[str] | None = None
    groups: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    unit: str = "1"
    higher_is_better: bool | None = True

    def __post_init__(self) -> None:
        if self.tested_on is None:
            object.__setattr__(self, "tested_on", ("real",) * len(self.cases))
        for name in COLUMNS:
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "groups", {name: tuple(column) for name, column in self.groups.items()})
        columns = {name: getattr(self, name) for name in COLUMNS} | dict(self.groups)
        for name, column in columns.items():
            if len(column) != len(self.cases):
                raise InputError(
                    f"`{name}` must have one entry for each of the {len(self.cases)} rows: got {len(column)}. "
                    "Give one for each."
                )
        self._sound()

    def _sound(self) -> None:
        if not {*self.designs} <= {*DESIGNS} or not {*(self.tested_on or ())} <= {*TESTED_ON}:
            raise InputError(
                f"A design must be {' or '.join(DESIGNS)}, and a test {' or '.join(TESTED_ON)}: got another word. "
                "Rename it."
            )
        if not all(0 <= fraction <= 1 for fraction in self.real_fractions):
            raise InputError("A real_fraction must lie between 0 (synthetic only) and 1 (real only): got another.")
        if not all(value is None or abs(value) <= LARGEST for value in self.values):
            raise InputError(
                "Scores must be finite and below 1e15, or empty where they are not defined: got others. Leave them out."
            )
        rows = [*zip(self.designs, self.real_fractions, self.seeds, self._keys(), strict=True)]
        if len({*rows}) != len(rows):
            raise InputError(
                "A case must stand once in each training, or once for each label of a group such as region: "
                "got one twice. Remove the repeated rows."
            )

    def _keys(self) -> list[tuple[str | None, ...]]:
        """What tells the rows of one training apart."""
        columns: list[Sequence[str | None]] = [self.groups[name] for name in sorted(self.groups)]
        return [*zip(self.tested_on or (), self.cases, *columns, strict=True)]

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def recipes(self) -> list[Recipe]:
        """Every way of training in the table, sorted."""
        pairs = {*zip(self.designs, self.real_fractions, strict=True)}
        return sorted(Recipe(design=design, real_fraction=fraction) for design, fraction in pairs)

    def reordered(self, order: Sequence[int]) -> SweepTable:
        """The same table with its first rows in another order; rows beyond ``len(order)`` stay."""
        rows = [*order, *range(len(order), len(self))]
        changes: dict[str, Any] = {name: tuple(getattr(self, name)[i] for i in rows) for name in COLUMNS}
        changes["groups"] = {name: tuple(column[i] for i in rows) for name, column in self.groups.items()}
        return replace(self, **changes)

    def canonical(self) -> SweepTable:
        """The same table in an order that depends on its content only."""
        keys = self._keys()
        texts = [tuple("" if part is None else part for part in key) for key in keys]
        order = sorted(
            range(len(self)),
            key=lambda i: (self.designs[i], self.real_fractions[i], self.seeds[i], *texts[i], self.patients[i]),
        )
        return self.reordered(order)
