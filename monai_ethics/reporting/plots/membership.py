# SPDX-License-Identifier: Apache-2.0
"""Copies of training patients: how many were counted beside how many are needed to notice."""

from __future__ import annotations

from monai_ethics.evidence import Estimate, Finding
from monai_ethics.reporting.plots.style import BAND, BLUE, MUTED, ORANGE, Canvas, Picture, draw
from monai_ethics.reporting.quantity import number

__all__ = ["membership"]


def _named(finding: Finding, *words: str) -> Estimate | None:
    for row in finding.estimates:
        if row.value is not None and row.unit != "1" and any(row.name.startswith(word) for word in words):
            return row
    return None


def membership(finding: Finding, *, salt: str) -> Picture | None:
    """Draw the count of training patients closer than every held-out patient beside the detectable count."""
    observed, detectable = _named(finding, "closer", "members"), _named(finding, "smallest_detectable")
    if observed is None or detectable is None:
        return None
    expected = _named(finding, "expected_closer")
    count, needed = float(observed.value or 0), float(detectable.value or 0)

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes(left=0.3, top=0.55, right=0.3, height=0.5)
        axes.set(xlim=(0, max(count, needed) * 1.2 + 1), ylim=(-1, 1))
        axes.barh(0, needed, height=1.2, color=BAND)
        beyond = count >= needed
        axes.barh(0, count, height=0.55, color=ORANGE if beyond else BLUE)
        axes.text(
            0, 1.3, " up to here copying would go unnoticed", va="bottom", color=MUTED, fontsize=9, parse_math=False
        )
        if expected is not None and expected.value is not None:
            axes.plot([expected.value] * 2, [-0.75, 0.75], color=MUTED, linewidth=1.5, linestyle=(0, (2, 2)))
        axes.text(count, 0, f"  {number(count, 'patients')}", va="center", fontweight="bold", parse_math=False)
        axes.xaxis.get_major_locator().set_params(integer=True)
        words = "training patients closer to a synthetic image than every held-out patient"
        canvas.text(canvas.width / 2, 1.43, words, width=90, ha="center", color=MUTED, fontsize=8.5)

    return Picture(
        svg=draw(1.6, paint, salt=salt),
        caption="Training patients that lie closer to some synthetic image than every held-out patient does. Without "
        "copying only few are expected (dashed tick, where it is known); the pale band ends at the smallest number "
        "that this test can tell from chance.",
        alt=f"{number(count, 'patients')} training patients counted; {number(needed, 'patients')} needed to notice.",
    )
