# SPDX-License-Identifier: Apache-2.0
"""Rainclouds: how scores spread in each group, as a cloud, a box and twentieths of the patients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from monai_ethics.evidence import Curve, Finding
from monai_ethics.reporting.plots.few import curves_of
from monai_ethics.reporting.plots.lines import by_attribute, group_text
from monai_ethics.reporting.plots.style import BAND, BLUE, INK, MUTED, Canvas, Picture, draw
from monai_ethics.reporting.quantity import TIMES

__all__ = ["raincloud"]

MOST = 10
HIGH, LEFT, RIGHT, TOP, FOOT = 0.62, 2.05, 1.05, 0.3, 0.55  # inches


def raincloud(finding: Finding, *, salt: str) -> Iterator[Picture]:
    """Draw the spread of each attribute's groups; the first is seen without a click."""
    clouds = by_attribute(finding.curves, "distribution")
    rain = {_key(curve): curve for curve in finding.curves if curve.name == "quantiles"}
    whole = clouds.pop((), [])[:1]
    if not clouds and whole:
        clouds[()] = []
    for place, (keys, groups) in enumerate(clouds.items()):
        drawn, left = curves_of(groups, most=MOST - len(whole))
        curves = [*whole, *drawn]
        attribute = f" {TIMES} ".join(keys) or "everyone"
        known = any(_key(curve) in rain for curve in curves)
        ticks = " Each tick below it is one twentieth of the patients; the box holds the middle half," if known else ""
        line = " its line is the median." if known else ""
        yield Picture(
            svg=_paint(curves, rain, salt=f"{salt}-{place}"),
            caption=f"How {curves[0].x_name} spreads, by {attribute}. The cloud is high where many patients lie."
            f"{ticks}{line} Two groups can share a median while one has patients who do far worse: look at the ends. "
            f"Groups too small to be judged have no cloud.{left}",
            alt=f"Clouds of {curves[0].x_name} for "
            f"{', '.join(f'{group_text(curve)} (n = {curve.n})' for curve in curves)}.",
            title=f"spread by {attribute}",
            lead=place == 0,
        )


def _key(curve: Curve) -> tuple[tuple[str, str | None], ...]:
    return tuple(curve.group.items())


def _paint(curves: Sequence[Curve], rain: dict[Any, Curve], *, salt: str) -> str:
    body = HIGH * len(curves)
    tops = [max(value for value in curve.y if value is not None) for curve in curves]
    ends = [x for curve in curves for x in (curve.x[0], curve.x[-1])]
    pad = (max(ends) - min(ends)) * 0.02 or 0.5

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes(left=LEFT, top=TOP, right=RIGHT, height=body)
        axes.set(xlim=(min(ends) - pad, max(ends) + pad), ylim=(len(curves), 0))
        for row, curve in enumerate(curves):
            _cloud(axes, curve, row, max(tops))
            if _key(curve) in rain:
                _rain(axes, rain[_key(curve)], row)
            y = TOP + HIGH * (row + 0.55)
            weight = "bold" if not curve.group else "normal"
            canvas.text(LEFT - 0.1, y, group_text(curve), width=27, ha="right", fontweight=weight)
            canvas.text(canvas.width - 0.05, y, str(curve.n), ha="right", color=MUTED, fontsize=9)
        unit = "" if curves[0].x_unit == "1" else f" [{curves[0].x_unit}]"
        middle = LEFT + (canvas.width - LEFT - RIGHT) / 2
        canvas.text(middle, TOP + body + 0.42, f"{curves[0].x_name}{unit}", ha="center", color=MUTED, fontsize=8.5)
        canvas.text(canvas.width - 0.05, TOP - 0.15, f"n {curves[0].n_unit}", ha="right", color=MUTED, fontsize=8)

    return draw(TOP + body + FOOT, paint, salt=salt)


def _cloud(axes: Any, curve: Curve, row: int, top: float) -> None:
    base = row + 0.6
    heights = [base - 0.55 * (value or 0.0) / (top or 1.0) for value in curve.y]
    axes.fill_between(curve.x, base, heights, color=BAND, linewidth=0, zorder=2)
    axes.plot(curve.x, heights, color=MUTED, linewidth=1, zorder=3)


def _rain(axes: Any, curve: Curve, row: int) -> None:
    found = {round(x, 4): y for x, y in zip(curve.x, curve.y, strict=True) if y is not None}
    drops = list(found.values())
    axes.plot(drops, [row + 0.86] * len(drops), linestyle="", marker="|", markersize=6, color=BLUE, zorder=3)
    low, middle, high = (found.get(part) for part in (0.25, 0.5, 0.75))
    if low is not None and high is not None:
        axes.barh(row + 0.7, high - low, left=low, height=0.14, color="white", edgecolor=BLUE, linewidth=1.2, zorder=4)
    if middle is not None:
        axes.plot([middle] * 2, [row + 0.61, row + 0.79], color=INK, linewidth=2.4, zorder=5)
