# SPDX-License-Identifier: Apache-2.0
"""Lines of several groups in one plane: each has its own dashes, its own number on the line, and its name beside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from monai_ethics.evidence import Curve
from monai_ethics.reporting.plots.style import BLUE, INK, MUTED, ORANGE, Canvas, draw
from monai_ethics.reporting.quantity import MISSING, TIMES

__all__ = ["COLORS", "DASHES", "LINES", "Plane", "by_attribute", "group_text", "paint_lines"]

LINES = 6  # lines in one figure that a reader can follow
COLORS = (BLUE, ORANGE, "#00594f", "#7a2e8c", "#5f4b00", "#8a1f4a")
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (1.6, 1.4)), (0, (7, 2, 1.6, 2)), (0, (3, 1.4)), (0, (10, 3)))
LEFT, TOP, SIDE, FOOT, KEY = 0.62, 0.18, 3.75, 0.62, 0.42  # inches; SIDE is the edge of the square


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """What the lines are drawn in.

    Args:
        x_axis: words below.
        y_axis: words at the left.
        xlim: range, in the unit of `x`; ``None`` = that of the curves.
        ylim: range, in the unit of `y`.
        diagonal: whether the line from corner to corner is drawn.
        mark: position of a dashed line across, such as a threshold.
        points: a point for each curve, such as the operating point; ``None`` where there is none.
    """

    x_axis: str
    y_axis: str
    xlim: tuple[float, float] | None = (0.0, 1.0)
    ylim: tuple[float, float] | None = (0.0, 1.0)
    diagonal: bool = False
    mark: float | None = None
    points: Sequence[tuple[float, float] | None] = ()


def by_attribute(curves: Sequence[Curve], name: str) -> dict[tuple[str, ...], list[Curve]]:
    """Curves of that name: those of groups by their attribute; those of everyone under the empty key."""
    found: dict[tuple[str, ...], list[Curve]] = {}
    for curve in curves:
        if curve.name == name and any(value is not None for value in curve.y):
            found.setdefault(tuple(curve.group), []).append(curve)
    return found


def group_text(curve: Curve) -> str:
    """Label of a group without its attribute, which the caption names."""
    return f" {TIMES} ".join(MISSING if label is None else str(label) for label in curve.group.values()) or "everyone"


def paint_lines(curves: Sequence[Curve], plane: Plane, *, salt: str) -> str:
    """Draw at most `LINES` curves with a key at the right.

    Args:
        curves: the lines.
        plane: what they are drawn in.
        salt: see `draw`.
    """

    def paint(canvas: Canvas) -> None:
        axes = canvas.plane(left=LEFT, top=TOP, right=canvas.width - LEFT - SIDE, height=SIDE)
        axes.set(xlim=plane.xlim or _range(curves), ylim=plane.ylim)
        canvas.text(LEFT + SIDE / 2, TOP + SIDE + 0.45, plane.x_axis, ha="center", color=MUTED, fontsize=8.5)
        canvas.text(0.12, TOP + SIDE / 2, plane.y_axis, ha="center", rotation=90, color=MUTED, fontsize=8.5)
        if plane.diagonal:
            axes.axline((0, 0), (1, 1), color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        if plane.mark is not None:
            axes.axvline(plane.mark, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        for place, curve in enumerate(curves):
            _line(axes, curve, place, len(curves))
            _key(canvas, curve, place)
        for place, point in enumerate(plane.points):
            if point is not None:
                _numbered(axes, point, place, marker="s", edge=INK)

    return draw(TOP + SIDE + FOOT, paint, salt=salt)


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    ends = [x for curve in curves for x in (curve.x[0], curve.x[-1])]
    low, high = min(ends), max(ends)
    pad = (high - low) * 0.03 or 0.5
    return low - pad, high + pad


def _line(axes: Any, curve: Curve, place: int, total: int) -> None:
    y = [math.nan if value is None else value for value in curve.y]
    axes.plot(curve.x, y, color=COLORS[place], linestyle=DASHES[place], linewidth=2, zorder=3)
    x_at, y_at = _along([(a, b) for a, b in zip(curve.x, y, strict=True) if b == b], (place + 1) / (total + 1))
    _numbered(axes, (x_at, y_at), place, marker="o", edge=COLORS[place])


def _numbered(axes: Any, point: tuple[float, float], place: int, *, marker: str, edge: str) -> None:
    axes.plot(*point, marker=marker, markersize=12, color="white", markeredgecolor=edge, zorder=5, clip_on=False)
    style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": 8, "parse_math": False, "zorder": 6}
    axes.text(*point, str(place + 1), color=COLORS[place], fontweight="bold", **style)


def _along(points: Sequence[tuple[float, float]], part: float) -> tuple[float, float]:
    """Point of the line at that part of its length: where its number stands."""
    steps = [math.dist(first, second) for first, second in pairwise(points)]
    left = part * sum(steps)
    for (first, second), step in zip(pairwise(points), steps, strict=True):
        if step and left <= step:
            ratio = left / step
            return first[0] + ratio * (second[0] - first[0]), first[1] + ratio * (second[1] - first[1])
        left -= step
    return points[-1]


def _key(canvas: Canvas, curve: Curve, place: int) -> None:
    left, y = LEFT + SIDE + 0.3, TOP + 0.2 + KEY * place
    canvas.line((left, left + 0.55), y, color=COLORS[place], linestyle=DASHES[place], linewidth=2)
    name = f"{place + 1}  {group_text(curve)}"
    canvas.text(left + 0.65, y - 0.07, name, width=26, fontsize=9, fontweight="bold" if not curve.group else "normal")
    canvas.text(left + 0.65, y + 0.1, f"n = {curve.n} {curve.n_unit}", width=30, fontsize=8, color=MUTED)
