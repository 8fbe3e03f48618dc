# SPDX-License-Identifier: Apache-2.0
"""How numbers, groups and names are written; the exact number stays in `report.json` and beside the rounded one."""

from __future__ import annotations

from collections.abc import Mapping

from monai_ethics.evidence import Estimate

__all__ = ["counted", "group_label", "interval", "name_label", "number", "percent", "unit_label", "value_label"]

MISSING = "not recorded"
MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
WHOLE = ("patients", "cases", "positives", "negatives")  # names that count, whatever their unit
SCALES = ("1", "mm", "voxels", "unknown", "")


def number(value: float | None, unit: str = "1") -> str:
    """Rounded for reading: three decimals below 10, fewer above; counts as whole numbers."""
    if value is None:
        return "—"
    size = abs(value)
    if float(value).is_integer() and (unit not in SCALES or size >= 100):
        text = f"{value:,.0f}" if size < 1e15 else f"{value:.3g}"
    elif size >= 1e6 or 0 < size < 0.0005:
        text = f"{value:.2g}"
    else:
        text = f"{value:.{3 if size < 10 else 2 if size < 100 else 1}f}"
    return text.replace("-", MINUS) if "e-" not in text else text


def unit_label(unit: str) -> str:
    """Unit for display: nothing for a pure number."""
    return "" if unit == "1" else unit


def counted(count: float, unit: str) -> str:
    """A count with its unit, such as ``1 patient`` or ``1,200 cases``."""
    return f"{count:,} {unit.removesuffix('s') if count == 1 else unit}"


def value_label(estimate: Estimate) -> str:
    """Value with its unit, or the dash that stands for an undefined one."""
    unit = unit_label(estimate.unit)
    if estimate.value == 1 and estimate.unit not in SCALES:
        return counted(1, unit)
    text = number(estimate.value, "n" if estimate.name in WHOLE else estimate.unit)
    return f"{text} {unit}" if unit and estimate.value is not None else text


def interval(estimate: Estimate) -> str:
    """Both ends of the interval, or a dash."""
    if estimate.low is None or estimate.high is None:
        return "—"
    return f"{number(estimate.low, estimate.unit)} to {number(estimate.high, estimate.unit)}"


def percent(level: float | None) -> str:
    """Nominal level of an interval."""
    return "—" if level is None else f"{level * 100:g} %"


def group_label(group: Mapping[str, str | None], *, everyone: str = "everyone") -> str:
    """Attribute and label, such as ``sex: F, site: A``; a label that was not recorded says so."""
    parts = [f"{key}: {MISSING if label is None else label}" for key, label in group.items()]
    return ", ".join(parts) or everyone


def name_label(name: str) -> str:
    """A name made of words: ``failure_rate`` becomes ``failure rate``."""
    return name.replace("_", " ")
