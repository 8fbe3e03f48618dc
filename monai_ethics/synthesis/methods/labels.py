# SPDX-License-Identifier: Apache-2.0
"""Which attributes form groups, and which say who a patient is: labels are public, so names must not become some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

__all__ = ["MOST_LABELS", "why_no_grouping"]

MOST_LABELS = 20  # an attribute with more is no grouping: ages in years, dates, notes, identifiers
FEW = 5  # labels of one patient each that rare groups may have
MOST_CHARACTERS = 200  # a longer label is a text
SPOKEN = ("sex", "gender")  # few labels that say nothing of one patient, however few patients there are


def why_no_grouping(
    name: str, labels: Sequence[str | None], people: Sequence[str], *, most: int = MOST_LABELS
) -> str | None:
    """Why an attribute forms no groups; ``None`` if it does.

    Args:
        name: name of the attribute.
        labels: label of each row, ``None`` = not recorded.
        people: patient, or unit, of each row.
        most: labels that a grouping may have.

    Returns:
        A sentence without labels: too many of them, long texts, or fewer than two patients for each, as names, dates
        and identifiers have.
    """
    recorded = {(label, owner) for label, owner in zip(labels, people, strict=True) if label is not None}
    distinct = {label for label, _ in recorded}
    if len(distinct) > most:
        return f"An attribute of {len(distinct)} labels forms no groups: at most {most} can be compared."
    if any(len(label) > MOST_CHARACTERS or len(label.splitlines()) > 1 for label in distinct):
        return f"Labels of groups have one line of at most {MOST_CHARACTERS} characters: these are texts."
    bearers = Counter(label for label, _ in recorded)
    alone = sum(count == 1 for count in bearers.values())
    names = len(recorded) < 2 * len(distinct) or alone > max(FEW, len(distinct) / 2)
    if names and name.strip().lower() not in SPOKEN:
        return "Fewer than two patients share a label, as with names and identifiers: no groups are formed."
    return None
