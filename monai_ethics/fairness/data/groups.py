# SPDX-License-Identifier: Apache-2.0
"""One value per patient in each group of an attribute."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.rules import CASE_MIX
from monai_ethics.fairness.attributes.strata import cross
from monai_ethics.fairness.data.scores import ESTIMAND, ScoreTable
from monai_ethics.statistics.intervals import Floats

__all__ = [
    "CASE_MIX",
    "Group",
    "Grouped",
    "at_worst",
    "attribute_of",
    "label_text",
    "labels_of",
    "repeated",
    "split",
    "spoken_label",
]

NOT_RECORDED = "(not recorded)"


class Grouped(Protocol):
    """Anything with the labels of its cases: a table of scores or of a classifier's answers."""

    @property
    def groups(self) -> Mapping[str, tuple[str | None, ...]]:
        """Attribute to the label of each case; ``None`` = not recorded."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The patients of one group.

    Args:
        label: label of the attribute; ``None`` = not recorded.
        patients: patients with a score, sorted, length ``n``.
        values: one score for each of them, shape ``(n,)``; infinite for a miss without a worst score.
        n_patients: patients with any case in the group.
        missed: whether any patient of them has a miss.
        estimand: what a patient's value is.
    """

    label: str | None
    patients: tuple[str, ...]
    values: Floats
    n_patients: int
    missed: bool
    estimand: str = ESTIMAND


def label_text(label: str | None) -> str:
    """A label as it is printed."""
    return NOT_RECORDED if label is None else label


def spoken_label(label: str | None) -> str:
    """A label within a sentence; the brackets of a band such as ``[18, 40)`` stay."""
    return NOT_RECORDED.strip("()") if label is None else label


def attribute_of(name: str, table: Grouped) -> str:
    """The attribute that was named, or else the only one there is; empty where none can be told."""
    return name or (next(iter(table.groups)) if len(table.groups) == 1 else "")


def labels_of(table: Grouped, attribute: str) -> tuple[str | None, ...]:
    """Label of each case; ``sex*site`` is crossed from its parts where the table does not have it.

    Raises:
        InputError: if the table has no such attribute.
    """
    if attribute in table.groups:
        return table.groups[attribute]
    parts = attribute.split("*")
    if len(parts) < 2 or any(part not in table.groups for part in parts):
        raise InputError(
            "Expected an attribute of the score table: got one it does not have. "
            f"Known: {', '.join(table.groups) or 'none'}."
        )
    return cross(table.groups, parts)


def split(table: ScoreTable, attribute: str | None) -> list[Group]:
    """Groups of an attribute sorted by label, not recorded last; everyone as one group if there is none."""
    labels = (None,) * len(table) if attribute is None else labels_of(table, attribute)
    rows: defaultdict[str | None, list[int]] = defaultdict(list)
    for position, label in enumerate(labels):
        rows[label].append(position)
    ordered = sorted(rows, key=lambda label: (label is None, label or ""))
    by_median, estimand = table.by_median, table.estimand  # of the whole table: groups are treated alike
    return [_group(table.reordered(rows[label]), label, by_median, estimand) for label in ordered]


def _group(table: ScoreTable, label: str | None, by_median: bool, estimand: str) -> Group:
    scores = table.patient_values(by_median=by_median)
    known = {patient: value for patient, value in scores.items() if value is not None}
    return Group(
        label=label,
        patients=tuple(known),
        values=np.array(list(known.values()), dtype=np.float64),
        n_patients=len(scores),
        missed="missed" in table.outcomes,
        estimand=estimand,
    )


def repeated(groups: list[Group]) -> int:
    """Number of patients that are in several groups."""
    counts = Counter(patient for group in groups for patient in group.patients)
    return sum(count > 1 for count in counts.values())


def at_worst(table: ScoreTable, values: Floats) -> bool:
    """Whether a bounded score that is no mere yes or no lies at its worst, as a miss would."""
    bounds = table.score_bounds
    if bounds is None or table.higher_is_better is None or np.isin(values, bounds).all():
        return False
    return bool((values == bounds[0 if table.higher_is_better else 1]).any())
