# SPDX-License-Identifier: Apache-2.0
"""What was looked at, how each result was made, and the weakest results: the tables around the findings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from monai_ethics.evidence import INTRINSIC_LIMITS, UNJUDGED, Estimate, EvidenceReport
from monai_ethics.reporting import published
from monai_ethics.reporting.asked import Asked
from monai_ethics.reporting.names import scores as score_list
from monai_ethics.reporting.quantity import counted, group_label, interval, name_label, number, value_label
from monai_ethics.reporting.sections import Section, TableCell
from monai_ethics.reporting.shapes import NO_PEOPLE, direction, primary
from monai_ethics.reporting.words import words_of

if TYPE_CHECKING:
    from monai_ethics.provenance.lineage.sketch import Sketch
    from monai_ethics.provenance.log.reading.trail import Set, Trail

__all__ = ["facts", "methods", "synthetic_limits", "weakest"]

UNITS = ("patients", "cases", "images")
NAMED = 3  # runs, sets and models that are named
SIZE = re.compile(r"\d+(?:\.\d+)?")
CHANGES = ("change", "worst_group_change", "difference_recipe", "difference_models")


def facts(report: EvidenceReport, asked: Sequence[Asked], trail: Trail | None) -> tuple[tuple[str, str], ...]:
    """On whom or what, which data, which model, which runs: a label and a sentence each."""
    runs = list(dict.fromkeys(item.finding.run for item in asked if item.finding.run))
    if trail is not None and trail.runs:
        runs = [run.run_id for run in trail.runs]
    rows = (
        ("On how many", _people(asked)),
        ("Data", _data(report, trail)),
        ("Model", _models(trail)),
        ("Scores", _some(score_list([item.finding for item in asked]))),
        ("Runs", _some(runs) or "one, without a name"),
    )
    return tuple((name, text) for name, text in rows if text)


def _people(asked: Sequence[Asked]) -> str:
    most: dict[str, int] = {}
    for item in asked:
        for row in item.finding.estimates:
            if row.n and set(row.group) <= NO_PEOPLE:
                most[row.n_unit] = max(most.get(row.n_unit, 0), row.n)
    told = [counted(most[unit], unit) for unit in UNITS if unit in most]
    if not told:
        return "no result states it"
    return f"{', '.join(told)} at the most in one result; each result states its own number"


def _data(report: EvidenceReport, trail: Trail | None) -> str:
    if published.is_public(trail):
        return published.DATA
    if trail is not None and trail.sets:
        return _some([f"{row.role} of {counted(row.n, 'images')} ({_whose(row)})" for row in trail.sets])
    if report.inputs:
        return f"{counted(len(report.inputs), 'files')}, with digests below"
    return "no set of images is recorded"


def _whose(row: Set) -> str:
    told = [counted(row.patients, "patients")] if row.patients or not row.unattributed else []
    return ", ".join([*told, f"{row.unattributed:,} of no known patient"] if row.unattributed else told)


def _models(trail: Trail | None) -> str:
    if trail is None:
        return ""
    if trail.published is not None:
        return published.DATA
    named = [
        f"{row.name or 'unnamed'}{f' (weights {row.weights[:12]}…)' if row.weights else ''}" for row in trail.models
    ]
    return _some(named) or "none is named in the records"


def _some(texts: Sequence[str]) -> str:
    left = len(texts) - NAMED
    return f"{'; '.join(texts[:NAMED])}{f'; and {left:,} more' if left > 0 else ''}"


def synthetic_limits(asked: Sequence[Asked], trail: Trail | None, lineage: Sketch | None) -> tuple[str, ...]:
    """The limits of all synthetic images, wherever any are involved."""
    involved = (
        any(item.finding.check.startswith("synthesis.") for item in asked)
        or (trail is not None and trail.synthetic > 0)
        or (lineage is not None and any(box.marked for box in lineage.boxes))
        or any(text in item.finding.limitations for item in asked for text in INTRINSIC_LIMITS)
    )
    return INTRINSIC_LIMITS if involved else ()


def methods(asked: Sequence[Asked]) -> Section:
    """Every result with its verdict, n, seed, run and requirements."""
    return Section(
        anchor="methods",
        title="How each result was made",
        short="How each result was made",
        intro=(
            "One line for each result; its method, parameters, sources and limits stand below it. "
            "The same in report.json.",
        ),
        caption="Every result with n, seed and requirements",
        head=("Result", "Verdict", "n", "Seed", "Check", "Run", "Requirements"),
        rows=tuple(map(_made, asked)),
        most=10,
    )


def _made(item: Asked) -> tuple[TableCell, ...]:
    finding = item.finding
    most: dict[str, int] = {}
    for row in finding.estimates:
        most[row.n_unit] = max(most.get(row.n_unit, 0), row.n)
    return (
        TableCell(text=item.named, anchor=item.anchor),
        TableCell(text="", said=words_of(finding)),
        TableCell(text=", ".join(counted(n, unit) for unit, n in most.items()) or "—"),
        TableCell(text="none used" if finding.seed is None else str(finding.seed)),
        TableCell(text=finding.check, code=True),
        TableCell(text=finding.run or "—"),
        TableCell(text=", ".join(finding.requirements) or "none named"),
    )


def weakest(asked: Sequence[Asked]) -> Section | None:
    """What no average shows: the ends of the patients' scores, the smallest regions, and what went the other way."""
    rows = [row for item in asked if item.finding.verdict not in UNJUDGED for row in _weak(item)]
    if not rows:
        return None
    return Section(
        anchor="worst",
        title="The weakest results",
        short="The weakest results",
        intro=(
            "What an average hides. The scores of single patients stay in the private part of the evidence: "
            "monai-ethics private EVIDENCE_FOLDER lists it for whoever holds it.",
        ),
        caption="The weakest results",
        head=("Result", "What", "Weak end", "Other end", "n"),
        rows=tuple(rows),
    )


def _weak(item: Asked) -> Iterator[tuple[TableCell, ...]]:
    yield from _tails(item)
    yield from _smallest(item)
    yield from _fallen(item)


def _tails(item: Asked) -> Iterator[tuple[TableCell, ...]]:
    """The outermost twentieths of all patients, as the finding's quantiles have them."""
    for curve in item.finding.curves:
        if curve.name != "quantiles" or curve.group:
            continue
        known = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if y is not None]
        if len(known) < 2:
            continue
        (low, at_low), (high, at_high) = known[0], known[-1]
        below, above = (" or without a value" if end is None else "" for end in (curve.y[0], curve.y[-1]))
        ends = [
            f"{low:.0%} of the {curve.n_unit} at {number(at_low)} or lower{below}",
            f"{1 - high:.0%} of the {curve.n_unit} at {number(at_high)} or higher{above}",
        ]
        if direction(item.finding) is False:
            ends.reverse()
        yield _row(item, "ends of the scores, by twentieths of all", ends, counted(curve.n, curve.n_unit))


def _smallest(item: Asked) -> Iterator[tuple[TableCell, ...]]:
    """The smallest regions beside the largest, where the finding has groups by size."""
    name = primary(item.finding)
    by_key: dict[str, list[Estimate]] = {}
    for row in item.finding.estimates:
        key = next(iter(row.group), "")
        if row.name == name and len(row.group) == 1 and "roi_size" in key and row.group[key] is not None:
            by_key.setdefault(key, []).append(row)
    for key, rows in by_key.items():
        sized = sorted((row for row in rows if SIZE.search(str(row.group[key]))), key=lambda row: _size(row, key))
        if len(sized) > 1:
            ends = [f"{group_label(row.group)}: {value_label(row)} ({interval(row)})" for row in (sized[0], sized[-1])]
            n = f"{sized[0].n}, {counted(sized[-1].n, sized[-1].n_unit)}"
            yield _row(item, "smallest beside largest regions", ends, n)


def _size(row: Estimate, key: str) -> float:
    found = SIZE.search(str(row.group[key]))
    return float(found[0]) if found else 0.0


def _fallen(item: Asked) -> Iterator[tuple[TableCell, ...]]:
    """Changes against the direction that is good; all that fell where that is not recorded."""
    good = direction(item.finding, item.finding.subjects[0] if item.finding.subjects else "")
    for row in item.finding.estimates:
        if row.name not in CHANGES or row.value is None:
            continue
        if (row.value < 0) is (good is not False) and row.value != 0:
            text = f"{group_label(row.group)}: {value_label(row)} ({interval(row)})"
            what = f"{name_label(row.name)}, the other way" if good is not None else f"{name_label(row.name)}, falling"
            yield _row(item, what, [text, "—"], counted(row.n, row.n_unit))


def _row(item: Asked, what: str, ends: Sequence[str], n: str) -> tuple[TableCell, ...]:
    first, second = ends
    return (
        TableCell(text=item.named, anchor=item.anchor),
        TableCell(text=what),
        TableCell(text=first),
        TableCell(text=second),
        TableCell(text=n),
    )
