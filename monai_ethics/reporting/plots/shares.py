# SPDX-License-Identifier: Apache-2.0
"""Shares by group, such as failure rates: bars from zero with their intervals."""

from __future__ import annotations

from monai_ethics.evidence import Finding
from monai_ethics.reporting.plots.few import few
from monai_ethics.reporting.plots.rows import lines_by_attribute, paint_rows, span
from monai_ethics.reporting.plots.style import Picture
from monai_ethics.reporting.shapes import grouped
from monai_ethics.reporting.telling import brief, capital, spoken

__all__ = ["shares"]


def shares(finding: Finding, name: str, *, salt: str) -> Picture:
    """Draw one share by group on an axis that begins at zero."""
    rows, left = few(grouped(finding, name))
    lines = lines_by_attribute(rows)
    counted = "cases" if rows[0].n_unit in ("cases", "patients") else rows[0].n_unit
    high = span(lines, include=(0.0,))[1]
    svg = paint_rows(
        lines, axis=f"{brief(name)} (share of {counted})", limits=(0.0, min(high, 1.03)), salt=salt, bars=True
    )
    return Picture(
        svg=svg,
        caption=f"{capital(spoken(name))} by group: the bar is the share, the line its interval.{left}",
        alt=f"Bars of the {brief(name)} in {sum(1 for row in rows if row.group)} groups; "
        "the table below holds every number.",
        title=f"{brief(name)} by group",
    )
