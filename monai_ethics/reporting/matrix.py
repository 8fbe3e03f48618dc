# SPDX-License-Identifier: Apache-2.0
"""Gaps as a matrix: what was compared down, by which attribute across."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monai_ethics.evidence import UNJUDGED
from monai_ethics.reporting.asked import Asked
from monai_ethics.reporting.shapes import attribute_label, subject_label

__all__ = ["Matrix", "matrix_of", "overview_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Gaps: a row for each subject, a column for each attribute."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Asked | None, ...]], ...]

    def most(self, subject: str) -> float:
        """Largest number drawn in a row: the row's scale."""
        cells = next(cells for name, cells in self.rows if name == subject)
        gaps = [cell.gap for cell in cells if cell is not None and cell.gap is not None]
        drawn = [row.value for gap in gaps for row in (gap.observed, gap.null_high) if row is not None]
        return max((value for value in drawn if value is not None), default=0.0)


def matrix_of(items: Sequence[Asked]) -> Matrix | None:
    """The matrix of one check, or ``None`` if its findings are not gaps, one for each cell."""
    if len(items) < 2 or any(item.gap is None and item.finding.verdict not in UNJUDGED for item in items):
        return None
    return _arranged(items)


def overview_of(items: Sequence[Asked]) -> Matrix | None:
    """The matrix of every comparison of groups, whatever the check; ``None`` if one check holds them all."""
    compared = [item for item in items if _compares(item)]
    if len({item.finding.check for item in compared}) < 2:
        return None  # the matrix of that check is the overview
    return _arranged(compared, named=True)


def _compares(item: Asked) -> bool:
    """Whether it compares the groups of an attribute, or was asked to."""
    return item.gap is not None or (item.finding.verdict in UNJUDGED and bool(item.finding.parameters.get("attribute")))


def _arranged(items: Sequence[Asked], *, named: bool = False) -> Matrix | None:
    """Rows and columns; `named` tells findings of one cell apart by their check, otherwise there is no matrix."""
    runs = {item.finding.run for item in items}
    cells: dict[str, dict[str, Asked]] = {}
    columns: dict[str, None] = {}
    for item in items:
        attribute = attribute_label(item.finding)
        subject = subject_label(item.finding) or item.finding.title
        subject += f" ({item.finding.run})" if len(runs) > 1 else ""
        if named and attribute in cells.get(subject, {}):
            subject = f"{subject or item.finding.title} ({item.finding.check.rpartition('.')[2].replace('_', ' ')})"
        if attribute in cells.setdefault(subject, {}):
            if not named:
                return None  # two findings for one cell: the list below shows both, a matrix would hide one
            subject = f"{subject} {item.anchor}"
            cells[subject] = {}
        columns.setdefault(attribute)
        cells[subject][attribute] = item
    rows = tuple((subject, tuple(row.get(column) for column in columns)) for subject, row in cells.items())
    return Matrix(columns=tuple(columns), rows=rows)
