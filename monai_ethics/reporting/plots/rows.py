# SPDX-License-Identifier: Apache-2.0
"""Labelled rows with a value and its interval: the ground plan of forest plots, shares and pairwise differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monai_ethics.evidence import Estimate
from monai_ethics.reporting.plots.style import BAND, BLUE, GRID, INK, MUTED, ROW, Canvas, draw
from monai_ethics.reporting.quantity import MISSING, TIMES, interval, number
from monai_ethics.reporting.telling import heading

__all__ = ["Line", "lines_by_attribute", "paint_rows", "span"]

LEFT, RIGHT, TOP, FOOT = 2.05, 2.5, 0.42, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row: a heading when it has no estimate."""

    text: str
    estimate: Estimate | None = None


def lines_by_attribute(estimates: Sequence[Estimate]) -> list[Line]:
    """Everyone first, then a heading for each attribute and its groups below it."""
    lines: list[Line] = []
    above: tuple[str, ...] | None = None
    for estimate in estimates:
        keys = tuple(estimate.group)
        if keys and keys != above:
            lines.append(Line(text=f" {TIMES} ".join(heading(key) for key in keys)))
            above = keys
        labels = [MISSING if item is None else str(item) for item in estimate.group.values()]
        lines.append(Line(text=f" {TIMES} ".join(labels) or "everyone", estimate=estimate))
    return lines


def span(lines: Sequence[Line], *, include: Sequence[float] = ()) -> tuple[float, float]:
    """Range of the axis: every value and interval end, with a margin."""
    ends = list(include)
    for line in lines:
        if line.estimate is not None:
            ends += [x for x in (line.estimate.value, line.estimate.low, line.estimate.high) if x is not None]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    pad = (high - low) * 0.06 or abs(high) * 0.1 or 0.5
    return low - pad, high + pad


def paint_rows(
    lines: Sequence[Line],
    *,
    axis: str,
    limits: tuple[float, float],
    salt: str,
    mark: float | None = None,
    bars: bool = False,
) -> str:
    """Draw rows with a dot at the value, a line for the interval, and value and n at the right.

    Args:
        lines: rows from top to bottom.
        axis: words below the axis.
        limits: range of the axis, in the unit of the values.
        salt: see `draw`.
        mark: position of the dashed reference line.
        bars: whether a pale bar runs from zero to the value.
    """
    body = ROW * len(lines)

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes(left=LEFT, top=TOP, right=RIGHT, height=body)
        axes.set(xlim=limits, ylim=(len(lines) - 0.5, -0.5))
        axes.xaxis.get_major_locator().set_params(nbins=6)  # more run into each other
        axes.grid(axis="x", color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        if mark is not None:
            axes.axvline(mark, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        middle = LEFT + (canvas.width - LEFT - RIGHT) / 2
        canvas.text(middle, TOP + body + 0.38, axis, width=78, ha="center", color=MUTED, fontsize=8.5)
        canvas.text(canvas.width - RIGHT + 0.1, TOP - 0.2, "value (interval)", color=MUTED, fontsize=8)
        canvas.text(canvas.width - 0.05, TOP - 0.2, "n", ha="right", color=MUTED, fontsize=8)
        for row, line in enumerate(lines):
            _paint_line(canvas, axes, line, row, limits=limits)
        _marks(axes, lines, bars=bars)

    return draw(TOP + body + FOOT, paint, salt=salt)


def _paint_line(canvas: Canvas, axes: Any, line: Line, row: int, *, limits: tuple[float, float]) -> None:
    y = TOP + ROW * (row + 0.5)
    estimate = line.estimate
    if estimate is None:
        canvas.text(0.02, y + 0.03, line.text, width=34, fontweight="bold", fontsize=9)
        axes.axhline(row, color="white", linewidth=14, zorder=1.5)
        return
    whole = not estimate.group
    canvas.text(LEFT - 0.1, y, line.text, width=27, ha="right", fontweight="bold" if whole else "normal")
    canvas.text(canvas.width - 0.05, y, _count(estimate), ha="right", color=MUTED, fontsize=9)
    if estimate.value is None:
        axes.text(
            limits[0],
            row,
            "  no number: see the table for the reason",
            va="center",
            parse_math=False,
            fontsize=8,
            color=MUTED,
            fontstyle="italic",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
        canvas.text(canvas.width - RIGHT + 0.1, y, "could not be judged", fontsize=9, color=INK)
        return
    ends = f" ({interval(estimate)})" if estimate.low is not None else " (no interval)"
    canvas.text(canvas.width - RIGHT + 0.1, y, f"{number(estimate.value, estimate.unit)}{ends}", fontsize=9)


def _marks(axes: Any, lines: Sequence[Line], *, bars: bool) -> None:
    """Dots, intervals and bars of all rows at once, which is many times faster than one by one."""
    found = [(row, line.estimate) for row, line in enumerate(lines) if line.estimate is not None]
    known = [(row, item) for row, item in found if item.value is not None]
    if bars:
        axes.barh([row for row, _ in known], [item.value for _, item in known], height=0.62, color=BAND, zorder=2)
    ends = [(row, item.low, item.high) for row, item in known if item.low is not None]
    if ends:
        rows, lows, highs = zip(*ends, strict=True)
        axes.hlines(rows, lows, highs, color=BLUE, linewidth=2, zorder=3)
    style: dict[str, Any] = {"linestyle": "", "color": BLUE, "markeredgecolor": "white", "zorder": 4, "clip_on": False}
    for marker, whole in (("D", True), ("o", False)):
        dots = [(item.value, row) for row, item in known if (not item.group) is whole]
        if dots:
            axes.plot(*zip(*dots, strict=True), marker=marker, markersize=6.5, **style)


def _count(estimate: Estimate) -> str:
    return f"{estimate.n}" if estimate.n_valid == estimate.n else f"{estimate.n_valid} of {estimate.n}"
