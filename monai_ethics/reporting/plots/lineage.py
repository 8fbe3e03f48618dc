# SPDX-License-Identifier: Apache-2.0
"""Where things came from: a graph from left to right, drawn without any library; equal input gives equal bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from monai_ethics.reporting.escape import for_svg
from monai_ethics.reporting.plots.style import BAND, BLUE, FONTS, INK, MUTED, ORANGE, Picture

if TYPE_CHECKING:
    from monai_ethics.provenance.lineage.sketch import Box, Sketch

__all__ = ["lineage_picture"]

WIDTH, HEIGHT, ACROSS, DOWN, EDGE = 152, 46, 26, 16, 14  # pixels: of a box, between boxes, around all
BESIDE, BETWEEN = 5, 44  # columns beside each other; pixels to those that go on below


def lineage_picture(drawn: Sketch) -> Picture | None:
    """The graph as a figure; ``None`` where nothing is recorded.

    Args:
        drawn: boxes in columns and arrows between them.
    """
    if not drawn.boxes:
        return None
    places = _places(drawn)
    width = max(x for x, _ in places) + WIDTH + EDGE
    height = max(y for _, y in places) + HEIGHT + EDGE
    parts = [_arrow(places[a.parent], places[a.child], a.count) for a in drawn.arrows]
    parts += [_box(box, *place) for box, place in zip(drawn.boxes, places, strict=True)]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{FONTS}" font-size="12">'
        '<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{MUTED}"/></marker></defs>'
        f'<rect width="{width}" height="{height}" fill="white"/>{"".join(parts)}</svg>'
    )
    kind = "Every record" if drawn.whole else "Records of one kind together, with their number"
    return Picture(
        svg=svg,
        caption=f"{kind}, from what was acquired at the left to what was made of it at the right, going on below. "
        "A broken frame: synthetic, wholly or in part. Depth: syntheses on the longest way. "
        "A number on an arrow: how many steps of the kind were recorded.",
        alt=f"Graph of {len(drawn.boxes)} boxes and {len(drawn.arrows)} arrows; the table below holds them all.",
        title="where it came from",
    )


def _places(drawn: Sketch) -> list[tuple[int, int]]:
    """Left upper corner of each box: columns from left to right, going on below where the page ends."""
    rows: dict[int, list[int]] = {}
    for number in _ordered(drawn):
        rows.setdefault(drawn.boxes[number].column, []).append(number)
    places = [(0, 0)] * len(drawn.boxes)
    top = EDGE
    columns = sorted(rows)
    for start in range(0, len(columns), BESIDE):
        band = columns[start : start + BESIDE]
        tallest = max(len(rows[column]) for column in band)
        for across, column in enumerate(band):
            first = top + (tallest - len(rows[column])) * (HEIGHT + DOWN) // 2
            for down, box in enumerate(rows[column]):
                places[box] = (EDGE + across * (WIDTH + ACROSS), first + down * (HEIGHT + DOWN))
        top += tallest * (HEIGHT + DOWN) - DOWN + BETWEEN
    return places


def _ordered(drawn: Sketch) -> Sequence[int]:
    """Boxes column by column, each near the middle of those it was made from."""
    rank: dict[int, float] = {}
    out: list[int] = []
    columns = sorted({box.column for box in drawn.boxes})
    for column in columns:
        here = [number for number, box in enumerate(drawn.boxes) if box.column == column]
        before = {
            number: [rank[a.parent] for a in drawn.arrows if a.child == number and a.parent in rank] for number in here
        }
        here.sort(key=lambda number: (sum(before[number]) / len(before[number]) if before[number] else 0.0, number))
        rank.update({number: place / max(len(here), 1) for place, number in enumerate(here)})
        out += here
    return out


def _box(box: Box, x: int, y: int) -> str:
    edge = ORANGE if box.marked else BLUE if box.asked else MUTED
    dash = ' stroke-dasharray="5 3"' if box.marked else ""
    fill = BAND if box.asked else "white"
    weight = "2.2" if box.asked else "1.2"
    note = escape(for_svg(box.note, width=23))
    top = y + (20 if box.note else 28)
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{fill}" stroke="{edge}" '
        f'stroke-width="{weight}"{dash}/>'
        f'<text x="{x + 10}" y="{top}" fill="{INK}" font-size="11">{escape(for_svg(box.label, width=23))}</text>'
        + (f'<text x="{x + 10}" y="{y + 36}" fill="{MUTED}" font-size="11">{note}</text>' if box.note else "")
    )


def _arrow(start: tuple[int, int], end: tuple[int, int], count: int) -> str:
    """A curve from the right edge to the left one; from the lower to the upper edge where the way leads back."""
    x1, y1, x2, y2 = start[0] + WIDTH, start[1] + HEIGHT // 2, end[0], end[1] + HEIGHT // 2
    if x2 > x1:
        bend = max((x2 - x1) // 2, 10)
        path = f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
    else:
        x1, y1, x2, y2 = start[0] + WIDTH // 2, start[1] + HEIGHT, end[0] + WIDTH // 2, end[1]
        path = f"M{x1} {y1}C{x1} {y1 + BETWEEN} {x2} {y2 - BETWEEN} {x2} {y2}"
    line = f'<path d="{path}" fill="none" stroke="{MUTED}" stroke-opacity="0.55" stroke-width="1.3" '
    text = ""
    if count > 1:
        middle, level = (x1 + x2) // 2, (y1 + y2) // 2 - 5
        text = (
            f'<text x="{middle}" y="{level}" fill="{MUTED}" font-size="10.5" text-anchor="middle" '
            f'paint-order="stroke" stroke="white" stroke-width="3">{count:,}</text>'
        )
    return f'{line}marker-end="url(#to)"/>{text}'
