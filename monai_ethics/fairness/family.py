# SPDX-License-Identifier: Apache-2.0
"""All comparisons of a run: several metrics, several attributes, one correction for their number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from monai_ethics.evidence import Finding
from monai_ethics.fairness.data.groups import CASE_MIX
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.gap import GapCheck
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.fairness.methods.comparison import holm
from monai_ethics.fairness.score_gap import ScoreGap

__all__ = ["gap_findings", "score_findings", "score_gaps", "with_misses"]


def with_misses(tables: Sequence[ScoreTable]) -> list[ScoreTable]:
    """The tables, followed by one table of misses (1 = missed) for each different pattern of misses."""
    found = list(tables)
    seen = set()
    for table in tables:
        misses = table.missed()
        if misses is not None and (key := tuple(sorted(zip(misses.cases, misses.values, strict=True)))) not in seen:
            seen.add(key)
            found.append(misses)
    return found


def score_gaps(
    tables: Sequence[ScoreTable],
    attributes: Sequence[str] | None = None,
    *,
    check: ScoreGap | None = None,
    misses: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """Compare every metric over every attribute, with Holm's correction over the whole family.

    Attributes form one family with all metrics, intersections (``sex*site``) another, which is exploratory. The rate of
    misses is compared beside the scores, because a group whose lesions are missed more often may score as high on the
    others.

    Args:
        tables: one table per metric.
        attributes: groupings to compare; ``None`` = those of each table, except what cases show (`CASE_MIX`).
        check: settings; its `attribute` is not used.
        misses: whether to compare the rate of misses too, where there are any.
        progress: called with the comparisons done and their number.

    Returns:
        One finding per metric and attribute, in the order of the tables.
    """
    check = check or ScoreGap()
    every = with_misses(tables) if misses else tables
    wanted = [(table, name) for table in every for name in (_of_people(table) if attributes is None else attributes)]
    return gap_findings([(replace(check, attribute=name), table) for table, name in wanted], progress=progress)


def _of_people(table: ScoreTable) -> list[str]:
    return [name for name in table.groups if not set(CASE_MIX) & set(name.split("*"))]


def gap_findings(
    wanted: Sequence[tuple[GapCheck, Any]], *, progress: Callable[[int, int], None] | None = None
) -> list[Finding]:
    """Run gap checks of any kind as one report, with Holm's correction over the whole family.

    Args:
        wanted: each check, with its attribute, and the data it compares.
        progress: called with the comparisons done and their number.

    Returns:
        One finding for each, in the order given. Attributes form one family, intersections (``sex*site``) another,
        which is exploratory.
    """
    todo: list[tuple[GapCheck, Any, Any]] = []
    for done, (check, data) in enumerate(wanted, start=1):
        todo.append((check, data, check.compare(data)))
        if progress is not None:
            progress(done, len(wanted))
    findings: dict[int, Finding] = {}
    for name, crossed in (("attributes", False), ("intersections (exploratory)", True)):
        members = [i for i, (check, _, _) in enumerate(todo) if ("*" in check.attribute) is crossed]
        raw = {i: todo[i][2].p for i in members if todo[i][2] is not None and todo[i][2].p is not None}
        adjusted = dict(zip(raw, holm(list(raw.values())), strict=True))
        for i in members:
            check, data, found = todo[i]
            findings[i] = check.finding(
                data,
                found,
                p_adjusted=adjusted.get(i),
                family=max(len(raw), 1),
                family_name=f"all metrics over all {name}",
            )
    return [findings[i] for i in range(len(todo))]


def score_findings(
    tables: Sequence[ScoreTable],
    *,
    min_group_size: int = 10,
    level: float = 0.95,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """Everything about groups: `fairness.group_scores` of each table, then `score_gaps` over all of them.

    Args:
        tables: one table per metric, with their groups.
        min_group_size: smallest group that is judged.
        level: nominal coverage; tests are at one minus it.
        seed: seed of the permutations.
        progress: called with the comparisons done and their number.

    Returns:
        The findings.
    """
    scores = GroupScores(min_group_size=min_group_size, level=level)
    gaps = ScoreGap(min_group_size=min_group_size, level=level, seed=seed)
    return [scores(table) for table in tables] + score_gaps(tables, check=gaps, progress=progress)
