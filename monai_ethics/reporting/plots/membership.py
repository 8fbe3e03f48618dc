# SPDX-License-Identifier: Apache-2.0
"""Copies of training patients: how many were counted beside how many are needed to notice."""

from __future__ import annotations

from monai_ethics.evidence import Estimate, Finding
from monai_ethics.reporting.plots.style import BAND, BLUE, MUTED, ORANGE, Canvas, Picture, draw
from monai_ethics.reporting.quantity import group_label, number

__all__ = ["membership"]

TOP, PITCH, BAR = 0.4, 0.8, 0.36  # inches


def _named(finding: Finding, *words: str) -> list[Estimate]:
    """Estimates of the first name that begins with one of the words, in every space."""
    found = [
        row
        for row in finding.estimates
        if row.value is not None and row.unit != "1" and any(row.name.startswith(word) for word in words)
    ]
    return [row for row in found if row.name == found[0].name]


def membership(finding: Finding, *, salt: str) -> Picture | None:
    """Draw the count of training patients closer than every held-out patient beside the detectable count."""
    observed, needed_of = _named(finding, "closer", "members"), _named(finding, "smallest_detectable")
    if not observed or not needed_of:
        return None
    expected = next(iter(_named(finding, "expected_closer")), None)
    needed = float(needed_of[0].value or 0)
    most = max(float(row.value or 0) for row in observed)
    right = max(most, needed) * 1.2 + 1

    def paint(canvas: Canvas) -> None:
        canvas.text(0.3, 0.14, "up to the end of the pale band copying would go unnoticed", color=MUTED, fontsize=9)
        for place, row in enumerate(observed):
            _paint(canvas, row, top=TOP + PITCH * place, needed=needed, expected=expected, right=right)
        words = "training patients closer to a synthetic image than every held-out patient"
        canvas.text(
            canvas.width / 2, TOP + PITCH * len(observed) + 0.1, words, width=90, ha="center", color=MUTED, fontsize=9
        )

    spaces = " Each way of looking at the images has a bar of its own." if len(observed) > 1 else ""
    return Picture(
        svg=draw(TOP + PITCH * len(observed) + 0.25, paint, salt=salt),
        caption="Training patients that lie closer to some synthetic image than every held-out patient does. Without "
        "copying only few are expected (dashed tick, where it is known); the pale band ends at the smallest number "
        f"that this test can tell from chance.{spaces}",
        alt=f"{'; '.join(_told(row) for row in observed)} training patients counted; {number(needed, 'patients')} "
        "needed to notice.",
    )


def _told(row: Estimate) -> str:
    count = number(row.value, "patients")
    return f"{count} in {group_label(row.group)}" if row.group else count


def _paint(
    canvas: Canvas, row: Estimate, *, top: float, needed: float, expected: Estimate | None, right: float
) -> None:
    count = float(row.value or 0)
    if row.group:
        where = ", ".join(str(label) for label in row.group.values())
        canvas.text(0.3, top, where, width=70, fontsize=9, fontweight="bold")
    axes = canvas.axes(left=0.3, top=top + 0.1, right=0.3, height=BAR)
    axes.set(xlim=(0, right), ylim=(-1, 1))
    axes.barh(0, needed, height=1.2, color=BAND)
    axes.barh(0, count, height=0.55, color=ORANGE if count >= needed else BLUE)
    if expected is not None and expected.value is not None:
        axes.plot([expected.value] * 2, [-0.75, 0.75], color=MUTED, linewidth=1.5, linestyle=(0, (2, 2)))
    axes.text(count, 0, f"  {number(count, 'patients')}", va="center", fontweight="bold", parse_math=False)
    axes.xaxis.get_major_locator().set_params(integer=True)
