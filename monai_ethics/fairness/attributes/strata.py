# SPDX-License-Identifier: Apache-2.0
"""From recorded attributes to the groups that are compared: bins with printed edges, and intersections."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.rules import CASE_MIX, Bins, number_of, rising_edges
from monai_ethics.fairness.attributes.side_table import clean_label, normal_name

__all__ = ["Strata", "bin_numeric", "cross", "parse_strata", "stratify"]

Labels = tuple[str | None, ...]
MOST_LABELS = 20  # a column with more different labels is no grouping: notes, dates, identifiers
MOST_GROUPS = 200  # in all groupings together: one finding lists them, and an entry of the log may be 1 MB
MOST_CROSSED = 60  # in intersections that nobody asked for by name
MOST_CHARACTERS = 200  # a longer label is a text, not the name of a group
FEW = 5  # labels of one patient each that rare groups may have
# names whose labels say nothing of one patient, however few there are
GROUPINGS = frozenset(
    {
        *("sex", "gender", "age_band", "age_group", "race", "ethnicity", "site", "center", "country", "region"),
        *("vendor", "manufacturer", "scanner", "field_t", "modality", "view_position"),
    }
)
# a day, such as one of birth: 1947-08-15, 19470815, 15.08.1947, with or without a time
_DAY = re.compile(r"((19|20)\d\d([-/.]?)(0?[1-9]|1[0-2])\3\d{1,2}|\d{1,2}([-/.])\d{1,2}\5(19|20)\d\d)([T ].*)?")
MOST_NUMBERS = 12  # a numeric column with more different values is banded
AGE_EDGES = (18.0, 40.0, 65.0)
_BAND = "_band"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strata:
    """Groups of each case.

    Args:
        groups: name such as ``sex``, ``age_band`` or ``sex*site`` to the label of each case, ``None`` = not recorded.
        left_out: columns that are no grouping: nearly every patient has a label of its own, or the labels are texts or
            too many.
        no_room: intersections that would have made too many groups.
    """

    groups: Mapping[str, Labels]
    left_out: tuple[str, ...]
    no_room: tuple[str, ...] = ()


def parse_strata(text: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Names of groupings from ``"sex,age_band,sex*site"`` or a list; ``None`` stays ``None``.

    Raises:
        InputError: if a name is empty or repeated, in whatever order and spelling, or it is no text.
    """
    if text is None:
        return None
    listed = text.split(",") if isinstance(text, str) else text
    if not isinstance(listed, (list, tuple)) or any(not isinstance(word, str) for word in listed):
        raise InputError(
            "Strata must be a text such as sex,age_band,sex*site, or a list: got another type. Correct it."
        )
    words = [word.strip() for word in listed]
    names = ["*".join(part.strip() for part in word.split("*")) for word in words]
    if not names or any(not part for name in names for part in name.split("*")):
        raise InputError("Strata must be names such as sex,age_band,sex*site: got an empty one. Remove it.")
    parts = [[normal_name(part) or part for part in name.split("*")] for name in names]
    if len({tuple(sorted(part)) for part in parts}) != len(names) or any(len(set(p)) != len(p) for p in parts):
        raise InputError("Strata must be unique: got one twice. Remove it.")
    return tuple(names)


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
    bounds = (-math.inf, *rising_edges(edges), math.inf)
    values = [number_of(label) for label in labels]
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
    """Intersection of attributes: label ``"F*A"``, ``None`` where one is not recorded.

    An asterisk within a label becomes the operator of the same look, so that two pairs are never one group.
    """
    rows = zip(*(groups[name] for name in names), strict=True)
    return tuple(None if None in row else "*".join(str(label).replace("*", "\u2217") for label in row) for row in rows)


def stratify(
    groups: Mapping[str, Sequence[str | None]],
    *,
    strata: Sequence[str] | None = None,
    bins: Bins | None = None,
    maps: Mapping[str, Mapping[str, str]] | None = None,
    patients: Sequence[str] | None = None,
) -> Strata:
    """Groupings to compare, from the recorded attributes.

    Without `strata`, every attribute is one, and every intersection of two of them as far as there is room; numeric
    ones with more than 12 different values become bands; days, and columns in which nearly every patient has a label
    of its own, are left out and named: names, dates and identifiers, whose labels would otherwise stand in the
    evidence.
    ``<name>_band`` is the numeric attribute ``<name>`` in bins: those of `bins`, 18, 40 and 65 for age, quartiles
    otherwise.

    Args:
        groups: attribute to the label of each case, ``None`` = not recorded.
        strata: names of groupings, ``*`` for intersections.
        bins: attribute to edges, or to a number of quantile groups.
        maps: attribute to recorded label to the label that stands for it; labels it does not name stay.
        patients: patient of each case; each case its own if absent.

    Returns:
        The groupings, and what was left out.

    Raises:
        InputError: if a name is not an attribute or cannot be a grouping, or there are more than 200 groups.
    """
    cleaned = {name: tuple(_label(label) for label in labels) for name, labels in groups.items()}
    for name, replaced in (maps or {}).items():
        known = _lookup(cleaned, name)
        cleaned[known] = _mapped(known, cleaned[known], replaced)
    edges = {(known := _lookup(cleaned, name)): _cuts(cleaned[known], rule) for name, rule in (bins or {}).items()}
    if strata is not None:
        asked = {name: _resolve(name, cleaned, edges) for name in strata}
        _refuse_names(asked, patients)
        if (number := sum(map(_distinct, asked.values()))) > MOST_GROUPS:
            raise InputError(f"Strata may have at most {MOST_GROUPS} groups in all: got {number}. Ask for fewer.")
        return Strata(groups=asked, left_out=())
    found: dict[str, Labels] = {}
    left_out = []
    for name, labels in cleaned.items():
        distinct = _distinct(labels)
        if name not in edges and _are_days(labels):
            left_out.append(name)
        elif name in edges or (_is_numeric(labels) and distinct > MOST_NUMBERS):
            found[name + _BAND] = _band(name, labels, edges)
        elif distinct > MOST_LABELS or _has_texts(labels) or _names_patients(name, labels, patients):
            left_out.append(name)
        else:
            found[name] = labels
    groups_of = {name: _distinct(labels) for name, labels in found.items()}
    number = sum(groups_of.values())
    while number > MOST_GROUPS:
        name, _ = found.popitem()
        left_out.append(name)
        number -= groups_of[name]
    crossed, no_room = _crossed(found)
    return Strata(groups={**found, **crossed}, left_out=tuple(left_out), no_room=no_room)


def _crossed(found: Mapping[str, Labels]) -> tuple[dict[str, Labels], tuple[str, ...]]:
    """Every intersection of two groupings of people, the smallest first, as long as there is room for its groups."""
    people = [name for name, labels in found.items() if name not in CASE_MIX and _distinct(labels) > 1]
    every = {f"{a}*{b}": cross(found, (a, b)) for a, b in combinations(people, 2)}
    room = min(MOST_GROUPS - sum(map(_distinct, found.values())), MOST_CROSSED)
    crossed, no_room = {}, []
    for name in sorted(every, key=lambda name: (_distinct(every[name]), name)):
        room -= _distinct(every[name])
        if room < 0:
            no_room.append(name)
        else:
            crossed[name] = every[name]
    return crossed, tuple(no_room)


def _mapped(name: str, labels: Labels, replaced: Mapping[str, str]) -> Labels:
    unknown = set(replaced) - {label for label in labels if label is not None}
    if unknown:
        raise InputError(
            f"A map of `{name}` must name labels that are recorded: {len(unknown)} of {len(replaced)} are not. "
            "Correct them."
        )
    return tuple(None if label is None else clean_label(replaced.get(label, label)) for label in labels)


def _cuts(labels: Labels, rule: Sequence[float] | int) -> tuple[float, ...]:
    """Edges as given, or those of so many quantile groups, to three digits."""
    if not isinstance(rule, int):
        return rising_edges(list(rule))
    numbers = [value for value in map(number_of, labels) if value is not None and not math.isnan(value)]
    if not numbers:
        return (0.0,)
    shares = [part / rule for part in range(1, rule)]
    return tuple(sorted({float(f"{edge:.3g}") for edge in np.quantile(numbers, shares)}))


def _label(label: str | None) -> str | None:
    """A clean label in Unicode form NFC: an accent typed in two ways is one group."""
    cleaned = clean_label(label)
    return None if cleaned is None else unicodedata.normalize("NFC", cleaned)


def _distinct(labels: Labels) -> int:
    return len({label for label in labels if label is not None})


def _has_texts(labels: Labels) -> bool:
    """Whether a label is too long for a name, or has several lines."""
    return any(len(label) > MOST_CHARACTERS or len(label.splitlines()) > 1 for label in labels if label is not None)


def _names_patients(name: str, labels: Labels, patients: Sequence[str] | None) -> bool:
    """Whether a column has fewer than two patients a label, or mostly labels of one patient each, as names have."""
    owners = range(len(labels)) if patients is None else patients
    recorded = {(label, owner) for label, owner in zip(labels, owners, strict=True) if label is not None}
    n_patients, distinct = len({owner for _, owner in recorded}), len({label for label, _ in recorded})
    few = 2 * distinct > n_patients > 0
    return normal_name(name) not in GROUPINGS and (few or _mostly_alone(recorded))


def _mostly_alone(recorded: set[tuple[str, object]]) -> bool:
    """Whether more than half of the labels, and more than a few, are of one patient each: names beside a common one."""
    bearers = Counter(label for label, _ in recorded)
    return sum(count == 1 for count in bearers.values()) > max(FEW, len(bearers) / 2)


def _refuse_names(asked: Mapping[str, Labels], patients: Sequence[str] | None) -> None:
    """Refuse a grouping that was asked for by name and whose labels are those of single patients."""
    for name, labels in asked.items():
        owners = range(len(labels)) if patients is None else patients
        recorded = {(label, owner) for label, owner in zip(labels, owners, strict=True) if label is not None}
        alone = normal_name(name) not in GROUPINGS and _mostly_alone(recorded)
        if "*" not in name and (alone or _are_days(labels)):
            raise InputError(
                "Labels of a grouping stand in the evidence for all to read: got one whose labels are days, or mostly "
                "of one patient each, as with names and identifiers. Merge labels with --map, or leave it out."
            )


def _are_days(labels: Labels) -> bool:
    """Whether most labels are days, such as those of birth: two patients of one birthday are no group."""
    recorded = {label for label in labels if label is not None}
    return sum(_DAY.fullmatch(label) is not None for label in recorded) > len(recorded) / 2


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
    if _has_texts(groups[known]):
        raise InputError(
            f"Labels of a grouping may have one line of at most {MOST_CHARACTERS} characters: got longer ones. "
            "Shorten them."
        )
    return groups[known]


def _is_numeric(labels: Labels) -> bool:
    values = [value for value in (number_of(label) for label in labels) if value is not None]
    return bool(values) and not any(math.isnan(value) for value in values)


def _band(name: str, labels: Labels, edges: Mapping[str, Sequence[float]]) -> Labels:
    if name in edges:
        return bin_numeric(name, labels, edges[name])
    if "age" in normal_name(name).split("_"):
        return bin_numeric(name, labels, AGE_EDGES)
    return bin_numeric(name, labels, _cuts(labels, 4))
