# SPDX-License-Identifier: Apache-2.0
"""Counts of one cell of a cross table: patients, cases, positives, and what repeated patients cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from monai_ethics.fairness.data.roster import Roster
from monai_ethics.statistics.intervals import effective_cases

__all__ = ["FEWEST_SHOWN", "VEILED", "CellCount", "count_cell", "patients_by_label", "rows_by_label", "veiled"]

Label = TypeVar("Label", bound=Hashable)
FEWEST_SHOWN = 5  # patients; a smaller count may point to somebody

VEILED = f"fewer than {FEWEST_SHOWN} patients: outcomes of single people are not shown"


def veiled(patients: int, min_group_size: int) -> bool:
    """Whether a group that is not judged is so small that counts of its outcomes would tell a patient's outcome."""
    return patients < min(FEWEST_SHOWN, min_group_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCount:
    """Who is in a cell.

    Args:
        patients: different patients.
        cases: cases.
        positives: positive cases.
        positive_patients: patients with a positive case.
        design_effect: cases by the independent cases they are worth; ``None`` where the outcome has no spread.
    """

    patients: int
    cases: int
    positives: int = 0
    positive_patients: int = 0
    design_effect: float | None = None

    @property
    def hidden(self) -> bool:
        """Whether the cell holds somebody, but too few to be shown."""
        return 0 < self.patients < FEWEST_SHOWN


def rows_by_label(labels: Sequence[Label]) -> dict[Label, list[int]]:
    """Positions of the cases of each label."""
    rows: defaultdict[Label, list[int]] = defaultdict(list)
    for position, label in enumerate(labels):
        rows[label].append(position)
    return dict(rows)


def count_cell(data: Roster, rows: Sequence[int]) -> CellCount:
    """Count the cases at these positions."""
    cases: defaultdict[str, int] = defaultdict(int)
    positives: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        cases[data.patients[row]] += 1
        if data.positives and data.positives[row]:
            positives[data.patients[row]] += 1
    people = sorted(cases)
    hits = sum(positives.values())
    effect = None
    if 0 < hits < len(rows) and len(people) > 1:
        bottoms = np.array([cases[name] for name in people], dtype=np.float64)
        worth = effective_cases(np.array([positives.get(name, 0) for name in people], dtype=np.float64), bottoms)
        effect = None if not worth else len(rows) / worth
    return CellCount(
        patients=len(people), cases=len(rows), positives=hits, positive_patients=len(positives), design_effect=effect
    )


def patients_by_label(data: Roster, attribute: str) -> tuple[dict[str, int], int]:
    """Patients of each recorded label, and the number of patients that have several."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for patient, label in zip(data.patients, data.groups[attribute], strict=True):
        if label is not None:
            found[patient].add(label)
    counts: defaultdict[str, int] = defaultdict(int)
    for labels in found.values():
        if len(labels) == 1:
            counts[next(iter(labels))] += 1
    return dict(counts), sum(len(labels) > 1 for labels in found.values())
