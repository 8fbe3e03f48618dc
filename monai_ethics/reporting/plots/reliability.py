# SPDX-License-Identifier: Apache-2.0
"""Reliability curves: what was predicted against what was seen, a panel for each group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from monai_ethics.evidence import Curve, Finding
from monai_ethics.reporting.plots.few import curves_of
from monai_ethics.reporting.plots.lines import by_attribute, group_text
from monai_ethics.reporting.plots.style import BAND, BLUE, MUTED, Canvas, Picture, draw
from monai_ethics.reporting.quantity import TIMES, percent

__all__ = ["reliability"]

PANELS, ACROSS = 6, 3
SIDE, GAP, LEFT, HEAD, FOOT = 1.9, 0.42, 0.62, 0.5, 0.5  # inches


def reliability(finding: Finding, *, salt: str) -> Iterator[Picture]:
    """Draw the reliability curves of each attribute; the first is seen without a click."""
    found = by_attribute(finding.curves, "reliability")
    whole = found.pop((), [])[:1]
    if not found and whole:
        found[()] = []
    for place, (keys, groups) in enumerate(found.items()):
        drawn, left = curves_of(groups, most=PANELS - len(whole))
        curves = [*whole, *drawn]
        attribute = f" {TIMES} ".join(keys) or "everyone"
        bands = next((percent(curve.level) for curve in curves if curve.low), None)
        band = f" the band is its {bands} interval, point by point;" if bands else ""
        yield Picture(
            svg=_paint(curves, salt=f"{salt}-{place}"),
            caption=f"Reliability by {attribute}. Each dot is a range of predictions: how high they were, and how "
            f"often the finding was there;{band} on the dashed diagonal both agree. Below it the model expects the "
            f"finding too often, above it too seldom.{left}",
            alt=f"Reliability curves of {', '.join(f'{group_text(curve)} (n = {curve.n})' for curve in curves)}.",
            title=f"reliability by {attribute}",
            lead=place == 0,
        )


def _paint(curves: Sequence[Curve], *, salt: str) -> str:
    rows = -(-len(curves) // ACROSS)

    def paint(canvas: Canvas) -> None:
        for place, curve in enumerate(curves):
            row, column = divmod(place, ACROSS)
            left, top = LEFT + column * (SIDE + GAP), HEAD + row * (SIDE + HEAD + 0.28)
            _panel(canvas, curve, left, top, first=column == 0)
        wide = min(len(curves), ACROSS)
        middle = LEFT + (wide * (SIDE + GAP) - GAP) / 2
        canvas.text(
            middle, rows * (SIDE + HEAD + 0.28) + 0.12, curves[0].x_name, ha="center", color=MUTED, fontsize=8.5
        )

    return draw(rows * (SIDE + HEAD + 0.28) + 0.3, paint, salt=salt)


def _panel(canvas: Canvas, curve: Curve, left: float, top: float, *, first: bool) -> None:
    axes = canvas.plane(left=left, top=top, right=canvas.width - left - SIDE, height=SIDE)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    axes.axline((0, 0), (1, 1), color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    if curve.low:
        low, high = ([math.nan if end is None else end for end in ends] for ends in (curve.low, curve.high))
        axes.fill_between(curve.x, low, high, color=BAND, linewidth=0, zorder=2)
    y = [math.nan if value is None else value for value in curve.y]
    axes.plot(curve.x, y, color=BLUE, linewidth=1.6, marker="o", markersize=4, zorder=3)
    weight = "bold" if not curve.group else "normal"
    canvas.text(left, top - 0.3, group_text(curve), width=24, fontsize=9, fontweight=weight)
    canvas.text(left, top - 0.12, f"n = {curve.n} {curve.n_unit}", width=26, fontsize=8, color=MUTED)
    if first:
        canvas.text(0.12, top + SIDE / 2, curve.y_name, width=30, ha="center", rotation=90, color=MUTED, fontsize=8.5)
