# SPDX-License-Identifier: Apache-2.0
"""From recorded attributes to the groups that are compared: bins with printed edges, and intersections."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.side_table import clean_label, normal_name

__all__ = ["Strata", "bin_numeric", "cross", "parse_bins", "parse_strata", "stratify"]

Labels = tuple[str | None, ...]
MOST_LABELS = 20  # a column with more different labels is no grouping: notes, dates, identifiers
MOST_GROUPS = 200  # in all groupings together: one finding lists them, and an entry of the log may be 1 MB
MOST_CHARACTERS = 200  # a longer label is a text, not the name of a group
# names whose labels say nothing of one patient, however few there are
GROUPINGS = frozenset(
    {
        *("sex", "gender", "age_band", "age_group", "race", "ethnicity", "site", "center", "country", "region"),
        *("vendor", "manufacturer", "scanner", "field_t", "modality", "view_position"),
    }
)
MOST_NUMBERS = 12  # a numeric column with more different values is banded
AGE_EDGES = (18.0, 40.0, 65.0)
_BAND = "_band"
_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}  # DICOM age strings such as 061Y


@dataclass(frozen=True, slots=True, kw_only=True)
class Strata:
    """Groups of each case.

    Args:
        groups: name such as ``sex``, ``age_band`` or ``sex*site`` to the label of each case, ``None`` = not recorded.
        left_out: columns that are no grouping: nearly every patient has a label of its own, or the labels are texts or
            too many.
    """

    groups: Mapping[str, Labels]
    left_out: tuple[str, ...]


def parse_strata(text: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Names of groupings from ``"sex,age_band,sex*site"`` or a list; ``None`` stays ``None``.

    Raises:
        InputError: if a name is empty or repeated.
    """
    if text is None:
        return None
    words = [word.strip() for word in (text.split(",") if isinstance(text, str) else text)]
    names = ["*".join(part.strip() for part in word.split("*")) for word in words]
    if not names or any(not part for name in names for part in name.split("*")):
        raise InputError("Strata must be names such as sex,age_band,sex*site: got an empty one. Remove it.")
    if len(set(names)) != len(names):
        raise InputError("Strata must be unique: got one twice. Remove it.")
    return tuple(names)


def parse_bins(texts: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Edges from texts such as ``"age=18,40,65"``.

    Raises:
        InputError: if a text has another form or the edges do not rise.
    """
    bins = {}
    for text in texts:
        name, _, edges = text.partition("=")
        try:
            bins[name.strip()] = _edges([float(edge) for edge in edges.split(",")])
        except ValueError as error:
            raise InputError(
                "Bins must have the form age=18,40,65 with rising numbers: got another. See --help."
            ) from error
    return bins


def _edges(edges: Sequence[float]) -> tuple[float, ...]:
    rising = all(low < high for low, high in pairwise(edges))
    if not edges or not rising or not all(math.isfinite(edge) for edge in edges):
        raise InputError("Bin edges must be finite and rising: got others. Sort them.")
    return tuple(float(edge) for edge in edges)


def _number(label: str | None) -> float | None:
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


def bin_numeric(name: str, labels: Sequence[str | None], edges: Sequence[float]) -> Labels:
    """Labels such as ``"[18, 40)"``; the first and last bin reach to infinity.

    Args:
        name: attribute, for the message.
        labels: numbers as text, DICOM ages such as ``061Y`` included, ``None`` = not recorded.
        edges: finite, rising.

    Returns:
        One label per case.

    Raises:
        InputError: if a recorded label is no number.
    """
    bounds = (-math.inf, *_edges(edges), math.inf)
    values = [_number(label) for label in labels]
    wrong = [position for position, value in enumerate(values) if value is not None and math.isnan(value)]
    if wrong:
        raise InputError(
            f"`{name}` must be numeric to be binned: {len(wrong)} entries are not, the first is case {wrong[0]}. "
            "Correct them or leave them empty."
        )
    names = [f"{'(' if low == -math.inf else '['}{low:g}, {high:g})" for low, high in pairwise(bounds)]
    return tuple(
        None if value is None else names[int(np.searchsorted(bounds, value, side="right")) - 1] for value in values
    )


def cross(groups: Mapping[str, Sequence[str | None]], names: Sequence[str]) -> Labels:
    """Intersection of attributes: label ``"F*A"``, ``None`` where one is not recorded."""
    rows = zip(*(groups[name] for name in names), strict=True)
    return tuple(None if None in row else "*".join(str(label) for label in row) for row in rows)


def stratify(
    groups: Mapping[str, Sequence[str | None]],
    *,
    strata: Sequence[str] | None = None,
    bins: Mapping[str, Sequence[float]] | None = None,
    patients: Sequence[str] | None = None,
) -> Strata:
    """Groupings to compare, from the recorded attributes.

    Without `strata`, every attribute is one; numeric ones with more than 12 different values become bands, and
    columns in which nearly every patient has a label of its own are left out and named: names, dates and identifiers,
    whose labels would otherwise stand in the evidence. ``<name>_band`` is the numeric
    attribute ``<name>`` in bins: those of `bins`, 18, 40 and 65 for age, quartiles otherwise.

    Args:
        groups: attribute to the label of each case, ``None`` = not recorded.
        strata: names of groupings, ``*`` for intersections.
        bins: attribute to edges.
        patients: patient of each case; each case its own if absent.

    Returns:
        The groupings, and what was left out.

    Raises:
        InputError: if a name is not an attribute or cannot be a grouping, or there are more than 200 groups.
    """
    cleaned = {name: tuple(_label(label) for label in labels) for name, labels in groups.items()}
    edges = {_lookup(cleaned, name): _edges(list(values)) for name, values in (bins or {}).items()}
    if strata is not None:
        asked = {name: _resolve(name, cleaned, edges) for name in strata}
        if (number := sum(map(_distinct, asked.values()))) > MOST_GROUPS:
            raise InputError(f"Strata may have at most {MOST_GROUPS} groups in all: got {number}. Ask for fewer.")
        return Strata(groups=asked, left_out=())
    found: dict[str, Labels] = {}
    left_out = []
    for name, labels in cleaned.items():
        distinct = _distinct(labels)
        if name in edges or (_is_numeric(labels) and distinct > MOST_NUMBERS):
            found[name + _BAND] = _band(name, labels, edges)
        elif distinct > MOST_LABELS or _longest(labels) > MOST_CHARACTERS or _names_patients(name, labels, patients):
            left_out.append(name)
        else:
            found[name] = labels
    while sum(map(_distinct, found.values())) > MOST_GROUPS:
        left_out.append(found.popitem()[0])
    return Strata(groups=found, left_out=tuple(left_out))


def _label(label: str | None) -> str | None:
    """A clean label in Unicode form NFC: an accent typed in two ways is one group."""
    cleaned = clean_label(label)
    return None if cleaned is None else unicodedata.normalize("NFC", cleaned)


def _distinct(labels: Labels) -> int:
    return len({label for label in labels if label is not None})


def _longest(labels: Labels) -> int:
    return max((len(label) for label in labels if label is not None), default=0)


def _names_patients(name: str, labels: Labels, patients: Sequence[str] | None) -> bool:
    """Whether a column has fewer than two patients a label, as names, dates and identifiers of a small cohort have."""
    owners = range(len(labels)) if patients is None else patients
    recorded = [(label, owner) for label, owner in zip(labels, owners, strict=True) if label is not None]
    n_patients, distinct = len({owner for _, owner in recorded}), len({label for label, _ in recorded})
    return normal_name(name) not in GROUPINGS and 2 * distinct > n_patients > 0


def _lookup(groups: Mapping[str, Labels], name: str) -> str:
    matches = [known for known in groups if known == name] or [
        known for known in groups if normal_name(known) == normal_name(name)
    ]
    if not matches:
        raise InputError(
            f"Expected the name of a recorded attribute: got one that is not in the table. Known: {', '.join(groups)}."
        )
    return matches[0]


def _resolve(name: str, groups: Mapping[str, Labels], edges: Mapping[str, Sequence[float]]) -> Labels:
    if "*" in name:
        parts = name.split("*")
        return cross({part: _resolve(part, groups, edges) for part in parts}, parts)
    base = name.removesuffix(_BAND)
    if base != name and not any(normal_name(known) == normal_name(name) for known in groups):
        known = _lookup(groups, base)
        return _band(known, groups[known], edges)
    known = _lookup(groups, name)
    if known in edges:
        return _band(known, groups[known], edges)
    if len(set(groups[known])) > MOST_LABELS + 1:
        raise InputError(
            f"A grouping may have at most {MOST_LABELS} labels: got {len(set(groups[known]))}. "
            "Ask for its `_band` with --bins, or merge labels."
        )
    if _longest(groups[known]) > MOST_CHARACTERS:
        raise InputError(
            f"Labels of a grouping may have at most {MOST_CHARACTERS} characters: got longer ones. Shorten them."
        )
    return groups[known]


def _is_numeric(labels: Labels) -> bool:
    values = [value for value in (_number(label) for label in labels) if value is not None]
    return bool(values) and not any(math.isnan(value) for value in values)


def _band(name: str, labels: Labels, edges: Mapping[str, Sequence[float]]) -> Labels:
    if name in edges:
        return bin_numeric(name, labels, edges[name])
    if "age" in normal_name(name).split("_"):
        return bin_numeric(name, labels, AGE_EDGES)
    numbers = [value for value in (_number(label) for label in labels) if value is not None and not math.isnan(value)]
    if not numbers:
        return bin_numeric(name, labels, (0.0,))
    quartiles = {float(f"{edge:.3g}") for edge in np.quantile(numbers, (0.25, 0.5, 0.75))}
    return bin_numeric(name, labels, sorted(quartiles))
