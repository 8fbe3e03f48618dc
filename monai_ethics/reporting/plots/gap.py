# SPDX-License-Identifier: Apache-2.0
"""A gap between groups against the gaps that chance alone gives, and the differences between pairs of groups."""

from __future__ import annotations

from monai_ethics.evidence import Estimate, Finding
from monai_ethics.reporting.plots.few import ordered
from monai_ethics.reporting.plots.rows import Line, paint_rows, span
from monai_ethics.reporting.plots.style import BAND, BLUE, GRID, INK, MUTED, ORANGE, Canvas, Picture, draw
from monai_ethics.reporting.quantity import MINUS, group_label, name_label, number, unit_label
from monai_ethics.reporting.shapes import Gap, gap_of

__all__ = ["against_chance", "pairs"]

PAIRS = 24


def against_chance(finding: Finding, *, salt: str) -> Picture | None:
    """Draw the observed gap on one line with the range of gaps under shuffled labels."""
    gap = gap_of(finding)
    if gap is None or gap.observed.value is None or gap.null_high is None or gap.null_high.value is None:
        return None
    known: Gap = gap
    observed, high, unit = gap.observed.value, gap.null_high.value, gap.observed.unit

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes(left=0.3, top=0.72, right=0.3, height=0.5)
        axes.set(xlim=(0, max(observed, high) * 1.22 or 1), ylim=(-1, 1))
        axes.axhline(0, color=GRID, linewidth=1)
        axes.barh(0, high, height=1.2, color=BAND)
        here = {"ha": "left", "fontsize": 9, "parse_math": False, "clip_on": False}
        axes.text(0, 1.75, " chance alone: 95 of 100 shufflings fall in this band", va="bottom", color=MUTED, **here)
        if known.null_mean is not None and known.null_mean.value is not None:
            axes.plot([known.null_mean.value] * 2, [-0.6, 0.6], color=MUTED, linewidth=1.5, linestyle=(0, (2, 2)))
        beyond = observed > high
        axes.plot(
            [observed], [0], marker="D" if beyond else "o", markersize=9, color=ORANGE if beyond else BLUE, zorder=4
        )
        text = f"observed {number(observed, unit)}"
        axes.annotate(
            text,
            (observed, 0),
            xytext=(0, 14),
            textcoords="offset points",
            ha="center",
            fontsize=9.5,
            fontweight="bold",
            color=INK,
            parse_math=False,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
        )
        words = f"largest difference between groups{f' [{unit_label(unit)}]' if unit_label(unit) else ''}"
        canvas.text(canvas.width / 2, 1.62, words, ha="center", color=MUTED, fontsize=8.5)

    mean = " The dashed tick is the average gap under shuffling." if gap.null_mean is not None else ""
    side = "above" if observed > high else "within"
    return Picture(
        svg=draw(1.8, paint, salt=salt),
        caption="Observed gap beside chance alone. Groups never come out exactly equal: shuffling the labels gives "
        f"gaps in the pale band 95 times out of 100.{mean}",
        alt=f"Observed gap {number(observed, unit)}, {side} the band of gaps under shuffled labels that ends at "
        f"{number(high, unit)}.",
        title="gap beside chance",
    )


def pairs(finding: Finding, *, salt: str) -> Picture | None:
    """Draw the signed differences between pairs of groups around zero."""
    gap = gap_of(finding)
    if gap is None or not gap.pairs:
        return None
    rank = all("relative_effect" in row.name for row in gap.pairs)
    middle = 0.5 if rank else 0.0
    drawn, left = _drawn(gap)
    named = len({row.name for row in drawn}) > 1
    lines = [Line(text=_text(row, named=named), estimate=row) for row in drawn]
    unit = unit_label(gap.pairs[0].unit)
    words = f"difference{f' [{unit}]' if unit else ''}"
    axis = "share of pairs of patients in which the first is higher" if rank else words
    svg = paint_rows(lines, axis=axis, limits=span(lines, include=(middle,)), salt=salt, mark=middle)
    higher = "How often a patient of the first group has the higher value"
    what = higher if rank else "Differences between pairs of groups"
    where = "one half" if rank else "zero"
    return Picture(
        svg=svg,
        caption=f"{what}. An interval that crosses the dashed line at {where} does not show which group is ahead; "
        f"it does not show equality either.{left}",
        alt=f"{what}: {len(lines)} pairs of groups; the table below holds every number.",
        title="pairs of groups",
    )


def _text(row: Estimate, *, named: bool) -> str:
    """What was subtracted from what; with its name where several kinds stand together."""
    kind = name_label(row.name.removesuffix("_difference"))
    if not row.group:
        return kind
    return f"{kind}: {pair_label(row.group)}" if named else pair_label(row.group)


def _drawn(gap: Gap) -> tuple[list[Estimate], str]:
    """Pairs to draw: all of few, both ends of many."""
    if len(gap.pairs) <= PAIRS:
        return list(gap.pairs), ""
    order = ordered(gap.pairs)
    kept = order if len(order) <= PAIRS else [*order[: PAIRS // 2], *order[-(PAIRS // 2) :]]
    return kept, f" Of {len(gap.pairs)} pairs the {len(kept)} at both ends are drawn; all stand in the table."


def pair_label(group: object) -> str:
    """Label of a pair without the attribute, which the heading names."""
    if not isinstance(group, dict):
        return str(group)
    values = [value for value in group.values() if value is not None]
    return f" {MINUS} ".join(map(str, values)) if len(values) == len(group) else group_label(group)
