# SPDX-License-Identifier: Apache-2.0
"""What training on synthetic images changed: differences from training on real images alone, around zero."""

from __future__ import annotations

from monai_ethics.evidence import Estimate, Finding
from monai_ethics.reporting.plots.few import few
from monai_ethics.reporting.plots.rows import lines_by_attribute, paint_rows, span
from monai_ethics.reporting.plots.style import Picture
from monai_ethics.reporting.quantity import unit_label
from monai_ethics.reporting.shapes import direction, grouped
from monai_ethics.reporting.telling import capital, heading, spoken

__all__ = ["NAMES", "changes"]

NAMES = ("difference_recipe", "difference_models")  # the first with an interval is drawn


def changes(finding: Finding, *, salt: str) -> Picture | None:
    """Draw the change that each mix of real and synthetic images made, for everyone and for each group."""
    name = next((name for name in NAMES if any(row.low is not None for row in grouped(finding, name))), None)
    if name is None:
        return None
    rows, left = few(sorted(grouped(finding, name), key=_place))
    lines = lines_by_attribute(rows)
    unit = unit_label(rows[0].unit)
    better = {True: ": better to the right", False: ": better to the left", None: ""}[direction(finding)]
    keys = ", ".join(dict.fromkeys(heading(key) for row in rows for key in row.group))
    return Picture(
        svg=paint_rows(
            lines,
            axis=f"change{f' [{unit}]' if unit else ''}{better}",
            limits=span(lines, include=(0.0,)),
            salt=salt,
            mark=0.0,
        ),
        caption=f"{capital(spoken(name))}, by {keys}. A mix whose interval lies on one side of the dashed line changed "
        "the performance on real patients; one that crosses it does not show that nothing changed. A real share of 0 "
        f"is training on synthetic images alone.{left}",
        alt=f"{len(rows)} changes against training on real images alone; the table below holds every number.",
        title="change by mix",
    )


def _place(row: Estimate) -> tuple[int, tuple[str, ...]]:
    return len(row.group), tuple(str(label) for label in row.group.values())
