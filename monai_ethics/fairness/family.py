# SPDX-License-Identifier: Apache-2.0
"""All comparisons of a run: several metrics, several attributes, one correction for their number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.evidence import Finding
from monai_ethics.fairness.data.groups import CASE_MIX
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.gap import Compared, Family, GapCheck
from monai_ethics.fairness.methods.comparison import Comparison
from monai_ethics.fairness.methods.joint import metrics_max_t
from monai_ethics.fairness.score_gap import ScoreGap
from monai_ethics.statistics.corrections import adjust, check_correction

__all__ = ["gap_findings", "max_t", "score_gaps", "with_misses"]


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
    correction: str = "holm",
    progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """Compare every metric over every attribute, with one correction over the whole family.

    Attributes form one family with all metrics, intersections (``sex*site``) another, which is exploratory. The rate of
    misses is compared beside the scores, because a group whose lesions are missed more often may score as high on the
    others.

    Args:
        tables: one table per metric.
        attributes: groupings to compare; ``None`` = those of each table, except what cases show (`CASE_MIX`).
        check: settings; its `attribute` is not used.
        misses: whether to compare the rate of misses too, where there are any.
        correction: as for `gap_findings`.
        progress: called with the comparisons done and their number.

    Returns:
        One finding per metric and attribute, in the order of the tables.
    """
    check = check or ScoreGap()
    every = with_misses(tables) if misses else tables
    wanted = [(table, name) for table in every for name in (_of_people(table) if attributes is None else attributes)]
    todo = [(replace(check, attribute=name), table) for table, name in wanted]
    return gap_findings(todo, correction=correction, progress=progress)


def _of_people(table: ScoreTable) -> list[str]:
    return [name for name in table.groups if not set(CASE_MIX) & set(name.split("*"))]


def gap_findings(
    wanted: Sequence[tuple[GapCheck, Any]],
    *,
    correction: str = "holm",
    family: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """Run gap checks of any kind as one report, with one correction over the whole family.

    Args:
        wanted: each check, with its attribute, and the data it compares.
        correction: ``"holm"``, which bounds the chance of any false alarm, or ``"bh"`` (Benjamini-Hochberg), which
            bounds the expected share of false alarms among the alarms; printed with every adjusted p-value.
        family: name of the one family that all of them form; ``None`` = the two below.
        progress: called with the comparisons done and their number.

    Returns:
        One finding for each, in the order given. Attributes form one family, intersections (``sex*site``) another,
        which is exploratory.

    Raises:
        InputError: if the correction is another.
    """
    check_correction(correction, ("holm", "bh"))
    todo: list[tuple[GapCheck, Any, Compared | None]] = []
    for done, (check, data) in enumerate(wanted, start=1):
        todo.append((check, data, check.compare(data)))
        if progress is not None:
            progress(done, len(wanted))
    findings: dict[int, Finding] = {}
    for name in dict.fromkeys(families := [family or _family_of(check) for check, _, _ in todo]):
        members = [i for i, mine in enumerate(families) if mine == name]
        raw = {i: found.p for i in members if (found := todo[i][2]) is not None and found.p is not None}
        adjusted = dict(zip(raw, adjust(list(raw.values()), correction), strict=True))
        for i in members:
            check, data, found = todo[i]
            own = Family(p_adjusted=adjusted.get(i), size=max(len(raw), 1), name=name, correction=correction)
            findings[i] = check.finding(data, found, own)
    return [findings[i] for i in range(len(todo))]


def _family_of(check: GapCheck) -> str:
    return f"all metrics over all {'intersections (exploratory)' if '*' in check.attribute else 'attributes'}"


def max_t(
    tables: Sequence[ScoreTable], attribute: str, *, check: ScoreGap | None = None, misses: bool = True
) -> list[Finding]:
    """Compare every metric over one attribute on the same draws: the family is the metrics of that attribute alone.

    What the metrics of one prediction share is kept by exchanging patients once for all of them, so that the correction
    costs less than Holm's. Several attributes need a correction of their own.

    Args:
        tables: one table per metric, with a score of the same patients in each.
        attribute: the grouping.
        check: settings; its `attribute` is not used.
        misses: whether to compare the rate of misses too, where there are any.

    Returns:
        One finding per metric; ``p_adjusted`` is by max-T.

    Raises:
        InputError: if metrics have no score of the same patients, or patients are in several groups.
    """
    check = replace(check or ScoreGap(), attribute=attribute)
    every = with_misses(tables) if misses else list(tables)
    todo = [(table, check.compare(table)) for table in every]
    tested = [found for _, found in todo if found is not None and found.omnibus is not None]
    joint = dict(zip(map(id, tested), _joint(tested, check), strict=True))
    findings = []
    for table, found in todo:
        adjusted = joint.get(id(found))
        family = Family(
            p_adjusted=None if adjusted is None or found is None else max(adjusted, found.p or 0.0),
            size=max(len(tested), 1),
            name=f"all metrics over {attribute}",
            correction="max_t",
        )
        findings.append(check.finding(table, found, family))
    return findings


def _joint(tested: Sequence[Comparison], check: ScoreGap) -> list[float]:
    """Adjusted p-value of each comparison, by max-T."""
    if not tested:
        return []
    if any(found.crossed for found in tested):
        raise InputError("max-T needs patients in one group each: got patients in several. Correct with Holm.")
    who = [[(group.label, group.patients) for group in found.judged] for found in tested]
    if any(each != who[0] for each in who):
        raise InputError("max-T needs a score of the same patients in every metric: got others. Correct with Holm.")
    return metrics_max_t(
        [np.concatenate([group.values for group in found.judged]) for found in tested],
        np.repeat(np.arange(len(who[0]), dtype=np.uint8), [len(patients) for _, patients in who[0]]),
        ranks=[found.ranks for found in tested],
        n_permutations=min(found.draws for found in tested),
        rng=np.random.default_rng(check.seed),
    )
