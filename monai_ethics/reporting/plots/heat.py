# SPDX-License-Identifier: Apache-2.0
"""Heat map of an intersection of two attributes: value, interval and n stand in every cell; the tint repeats them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monai_ethics.evidence import Estimate, Finding
from monai_ethics.reporting.plots.few import ordered
from monai_ethics.reporting.plots.style import INK, MUTED, Canvas, Picture, draw
from monai_ethics.reporting.quantity import MISSING, TIMES, interval, number, unit_label, value_label
from monai_ethics.reporting.shapes import grouped, is_of_people
from monai_ethics.reporting.telling import COUNTED, brief, capital, heading, spoken

__all__ = ["heat_maps"]

COLUMNS, ROWS = 6, 12
LEFT, TOP, CELL, FOOT = 1.55, 0.62, 0.56, 0.12  # inches
PALE, FULL = (0xF4, 0xF7, 0xFA), (0x9F, 0xC4, 0xE4)  # ink on either has a contrast of 8 or more

Cells = Mapping[tuple[str, str], Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cross:
    """The groups of two attributes by both labels."""

    down: str
    across: str
    cells: Cells
    unplaced: int

    @property
    def rows(self) -> list[str]:
        """Labels of the attribute that runs down; numbers in their order where they are no labels of people."""
        labels = list(dict.fromkeys(first for first, _ in self.cells))
        return labels if is_of_people((self.down, self.across)) else sorted(labels, key=_number)

    @property
    def columns(self) -> list[str]:
        """Labels of the attribute that runs across."""
        return list(dict.fromkeys(second for _, second in self.cells))


def heat_maps(finding: Finding, name: str, *, salt: str, lead: bool) -> Iterator[Picture]:
    """Draw each intersection of two attributes of that estimate."""
    by_keys: dict[tuple[str, str], list[tuple[tuple[str, str] | None, Estimate]]] = {}
    for row in grouped(finding, name):
        keys, labels = _parts(row.group)
        if keys is not None:
            by_keys.setdefault(keys, []).append((labels, row))
    drawn: set[frozenset[str]] = set()
    for place, (keys, found) in enumerate(by_keys.items()):
        cells = {labels: row for labels, row in found if labels is not None}
        unplaced = len(found) - len(cells)
        if sum(row.value is not None for row in cells.values()) < 2 or frozenset(keys) in drawn:
            continue  # the same two attributes the other way round are the same picture
        drawn.add(frozenset(keys))
        cross = _upright(Cross(down=keys[0], across=keys[1], cells=cells, unplaced=unplaced))
        yield _picture(cross, name, salt=f"{salt}-{place}", lead=lead and place == 0)


def _number(label: str) -> float:
    try:
        return float(label)
    except ValueError:
        return 0.0  # words keep the order given


def _parts(group: Mapping[str, str | None]) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    """Both attributes and both labels; no labels where they cannot be told apart or were not recorded."""
    if len(group) == 2:
        first, second = group
        labels = [MISSING if label is None else str(label) for label in group.values()]
        return (first, second), (labels[0], labels[1])
    if len(group) != 1:
        return None, None
    label, names = next(iter(group.values())), next(iter(group)).split("*")
    if len(names) != 2:
        return None, None
    values = [] if label is None else str(label).split("*")
    return (names[0], names[1]), (values[0], values[1]) if len(values) == 2 else None


def _upright(cross: Cross) -> Cross:
    """The attribute with more labels runs down."""
    if len(cross.columns) <= len(cross.rows):
        return cross
    cells = {(second, first): row for (first, second), row in cross.cells.items()}
    return Cross(down=cross.across, across=cross.down, cells=cells, unplaced=cross.unplaced)


def _kept(labels: Sequence[str], cells: Cells, place: int, most: int) -> list[str]:
    """Labels to draw: all, or those that hold the lowest and the highest cells."""
    if len(labels) <= most:
        return list(labels)
    order = ordered(list(cells.values()))
    where = {id(row): pair[place] for pair, row in cells.items()}
    ends = [row for pair in zip(order, reversed(order), strict=True) for row in pair]
    kept = set(list(dict.fromkeys(where[id(row)] for row in ends))[:most])
    return [label for label in labels if label in kept]


def _picture(cross: Cross, name: str, *, salt: str, lead: bool) -> Picture:
    rows = _kept(cross.rows, cross.cells, 0, ROWS)
    columns = _kept(cross.columns, cross.cells, 1, COLUMNS)
    cut = len(rows) < len(cross.rows) or len(columns) < len(cross.columns)
    left = (
        f" Drawn are {len(rows)} of {len(cross.rows)} rows and {len(columns)} of {len(cross.columns)} columns, those "
        "with the lowest and the highest values; all stand in the table."
        if cut
        else ""
    )
    lost = f" {cross.unplaced} more without a place here stand in the table." if cross.unplaced else ""
    held = sum(row.value is None for row in cross.cells.values())
    none = len(cross.rows) * len(cross.columns) - len(cross.cells)
    counts = name in COUNTED
    ends = "in numbers" if counts else "with its interval and n"
    judged = " A small cell strays far by chance alone. “Not judged” is a group that is too small."
    judged = "" if counts else judged
    what = f"{heading(cross.down)} {TIMES} {heading(cross.across)}"
    people = is_of_people((cross.down, cross.across))
    if people:
        among = f"in each group of {what}"
        judged += " “Nobody” is a combination without a single patient in these data."
    else:
        among, judged = f"by {what}", " “Not asked” is a combination that was not tried."
    return Picture(
        svg=_paint(cross, rows, columns, salt=salt),
        caption=f"{capital(spoken(name))} {among}, {ends}. A deeper tint is a higher value, neither good nor bad."
        f"{judged}{left}{lost}",
        alt=f"Table of the {brief(name)} by {what}: {len(cross.cells)} groups, {held} not judged, {none} with "
        "nobody; the table below holds every number."
        if people
        else f"Table of the {brief(name)} by {what}, {len(cross.cells)} cells; the one below holds every number.",
        title=f"{brief(name)} by {what}",
        lead=lead,
    )


def _paint(cross: Cross, rows: Sequence[str], columns: Sequence[str], *, salt: str) -> str:
    body = CELL * len(rows)
    values = [row.value for row in cross.cells.values() if row.value is not None]

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes(left=LEFT, top=TOP, right=0.05, height=body)
        axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
        axes.set_axis_off()
        wide = (canvas.width - LEFT - 0.05) / len(columns)
        canvas.text(LEFT - 0.1, TOP - 0.16, heading(cross.down), width=22, ha="right", color=MUTED, fontsize=8)
        canvas.text(LEFT, TOP - 0.46, heading(cross.across), width=60, color=MUTED, fontsize=8)
        for y, row in enumerate(rows):
            canvas.text(LEFT - 0.1, TOP + CELL * (y + 0.5), row, width=20, ha="right", fontsize=9)
            for x, column in enumerate(columns):
                middle = LEFT + wide * (x + 0.5)
                if y == 0:
                    canvas.text(middle, TOP - 0.16, column, width=int(wide * 13), ha="center", fontsize=9)
                estimate = cross.cells.get((row, column))
                _tile(axes, x, y, estimate, (min(values), max(values)))
                none = "nobody" if is_of_people((cross.down, cross.across)) else "not asked"
                _words(canvas, middle, TOP + CELL * y, estimate, none=none)

    return draw(TOP + body + FOOT, paint, salt=salt)


def _tile(axes: Any, x: int, y: int, estimate: Estimate | None, ends: tuple[float, float]) -> None:
    known = estimate is not None and estimate.value is not None
    known = known and not (estimate is not None and estimate.name in COUNTED and estimate.value == 0)
    dashes = "-" if known else (0, (2, 2)) if estimate is None else (0, (6, 2))
    style = {"edgecolor": "white" if known else MUTED, "linewidth": 2 if known else 0.8, "linestyle": dashes}
    color = _tint((estimate.value or 0.0) if estimate is not None else 0.0, ends) if known else "white"
    left, right, top, foot = x + 0.01, x + 0.99, y + 0.03, y + 0.97
    axes.fill([left, right, right, left], [top, top, foot, foot], facecolor=color, **style)


def _tint(value: float, ends: tuple[float, float]) -> str:
    part = (value - ends[0]) / (ends[1] - ends[0]) if ends[1] > ends[0] else 0.5
    mixed = (round(pale + part * (full - pale)) for pale, full in zip(PALE, FULL, strict=True))
    return "#" + "".join(f"{level:02x}" for level in mixed)


def _words(canvas: Canvas, x: float, y: float, estimate: Estimate | None, *, none: str) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2}
    style: dict[str, Any] = {"ha": "center", "color": INK}
    if estimate is None or (estimate.name in COUNTED and estimate.value == 0):
        canvas.text(x, y + CELL / 2, none, fontsize=8.5, bbox=box, **style)
    elif estimate.value is None:
        canvas.text(x, y + CELL / 2 - 0.08, "not judged", fontsize=8.5, bbox=box, **style)
        canvas.text(x, y + CELL / 2 + 0.09, f"n = {estimate.n}", fontsize=8, bbox=box, **style)
    elif estimate.name in COUNTED:
        canvas.text(x, y + CELL / 2, value_label(estimate), fontweight="bold", **style)
    else:
        unit = f" {unit_label(estimate.unit)}".rstrip()
        ends = interval(estimate) if estimate.low is not None else "no interval"
        canvas.text(x, y + 0.14, f"{number(estimate.value, estimate.unit)}{unit}", fontweight="bold", **style)
        canvas.text(x, y + 0.29, ends, fontsize=7.5, **style)
        canvas.text(x, y + 0.43, f"n = {estimate.n}", fontsize=8, **style)
