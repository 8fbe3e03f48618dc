# SPDX-License-Identifier: Apache-2.0
"""A statistic of synthetic images beside the same statistic between real images: the floor of what can be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monai_ethics.evidence import Estimate, Finding
from monai_ethics.reporting.plots.style import BLUE, MUTED, ROW, Canvas, Picture, draw
from monai_ethics.reporting.quantity import group_label, number
from monai_ethics.reporting.shapes import is_of_people
from monai_ethics.reporting.telling import brief

__all__ = ["floors"]

FLOOR = "_floor"
LEFT, RIGHT, TOP, FOOT = 2.6, 2.3, 0.5, 0.5
MOST = 40  # rows of one figure


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    value: Estimate
    floor: Estimate | None  # none where the value could not be judged

    @property
    def judged(self) -> bool:
        """Whether both numbers are there."""
        return self.value.value is not None and self.floor is not None and self.floor.value is not None

    @property
    def of_people(self) -> bool:
        """Whether it is of a group of people."""
        return bool(self.value.group) and is_of_people(self.value.group)

    @property
    def ends(self) -> list[float]:
        """Every number that is drawn."""
        both = [item for item in (self.value, self.floor) if item is not None]
        return [x for item in both for x in (item.value, item.low, item.high) if x is not None]

    @property
    def where(self) -> str:
        """The space or the group, in words."""
        return group_label(self.value.group, everyone="")


def floors(finding: Finding, *, salt: str) -> Iterator[Picture]:
    """Draw every statistic that has a floor, each on a scale of its own; nothing if none has."""
    known = {(row.name, tuple(row.group.items())): row for row in finding.estimates}
    named = {name.removesuffix(FLOOR) for name, _ in known if name.endswith(FLOOR)}
    rows = [
        _Row(value=row, floor=known.get((name + FLOOR, group))) for (name, group), row in known.items() if name in named
    ]
    rows = [row for row in rows if row.judged or row.of_people]
    if not any(row.judged for row in rows):
        return
    people = any(row.of_people for row in rows)
    scales = "One statistic has one scale in all groups." if people else "Each line has a scale of its own."
    left = f" {len(rows) - MOST} more stand in the table." if len(rows) > MOST else ""
    yield Picture(
        svg=_draw(rows[:MOST], salt=salt),
        caption=f"{scales} The blue dot is the statistic of the synthetic images, with its "
        "interval; the gray tick is what real images of other patients give among themselves at the same number, "
        "hardly ever exactly 0 or 1. What lies at the tick cannot be told from real images by this statistic; that "
        f"is no proof that it could not be by another.{left}",
        alt=f"{len(rows)} statistics of synthetic images beside those of real images; the table below holds every "
        "number.",
        title="synthetic beside real images",
    )


def _draw(rows: Sequence[_Row], *, salt: str) -> str:
    """One line each, below a heading for each space or group."""
    pitch = ROW * 1.15
    lines: list[str | _Row] = []
    for where in dict.fromkeys(row.where for row in rows):
        lines += [where] if where else []
        lines += [row for row in rows if row.where == where]

    def paint(canvas: Canvas) -> None:
        canvas.text(LEFT, TOP - 0.22, "lower", color=MUTED, fontsize=8)
        canvas.text(canvas.width - RIGHT, TOP - 0.22, "higher", color=MUTED, fontsize=8, ha="right")
        canvas.text(canvas.width - RIGHT + 0.15, TOP - 0.22, "synthetic", color=BLUE, fontsize=8)
        canvas.text(canvas.width - 0.05, TOP - 0.22, "real with real", color=MUTED, fontsize=8, ha="right")
        for place, line in enumerate(lines):
            top = TOP + pitch * place
            if isinstance(line, str):
                canvas.text(0.02, top + pitch / 2, line, width=90, fontweight="bold", fontsize=9)
            else:
                beside = [row for row in rows if line.of_people and row.value.name == line.value.name] or [line]
                ends = [x for row in beside for x in row.ends]
                _paint(canvas, line, top=top, height=pitch, ends=ends)

    return draw(TOP + pitch * len(lines) + FOOT / 2, paint, salt=salt)


def _paint(canvas: Canvas, row: _Row, *, top: float, height: float, ends: Sequence[float]) -> None:
    value, floor, middle = row.value, row.floor, top + height / 2
    canvas.text(LEFT - 0.12, middle, brief(value.name), width=40, ha="right", fontsize=9)
    if floor is None or not row.judged:
        few = f"could not be judged, n = {value.n}"
        canvas.text(canvas.width - RIGHT + 0.15, middle, few, width=34, fontsize=9, fontstyle="italic")
        return
    axes = canvas.axes(left=LEFT, top=top, right=RIGHT, height=height)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    low, high = min(ends), max(ends)
    pad = (high - low) * 0.08 or abs(high) * 0.1 or 0.5
    axes.set(xlim=(low - pad, high + pad), ylim=(-1, 1))
    axes.axhline(0, color="#eef2f5", linewidth=1, zorder=1)
    if floor.low is not None:
        axes.hlines(0, floor.low, floor.high, color="#b9c4cd", linewidth=5, zorder=2)
    axes.plot([floor.value] * 2, [-0.62, 0.62], color=MUTED, linewidth=2, zorder=3)
    if value.low is not None:
        axes.hlines(0, value.low, value.high, color=BLUE, linewidth=2, zorder=4)
    axes.plot([value.value], [0], marker="o", markersize=6, color=BLUE, markeredgecolor="white", zorder=5)
    canvas.text(canvas.width - RIGHT + 0.15, middle, number(value.value, value.unit), fontsize=9)
    canvas.text(canvas.width - 0.05, middle, number(floor.value, floor.unit), ha="right", color=MUTED, fontsize=9)
