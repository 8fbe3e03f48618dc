# SPDX-License-Identifier: Apache-2.0
"""The observed gap among the gaps that shuffled labels gave."""

from __future__ import annotations

from typing import Any

from monai_ethics.evidence import Curve, Estimate, Finding
from monai_ethics.reporting.plots.style import BAND, BLUE, GRID, INK, MUTED, ORANGE, Canvas, Picture, draw
from monai_ethics.reporting.quantity import number, unit_label
from monai_ethics.reporting.shapes import Gap, gap_of

__all__ = ["among_chance"]

LEFT, TOP, BODY, FOOT = 0.3, 0.75, 1.15, 0.6  # inches


def among_chance(finding: Finding, *, salt: str) -> Picture | None:
    """Draw the distribution of the gap under shuffled labels with the observed gap; ``None`` without its curve."""
    gap = gap_of(finding)
    curve = next((curve for curve in finding.curves if curve.name == "gap_null" and not curve.group), None)
    if gap is None or gap.observed.value is None or curve is None or len(curve.x) < 2:
        return None
    unit = gap.observed.unit
    beyond = gap.beyond_chance
    answer = {
        None: "No test stands beside it.",
        True: "The test tells the difference from chance, at the level that the finding states.",
        False: "The test does not tell the difference from chance; that does not show equality.",
    }[beyond]
    high = f", the 95th percentile {number(_value(gap.null_high), unit)}" if _value(gap.null_high) is not None else ""
    return Picture(
        svg=draw(TOP + BODY + FOOT, lambda canvas: _paint(canvas, gap, curve), salt=salt),
        caption="The observed gap among the gaps that shuffled labels gave: the bars show how often each came up. "
        f"Groups never come out exactly equal, so the gap is never zero. {answer} It looks at all groups together, so "
        "it can answer differently than the largest gap suggests.",
        alt=f"Histogram of gaps under shuffled labels; the observed gap is {number(gap.observed.value, unit)}, "
        f"the mean {number(_value(gap.null_mean), unit)}{high}.",
        title="gap among chance",
    )


def _value(row: Estimate | None) -> float | None:
    return row.value if row is not None else None


def _paint(canvas: Canvas, gap: Gap, curve: Curve) -> None:
    observed, unit = gap.observed.value or 0.0, gap.observed.unit
    bars = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if y is not None]
    step = min(b - a for a, b in zip(curve.x, curve.x[1:], strict=False) if b > a) if len(set(curve.x)) > 1 else 1.0
    most = max((y for _, y in bars), default=1.0) or 1.0
    axes = canvas.axes(left=LEFT, top=TOP, right=LEFT, height=BODY)
    axes.set(xlim=(0, max(observed, *(x for x, _ in bars)) * 1.08 + step), ylim=(0, most * 1.08))
    axes.axhline(0, color=GRID, linewidth=1)
    axes.bar([x for x, _ in bars], [y for _, y in bars], width=step, color=BAND, edgecolor=MUTED, linewidth=0.4)
    for row, words, dashes in ((gap.null_mean, "mean", (0, (2, 2))), (gap.null_high, "95 of 100", (0, (6, 2)))):
        if row is not None and row.value is not None:
            axes.axvline(row.value, color=MUTED, linewidth=1.4, linestyle=dashes)
            _label(axes, row.value, most * 1.1, words, color=MUTED, fontsize=8)
    color = ORANGE if gap.beyond_chance else BLUE
    axes.plot([observed] * 2, [0, most], color=color, linewidth=2.5, zorder=4)
    axes.plot([observed], [most], marker="D" if gap.beyond_chance else "o", markersize=8, color=color, zorder=5)
    text = f"observed {number(observed, unit)}"
    _label(axes, observed, most * 1.34, text, color=INK, fontsize=9.5, fontweight="bold")
    words = f"largest difference between groups{f' [{unit_label(unit)}]' if unit_label(unit) else ''}"
    canvas.text(canvas.width / 2, TOP + BODY + 0.45, words, ha="center", color=MUTED, fontsize=8.5)


def _label(axes: Any, x: float, y: float, text: str, **style: Any) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    axes.text(x, y, text, ha="center", va="bottom", clip_on=False, parse_math=False, bbox=box, zorder=6, **style)
