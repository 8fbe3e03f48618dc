# SPDX-License-Identifier: Apache-2.0
"""A comparison in words that a reader without statistics can use, and that are true whatever was compared."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from monai_ethics.fairness.data.groups import Group, spoken_label
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.methods.comparison import Comparison
from monai_ethics.fairness.methods.crossed import influence
from monai_ethics.statistics.intervals import Floats

__all__ = ["HALF_MISSED", "at_extreme", "gap_statement", "is_exploratory", "quantity", "subject_text"]

HALF_MISSED = "half or more missed"
MISSED = "something to find, nothing found"
_TIE = 1e-9


def is_exploratory(attribute: str) -> bool:
    """Whether a grouping is an intersection, which is looked at without having been planned."""
    return "*" in attribute


def subject_text(table: ScoreTable) -> str:
    """What the scores are, at the beginning of a sentence."""
    if not table.of_misses:
        return table.metric
    return f"The share of missed cases ({MISSED}; {table.metric.removesuffix('_missed')})"


def quantity(table: ScoreTable, value: float) -> str:
    """A score as it is printed: shares of misses in percent, an infinite one in words."""
    if not math.isfinite(value):
        return HALF_MISSED
    if table.of_misses:
        return f"{100 * value:.3g} %"
    number, unit = f"{value:.3g}", "" if table.unit in ("1", "unknown") else table.unit
    return f"{number} {'voxel' if (number, unit) == ('1', 'voxels') else unit}".rstrip()


def at_extreme(places: Sequence[float] | Floats, *, highest: bool) -> list[int]:
    """Positions of the largest or smallest place, all that tie with it."""
    wanted = max(places) if highest else min(places)
    return [i for i, place in enumerate(places) if place == wanted or abs(place - wanted) <= _TIE]


def gap_statement(
    table: ScoreTable,
    attribute: str,
    found: Comparison,
    *,
    p_adjusted: float,
    least: float | None,
    alpha: float,
) -> str:
    """The statement of a comparison that could be made.

    Args:
        table: the scores compared.
        attribute: the grouping.
        found: the comparison, with its test.
        p_adjusted: p-value adjusted over the family.
        least: minimum detectable gap, or relative effect; ``None`` if not computed.
        alpha: level of the test.

    Returns:
        Some sentences.
    """
    n = len({patient for group in found.judged for patient in group.patients})
    tested = f"adjusted p = {p_adjusted:.2g}, {n} patients in {len(found.judged)} groups"
    if is_exploratory(attribute):
        tested = f"exploratory; {tested}"
    seen = f"{_range(table, found)}."
    if p_adjusted <= alpha:
        return f"{subject_text(table)} differs by {attribute} ({tested}): {seen}{_served_worst(table, found)}"
    what = subject_text(table) if not table.of_misses else f"t{subject_text(table)[1:]}"
    none = f"No difference of {what} by {attribute} was shown ({tested}): {seen}"
    return f"{none} Not shown is not no gap{_overlooked(table, found, least)}."


def _places(found: Comparison) -> list[float]:
    """Median of each group where ranks were compared, else mean."""
    place = np.median if found.ranks else np.mean
    with np.errstate(invalid="ignore"):
        return [float(place(group.values)) for group in found.judged]


def _range(table: ScoreTable, found: Comparison) -> str:
    """Where the groups lie, and how far apart they would lie by chance alone."""
    places = _places(found)
    worst_high = table.higher_is_better is False
    ends = [at_extreme(places, highest=worst_high), at_extreme(places, highest=not worst_high)]
    kind = "shares" if table.of_misses else "medians" if found.ranks else "means"
    if ends[0] == ends[1] and not math.isfinite(places[0]):
        return f"{HALF_MISSED} in each group"
    if ends[0] == ends[1]:
        return f"all {kind} are {quantity(table, places[0])}"
    first, last = (f"{quantity(table, places[end[0]])} ({_names(found.judged, end)})" for end in ends)
    text = f"{kind} from {first} to {last}"
    omnibus = found.omnibus
    if omnibus is None or omnibus.gap is None or omnibus.gap_null_mean is None:
        return text
    null = f"{100 * omnibus.gap_null_mean:.3g}" if table.of_misses else quantity(table, omnibus.gap_null_mean)
    return f"{text}, a gap of {_difference(table, omnibus.gap)}, where {null} is expected without a difference"


def _difference(table: ScoreTable, value: float) -> str:
    return f"{100 * value:.3g} percentage points" if table.of_misses else quantity(table, value)


def _names(groups: Sequence[Group], positions: Sequence[int]) -> str:
    return " and ".join(spoken_label(groups[i].label) for i in positions)


def _served_worst(table: ScoreTable, found: Comparison) -> str:
    """The group or groups at the worse end of what was tested: means, or relative effects of ranks."""
    if table.higher_is_better is None:
        return ""
    places, _ = influence(found.judged, ranks=found.ranks)
    worst = at_extreme(places, highest=not table.higher_is_better)
    if len(worst) == len(found.judged):
        return ""
    what = "Missed most often" if table.of_misses else "Served worst"
    several = ""
    if len(found.judged) > 2:  # that some groups differ was tested, not that this one is the worst
        what += " in these data"
        several = f" (of {len(found.judged)} groups; which pairs differ stands below)"
    names = _names(found.judged, worst)
    if found.ranks:
        middle = at_extreme(_places(found), highest=not table.higher_is_better)
        if len(middle) == len(found.judged):
            names += ", by the ranks of all scores"
        elif middle != worst:
            names = f"{_names(found.judged, middle)} by medians, {names} by the ranks of all scores"
    return f" {what}: {names}{several}."


def _overlooked(table: ScoreTable, found: Comparison, least: float | None) -> str:
    if least is None:
        return ""
    low, high = table.score_bounds or (-math.inf, math.inf)
    where = "between the two smallest groups" if len(found.judged) > 2 else "between groups of this size"
    if least >= (1 if found.ranks else high - low):
        return f": {where} no gap of any size would be seen reliably"
    often = f"{where} would be overlooked more often than once in 5 times"
    if not found.ranks:
        return f": a difference below about {_difference(table, float(f'{least:.2g}'))} {often}"
    how = "score higher" if table.higher_is_better is None else "do better"
    return (
        f": a gap {often} unless patients of one group {how} than those of the other in at least about "
        f"{100 * least:.0f} of 100 comparisons (50 of 100 is no gap)"
    )
