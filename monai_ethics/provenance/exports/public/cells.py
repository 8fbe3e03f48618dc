# SPDX-License-Identifier: Apache-2.0
"""Which counts of people the estimates of a report give away, cell by cell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

from monai_ethics.evidence import Estimate, Finding

__all__ = [
    "ANALYZED",
    "CALLED",
    "DECISIONS",
    "EVERYONE",
    "FOUND",
    "LABELS",
    "NONE",
    "RATES",
    "ROOM",
    "ROW_NAMES",
    "SCORED",
    "SIZES",
    "Count",
    "bases_of",
    "cells_of",
    "counted_by",
    "derived",
    "family_of",
    "is_crossing",
    "is_unsafe",
    "numbers_of",
    "parts_of",
    "place_of",
    "related",
    "room",
]

_ROWS = ("fairness.group_rates", "fairness.group_scores", "fairness.representation")
_GAPS = ("fairness.calibration_gap", "fairness.equalized_odds", "fairness.ranking_gap", "fairness.rate_gap",
         "fairness.score_gap")  # fmt: skip
#: checks of scores whose groups are counted by `fairness.group_rates` of the same target
SCORED = ("fairness.calibration", "fairness.group_ranking")
#: checks for which it is worked out what their numbers tell of groups; others tell nothing of a group
ANALYZED = (*_ROWS, *_GAPS, *SCORED)
_RATES = ("tpr", "fnr", "fpr", "tnr", "ppv", "npv", "selection_rate", "accuracy", "prevalence")
#: numbers of a group that rest on its own cases only
ROW_NAMES = frozenset((*_RATES, "patients", "cases", "positives", "design_effect", "mean", "median", "failure_rate",
                       "false_positive_rate"))  # fmt: skip
_FAILURES = ("failure_rate", "false_positive_rate")
SIZES = ("patients", "cases")
SIZE = "size"
#: with and without the finding; of those with it, found and missed; of those without it, called and left
LABELS, FOUND, CALLED = "labels", "found", "called"
DECISIONS = (LABELS, FOUND, CALLED)
#: numbers that rest on all of `DECISIONS`, and tell no count that these do not
RATES = "rates"
_FAMILIES = {"positives": LABELS, "prevalence": LABELS, "tpr": FOUND, "fnr": FOUND, "fpr": CALLED, "tnr": CALLED}
MANY = 200  # of more the ends of a median's interval leave more open than any policy asks for
#: in the name of a quantity: the difference of one number in two findings
#: no count, but how many numbers stay possible for one
ROOM = "room"
#: name of that of a group in which nobody was missed: needed only where it is told how many were in all
NONE = "none missed"
LESS = " less that of finding "
#: the row of everyone
EVERYONE = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A count that a published number tells, or lets one work out.

    Args:
        family: counts of one family hang together; those of others add nothing to what is known of them.
        quantity: what is counted: place of the finding, name and part; sums over the groups of an attribute.
        row: attribute and label; `EVERYONE` for all.
        value: the count; ``None`` where the report withholds it as small.
    """

    family: str
    quantity: tuple[int, str, str]
    row: tuple[str, str]
    value: int | None


def is_unsafe(value: int | None, least: int) -> bool:
    """Whether a cell may not be shown: from 1 to below `least`, or withheld already; 0 may be shown."""
    return value is None or 0 < abs(value) < least


def place_of(group: Mapping[str, str | None]) -> tuple[str, str]:
    """Attribute and label of a group; attributes that are crossed are sorted, so that every spelling is one place."""
    if not group:
        return EVERYONE
    if len(group) == 1:
        ((name, label),) = group.items()
        return "*".join(sorted(name.split("*"))), json.dumps(label)
    names = sorted(group)
    return "*".join(names), json.dumps([group[name] for name in names])


def is_crossing(attribute: str) -> bool:
    """Whether it crosses several attributes."""
    return "*" in attribute


def parts_of(attribute: str) -> list[str]:
    """The attributes that it crosses."""
    return attribute.split("*")


def family_of(finding: Finding, name: str) -> str:
    """Family of an estimate of a finding."""
    if finding.check == "fairness.representation":
        return LABELS
    if finding.check != "fairness.group_scores":
        return _FAMILIES.get(name, RATES)
    metric = finding.subjects[0] if finding.subjects else ""
    return f"{name}:{metric}" if name in _FAILURES else f"score:{metric}"


def bases_of(family: str) -> tuple[str, ...]:
    """The families that have to be shown with one."""
    return {SIZE: (), LABELS: (SIZE,), FOUND: (SIZE, LABELS), CALLED: (SIZE, LABELS), RATES: (SIZE, *DECISIONS)}.get(
        family, (SIZE,)
    )


def related(one: Finding, other: Finding) -> bool:
    """Whether two findings may speak of one target or metric; more than do are taken to."""
    first, second = (finding.subjects[0] if finding.subjects else "" for finding in (one, other))
    return first.startswith(second) or second.startswith(first)


def counted_by(finding: Finding, base: Finding) -> bool:
    """Whether `base` counts the cases of the target or metric that `finding` is about."""
    name, target = (one.subjects[0] if one.subjects else "" for one in (finding, base))
    return base.check in _ROWS[:2] and (name == target or name.startswith(f"{target}_"))


def derived(finding: Finding) -> bool:
    """Whether a finding compares groups with each other."""
    return finding.check in _GAPS


def numbers_of(estimate: Estimate) -> dict[str, int]:
    """The counts that one estimate tells: of how many, how many lack a value, and numerators of shares."""
    n, valid = estimate.n, estimate.n if estimate.n_valid is None else estimate.n_valid
    found = {"n": n, "valid": valid, "lacking": n - valid}
    share = estimate.value if estimate.unit == "1" and estimate.name != "median" else None
    if share is not None and 0 <= share <= 1 and abs(share * valid - round(share * valid)) < 1e-6 * max(valid, 1):
        found |= {"hits": round(share * valid), "others": valid - round(share * valid)}
    elif share is not None and share == int(share) and ("number of" in estimate.estimand or share > 1):
        found |= {"count": int(share)}
    return found


def cells_of(findings: Sequence[Finding]) -> list[Count]:
    """Every count that the checks in `ANALYZED` tell of everyone and of each group."""
    found: list[Count] = []
    for place, finding in enumerate(findings):
        if finding.check in _ROWS:
            found += _cells(place, finding)
    return [*found, *_differences(findings, found)]


def _cells(place: int, finding: Finding) -> Iterator[Count]:
    cases = {place_of(e.group): e.value for e in finding.estimates if e.name == "cases"}
    yield from _rooms(place, finding)
    for estimate in finding.estimates:
        if estimate.name not in ROW_NAMES or (
            estimate.name not in SIZES and family_of(finding, estimate.name) == RATES
        ):
            continue
        if estimate.name == "design_effect":
            continue
        row, name = place_of(estimate.group), estimate.name
        if name in SIZES:
            yield Count(family=SIZE, quantity=(place, name, ""), row=row, value=_whole(estimate.value))
            continue
        family = family_of(finding, name)
        if name == "positives":
            positive, every = _whole(estimate.value), _whole(cases.get(row))
            yield Count(family=family, quantity=(place, name, ""), row=row, value=positive)
            rest = None if positive is None or every is None else every - positive
            yield Count(family=family, quantity=(place, name, "others"), row=row, value=rest)
            continue
        numbers = numbers_of(estimate)
        for part, value in numbers.items():
            yield Count(family=family, quantity=(place, name, part), row=row, value=value)
        if estimate.value is None and numbers["n"] and name not in ("mean", "median"):  # whose n counts patients
            yield Count(family=family, quantity=(place, name, "withheld"), row=row, value=None)


def _rooms(place: int, finding: Finding) -> Iterator[Count]:
    """How far mean and median leave open how many were missed, where this may be hidden.

    The missed have the worst score: of n scores between 0 and 1 with the mean m at most n (1 - m) are 0. Less than half
    are, if the median is none; and if the lower end of its interval, the k-th score, is none, at most k - 1 are.
    """
    rows: dict[tuple[str, str], dict[str, Estimate]] = {}
    for estimate in finding.estimates:
        rows.setdefault(place_of(estimate.group), {})[estimate.name] = estimate
    missed = {row: _misses(found.get("failure_rate")) for row, found in rows.items()}
    good = finding.parameters.get("higher_is_better")
    if finding.check != "fairness.group_scores" or missed.get(EVERYONE) == 0 or not isinstance(good, bool):
        return
    for row, found in rows.items():
        left = room(found.get("mean"), found.get("median"), good=good)
        if left is not None and "failure_rate" in found:
            yield Count(
                family=family_of(finding, "mean"),
                quantity=(place, NONE if missed[row] == 0 else "mean", ROOM),
                row=row,
                value=left,
            )


def _misses(estimate: Estimate | None) -> int | None:
    return None if estimate is None or estimate.value is None else round(estimate.value * estimate.n)


def room(mean: Estimate | None, median: Estimate | None, *, good: bool) -> int | None:
    """Greatest less least number of worst scores that mean and median allow; ``None`` if they tell nothing."""
    least, most = 0, None
    unit = next((e.unit for e in (mean, median) if e is not None), "")
    worst = (0.0 if good else 1.0) if unit == "1" else None
    if mean is not None and mean.value is not None and worst is not None and 0 <= mean.value <= 1:
        most = int(mean.n * (1 - mean.value if good else mean.value) + 1e-9)
    for end, rank in () if median is None else _ranks(median, good=good):
        if end == worst:
            least = max(least, rank)
        else:
            most = rank - 1 if most is None else min(most, rank - 1)
    return most if not most else max(most - least, 1)


def _ranks(median: Estimate, *, good: bool) -> Iterator[tuple[float, int]]:
    """The median and the worse end of its interval, with their places among all scores from the worst."""
    if median.value is not None:
        yield median.value, median.n // 2 + 1
    end = median.low if good else median.high
    if end is not None and median.level is not None and median.n <= MANY:
        below, rank = 1, 0  # scores of which the interval's end is the rank-th: the exact interval of a sign test
        while 2 * below <= (1 - median.level) * 2**median.n:
            rank += 1
            below += comb(median.n, rank)
        yield end, max(rank, 1)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _differences(findings: Sequence[Finding], cells: Sequence[Count]) -> Iterator[Count]:
    """What two findings tell together: the same number of two runs or thresholds, sizes of other sets of cases."""
    same: dict[tuple[str, str, str, object], dict[int, dict[tuple[str, str], int]]] = {}
    for cell in cells:
        place, name, part = cell.quantity
        about: object = () if cell.family == SIZE else (findings[place].check, tuple(findings[place].subjects[:1]))
        if cell.value is not None and part != ROOM:
            vectors = same.setdefault((cell.family, name, part, about), {})
            vectors.setdefault(place, {})[cell.row] = cell.value
    for (family, name, part, _), vectors in same.items():
        distinct = {tuple(sorted(vector.items())): place for place, vector in vectors.items()}
        for (before, first), (after, second) in combinations(distinct.items(), 2):
            known = dict(before)
            for row, value in after:
                if row in known:
                    what = (max(first, second), name, f"{part}{LESS}{min(first, second)}")
                    yield Count(family=family, quantity=what, row=row, value=value - known[row])
    yield from _left_out(cells)


def _left_out(cells: Sequence[Count]) -> Iterator[Count]:
    """Patients of a group who have no score: its size less the patients whom a score speaks of."""
    sizes: dict[tuple[str, str], int] = {}
    for cell in cells:
        if cell.family == SIZE and cell.quantity[1] == "patients" and cell.value is not None:
            sizes.setdefault(cell.row, cell.value)
    for cell in cells:
        place, name, part = cell.quantity
        if cell.family.startswith("score:") and part == "n" and cell.value is not None and cell.row in sizes:
            yield Count(
                family=cell.family, quantity=(place, name, "out"), row=cell.row, value=sizes[cell.row] - cell.value
            )
