# SPDX-License-Identifier: Apache-2.0
"""Colors, fonts and the canvas of every figure; equal input gives equal bytes of SVG."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from monai_ethics._optional import need
from monai_ethics.reporting.escape import for_svg

__all__ = ["BAND", "BLUE", "GRID", "INK", "MUTED", "ORANGE", "ROW", "Canvas", "Picture", "draw"]

INK, MUTED, GRID, BAND = "#1b2733", "#55636f", "#d9dfe4", "#dfe7ee"
BLUE, ORANGE = "#0b5a9d", "#b8460e"  # told apart by people with any color vision, and by marker shape
ROW = 0.285  # inches a row
WIDTH = 7.6  # inches: 730 CSS pixels, so that 9.5 pt text is 12.7 px
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
SETTINGS = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same layout everywhere
    "font.size": 10,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "text.usetex": False,
    "axes.unicode_minus": True,
    "axes.edgecolor": GRID,
    "xtick.color": MUTED,
    "text.color": INK,
    "path.simplify": True,
}
PROLOG = re.compile(r"^.*?(?=<svg)", re.DOTALL)
METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
REFERENCE = re.compile(r"(?:href=\"|url\()#([^\")]+)")
IDENTITY = re.compile(r" id=\"([^\"]*)\"")
FAMILY = re.compile(r"'DejaVu Sans'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One figure: SVG text, what it shows, and the same in words for who cannot see it.

    Args:
        svg: the drawing.
        caption: how to read it.
        alt: what it shows, in words.
        title: a few words that tell it from the other figures of its finding.
        lead: whether it is seen without a click.
    """

    svg: str
    caption: str
    alt: str
    title: str = "figure"
    lead: bool = True


class Canvas:
    """A figure laid out in inches from the top, with text that is never read as markup."""

    def __init__(self, figure: Any, *, width: float, height: float) -> None:
        self.figure, self.width, self.height = figure, width, height

    def axes(self, *, left: float, top: float, right: float, height: float) -> Any:
        """Plotting area; distances in inches from the left, top and right edge."""
        box = (left / self.width, 1 - (top + height) / self.height, (self.width - left - right) / self.width)
        axes = self.figure.add_axes((*box, height / self.height))
        for side in ("top", "left", "right"):
            axes.spines[side].set_visible(False)
        axes.set_yticks([])
        axes.tick_params(axis="x", length=3, width=0.8, color=GRID, labelsize=8.5)
        return axes

    def plane(self, *, left: float, top: float, right: float, height: float) -> Any:
        """Plotting area like that of `axes`, with a scale at its left and a grid."""
        axes = self.axes(left=left, top=top, right=right, height=height)
        axes.spines["left"].set_visible(True)
        axes.yaxis.set_major_locator(need("matplotlib.ticker", extra="report").AutoLocator())
        axes.tick_params(axis="y", length=3, width=0.8, color=GRID, labelcolor=MUTED, labelsize=8.5)
        axes.grid(color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        return axes

    def line(self, ends: tuple[float, float], y: float, **style: Any) -> None:
        """A level line from one to the other end, inches from the left, at `y` inches from the top."""
        lines = need("matplotlib.lines", extra="report")
        height = 1 - y / self.height
        self.figure.add_artist(lines.Line2D([end / self.width for end in ends], [height, height], **style))

    def text(self, x: float, y: float, text: object, *, width: int = 60, **style: Any) -> None:
        """Text at `x` inches from the left and `y` inches from the top, shortened to `width` characters."""
        self.figure.text(
            x / self.width,
            1 - y / self.height,
            for_svg(text, width=width),
            parse_math=False,
            **{"va": "center", **style},
        )


def draw(height: float, paint: Callable[[Canvas], None], *, salt: str) -> str:
    """Run `paint` on a canvas of `height` inches and return the SVG without prolog, date or tool name.

    Args:
        height: height of the figure, inches.
        paint: draws on the canvas.
        salt: makes the ids inside the SVG differ from those of other figures.

    Raises:
        MissingDependencyError: if matplotlib is not installed.
    """
    matplotlib = need("matplotlib", extra="report")
    figures = need("matplotlib.figure", extra="report")
    buffer = io.BytesIO()
    with warnings.catch_warnings(), matplotlib.rc_context({**SETTINGS, "svg.hashsalt": salt}):
        warnings.simplefilter("ignore")  # glyphs the layout font lacks: the reader's browser has its own fonts
        figure = figures.Figure(figsize=(WIDTH, height), facecolor="white")
        paint(Canvas(figure, width=WIDTH, height=height))
        blank = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=blank)
    text = PROLOG.sub("", buffer.getvalue().decode("utf-8"), count=1)
    return _without_idle_ids(FAMILY.sub(FONTS, METADATA.sub("", text))).strip()


def _without_idle_ids(text: str) -> str:
    """Drop the ids that nothing refers to: they name the tool's objects and say nothing."""
    used = set(REFERENCE.findall(text))
    return IDENTITY.sub(lambda match: match[0] if match[1] in used else "", text)
