# SPDX-License-Identifier: Apache-2.0
"""Forest plot: each group's value with its interval, beside everyone's."""

from __future__ import annotations

from monai_ethics.evidence import Finding
from monai_ethics.reporting.plots.few import few
from monai_ethics.reporting.plots.rows import lines_by_attribute, paint_rows, span
from monai_ethics.reporting.plots.style import Picture
from monai_ethics.reporting.quantity import unit_label
from monai_ethics.reporting.shapes import direction, grouped, label
from monai_ethics.reporting.telling import brief, capital, spoken

__all__ = ["forest"]


def forest(finding: Finding, name: str, *, salt: str, lead: bool = True) -> Picture:
    """Draw one estimate of the finding by group."""
    rows, left = few(grouped(finding, name))
    unit = unit_label(rows[0].unit)
    better = {True: " → better", False: " ← better", None: ""}[direction(finding, name)]
    axis = f"{brief(name)} of {label(finding) or 'the score'}{f' [{unit}]' if unit else ''}{better}"
    whole = next((row.value for row in rows if not row.group), None)
    lines = lines_by_attribute(rows)
    part = " n counts those with a defined value, of all in the group." if any(r.n_valid != r.n for r in rows) else ""
    svg = paint_rows(lines, axis=axis, limits=span(lines), salt=salt, mark=whole)
    return Picture(
        svg=svg,
        caption=f"{capital(spoken(name))} by group. The dot is the value, the line its interval; a "
        f"long line means that the value is not known well. The dashed line is the value of everyone together.{part}"
        f"{left}",
        alt=f"Forest plot of the {brief(name)} in {sum(1 for row in rows if row.group)} groups; "
        "the table below holds every number.",
        title=f"{brief(name)} by group",
        lead=lead,
    )
