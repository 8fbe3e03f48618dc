# SPDX-License-Identifier: Apache-2.0
"""ROC curves and rates by threshold, a line for each group."""

from __future__ import annotations

from collections.abc import Iterator

from monai_ethics.evidence import Curve, Finding
from monai_ethics.reporting.plots.few import curves_of
from monai_ethics.reporting.plots.lines import LINES, Plane, by_attribute, group_text, paint_lines
from monai_ethics.reporting.plots.style import Picture
from monai_ethics.reporting.quantity import TIMES, number
from monai_ethics.reporting.telling import brief, by_weight, capital, spoken

__all__ = ["by_threshold", "roc"]

READ = "Each line has its own dashes and its number, which the list at the right explains."
SWEEP = "_by_threshold"


def _sets(finding: Finding, name: str) -> Iterator[tuple[str, list[Curve], str]]:
    """Curves to draw together: those of one attribute with everyone's, and what was left out."""
    found = by_attribute(finding.curves, name)
    whole = found.pop((), [])[:1]
    if not found and whole:
        yield "everyone", whole, ""
    for keys, curves in found.items():
        drawn, left = curves_of(curves, most=LINES - len(whole))
        yield f" {TIMES} ".join(keys), [*drawn, *whole], left


def roc(finding: Finding, *, salt: str) -> Iterator[Picture]:
    """Draw the ROC curves of each attribute; the first is seen without a click."""
    for place, (attribute, curves, left) in enumerate(_sets(finding, "roc")):
        points = [_point(finding, curve) for curve in curves]
        plane = Plane(x_axis=brief("fpr"), y_axis=brief("tpr"), diagonal=True, points=points)
        square = " A square is where the threshold in use puts the group of that number." if any(points) else ""
        yield Picture(
            svg=paint_lines(curves, plane, salt=f"{salt}-{place}"),
            caption=f"ROC by {attribute}: what share is found, for each share of false alarms. {READ} A line nearer to "
            f"the upper left ranks cases better; the dashed diagonal is guessing.{square} The lines have no interval: "
            f"whether groups differ is answered by a test.{left}",
            alt=f"ROC curves of {_names(curves)}.",
            title=f"ROC by {attribute}",
            lead=place == 0,
        )


def _point(finding: Finding, curve: Curve) -> tuple[float, float] | None:
    found = {row.name: row.value for row in finding.estimates if dict(row.group) == dict(curve.group)}
    x, y = found.get("fpr"), found.get("tpr")
    return None if x is None or y is None else (x, y)


def by_threshold(finding: Finding, *, salt: str) -> Iterator[Picture]:
    """Draw each rate over the threshold by group, with the threshold in use; the first is seen without a click."""
    found = dict.fromkeys(curve.name for curve in finding.curves if curve.name.endswith(SWEEP))
    names = [f"{rate}{SWEEP}" for rate in by_weight(name.removesuffix(SWEEP) for name in found)]
    fixed = _threshold(finding)
    first = True
    for number_, name in enumerate(names):
        rate = name.removesuffix(SWEEP)
        for place, (attribute, curves, left) in enumerate(_sets(finding, name)):
            within = all(0 <= value <= 1 for curve in curves for value in curve.y if value is not None)
            plane = Plane(
                x_axis=curves[0].x_name,
                y_axis=brief(rate),
                xlim=None,
                ylim=(0.0, 1.0) if within else None,
                mark=fixed,
            )
            line = f" The dashed line is the threshold in use, {number(fixed)}." if fixed is not None else ""
            yield Picture(
                svg=paint_lines(curves, plane, salt=f"{salt}-{number_}-{place}"),
                caption=f"{capital(spoken(rate))} at each threshold, by {attribute}. {READ}{line} A threshold must be "
                f"chosen on other patients than these.{left}",
                alt=f"{capital(spoken(rate))} over the threshold for {_names(curves)}.",
                title=f"{brief(rate)} by threshold and {attribute}",
                lead=first,
            )
            first = False


def _threshold(finding: Finding) -> float | None:
    for key in ("threshold", "fixed_threshold", "operating_threshold"):
        value = finding.parameters.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def _names(curves: list[Curve]) -> str:
    return ", ".join(f"{group_text(curve)} (n = {curve.n})" for curve in curves)
