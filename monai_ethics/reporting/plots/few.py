# SPDX-License-Identifier: Apache-2.0
"""Which of very many groups are drawn: both ends first, and what was left to the table is said."""

from __future__ import annotations

from collections.abc import Sequence

from monai_ethics.evidence import Curve, Estimate

__all__ = ["GROUPS", "curves_of", "few", "ordered"]

GROUPS = 12  # groups with a number drawn for one attribute: half from the low end, half from the high end
OPEN = 4  # groups without a number drawn for one attribute
ROOM = 48  # groups drawn in all


def few(rows: Sequence[Estimate]) -> tuple[list[Estimate], str]:
    """Rows to draw, in their order, and a sentence about the others; empty if all are drawn.

    Args:
        rows: estimates of one name; those of everyone are always drawn.

    Returns:
        The rows, and what the caption says.
    """
    by_attribute: dict[tuple[str, ...], list[Estimate]] = {}
    for row in rows:
        by_attribute.setdefault(tuple(row.group), []).append(row)
    most = max(2, min(GROUPS, ROOM // max(len(by_attribute), 1)))
    drawn: list[Estimate] = []
    for keys, group in by_attribute.items():
        drawn += _both_ends(group, most) if keys else group
    left = len(rows) - len(drawn)
    if not left:
        return drawn, ""
    return drawn, (
        f" Of an attribute with many groups the {most // 2} lowest and the {most // 2} highest are drawn, and at most "
        f"{OPEN} of those without a number; {left} more stand in the table."
    )


def _both_ends(group: Sequence[Estimate], most: int) -> list[Estimate]:
    order = ordered(group)
    half = most // 2
    ends = order if len(order) <= most else [*order[:half], *order[-half:]]
    kept = {*map(id, ends), *map(id, [row for row in group if row.value is None][:OPEN])}
    if len(kept) == len(group):
        return list(group)
    return [*ends, *(row for row in group if row.value is None and id(row) in kept)]


def ordered(group: Sequence[Estimate]) -> list[Estimate]:
    """Groups with a number, lowest first; ties in the order given."""
    return sorted((row for row in group if row.value is not None), key=lambda row: row.value or 0.0)


def curves_of(curves: Sequence[Curve], *, most: int) -> tuple[list[Curve], str]:
    """Curves to draw of one attribute: all, or those that speak of most, and a sentence about the others."""
    if len(curves) <= most:
        return list(curves), ""
    kept = {id(curve) for curve in sorted(curves, key=lambda curve: -curve.n)[:most]}
    drawn = [curve for curve in curves if id(curve) in kept]
    return drawn, (
        f" The {most} largest of {len(curves)} groups are drawn; the other {len(curves) - most} stand in report.json."
    )
