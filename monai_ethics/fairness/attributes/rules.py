# SPDX-License-Identifier: Apache-2.0
"""How a recorded label becomes the label of a group: numbers in bins, words for other words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.side_table import clean_label, normal_name

__all__ = ["CASE_MIX", "Bins", "number_of", "parse_bins", "parse_maps", "rising_edges"]

#: what is seen, not who: described and controlled for, never compared unless asked for
CASE_MIX = ("roi_size_band",)
#: attribute to edges, or to a number of quantile groups
Bins = Mapping[str, Sequence[float] | int]
MOST_QUANTILES = 20
_QUANTILES = re.compile(r"q(\d{1,2})")
_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}  # DICOM age strings such as 061Y


def parse_bins(texts: Sequence[str]) -> dict[str, tuple[float, ...] | int]:
    """Rules from texts such as ``"age=18,40,65"`` (edges) or ``"age=q4"`` (four quantile groups).

    Raises:
        InputError: if a text has another form, the edges do not rise, or there are not 2 to 20 quantile groups.
    """
    bins: dict[str, tuple[float, ...] | int] = {}
    for text in texts:
        name, _, rule = text.partition("=")
        quantiles = _QUANTILES.fullmatch(rule.strip())
        try:
            edges = () if quantiles else rising_edges([float(edge) for edge in rule.split(",")])
        except ValueError as error:
            raise InputError(
                "Bins must have the form age=18,40,65 with rising numbers, or age=q4: got another. See --help."
            ) from error
        if quantiles and not 2 <= int(quantiles[1]) <= MOST_QUANTILES:
            raise InputError(f"Quantile groups must be 2 to {MOST_QUANTILES}: got another number. Write age=q4.")
        _refuse_second(name, bins)
        bins[name.strip()] = int(quantiles[1]) if quantiles else edges
    return bins


def parse_maps(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Maps from texts such as ``"site=A:north,B:north"``; labels that are not named stay as they are.

    Raises:
        InputError: if a text has another form, or a label stands twice.
    """
    maps: dict[str, dict[str, str]] = {}
    for text in texts:
        name, _, pairs = text.partition("=")
        parts = [pair.partition(":") for pair in pairs.split(",")]
        if not name.strip() or any(not (old.strip() and colon and new.strip()) for old, colon, new in parts):
            raise InputError("Maps must have the form site=A:north,B:north: got another. See --help.")
        mapped = {old.strip(): new.strip() for old, _, new in parts}
        if len(mapped) != len(parts):
            raise InputError("A map must name each label once: got one twice. Remove it.")
        _refuse_second(name, maps)
        maps[name.strip()] = mapped
    return maps


def _refuse_second(name: str, known: Mapping[str, object]) -> None:
    """Refuse a second rule for an attribute: which of them holds would be a guess."""
    if normal_name(name) in [normal_name(other) for other in known]:
        raise InputError("Bins and maps may name each attribute once: got one twice. Put all into one rule.")


def rising_edges(edges: Sequence[float]) -> tuple[float, ...]:
    """The edges as numbers.

    Raises:
        InputError: if there are none, or they do not rise.
    """
    rising = all(low < high for low, high in pairwise(edges))
    if not edges or not rising or not all(math.isfinite(edge) for edge in edges):
        raise InputError("Bin edges must be finite and rising: got others. Sort them.")
    return tuple(float(edge) for edge in edges)


def number_of(label: str | None) -> float | None:
    """Value of a label, DICOM age strings in years; NaN if it is no number; ``None`` if not recorded."""
    label = clean_label(label)
    if label is None:
        return None
    match = re.fullmatch(r"(\d{1,3})([YMWD])", label)
    if match:
        return int(match[1]) * _YEARS[match[2]]
    try:
        value = float(label)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
