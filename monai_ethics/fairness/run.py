# SPDX-License-Identifier: Apache-2.0
"""Everything a run says about groups: who was examined, how each group is served, and what was compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from monai_ethics.evidence import Finding, plain
from monai_ethics.fairness.abroca import Abroca
from monai_ethics.fairness.attributes.rules import CASE_MIX
from monai_ethics.fairness.calibration import Calibration
from monai_ethics.fairness.calibration_gap import CalibrationGap
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.classes import is_top_one
from monai_ethics.fairness.data.decisions import decision_table
from monai_ethics.fairness.data.roster import Roster
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.differential_fairness import DifferentialFairness
from monai_ethics.fairness.equalized_odds import EqualizedOdds
from monai_ethics.fairness.equity_scaled import EquityScaled
from monai_ethics.fairness.family import gap_findings, with_misses
from monai_ethics.fairness.gap import GapCheck
from monai_ethics.fairness.group_ranking import GroupRanking
from monai_ethics.fairness.group_rates import GroupRates
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.fairness.plan import Plan
from monai_ethics.fairness.ranking_gap import RankingGap
from monai_ethics.fairness.rate_gap import RateGap
from monai_ethics.fairness.representation import Representation
from monai_ethics.fairness.score_gap import ScoreGap
from monai_ethics.fairness.standardized_gap import StandardizedGap
from monai_ethics.fairness.threshold_sweep import ThresholdSweep

__all__ = ["run_findings"]

_RATES = ("tpr", "fpr", "fnr", "tnr", "ppv", "npv", "selection_rate", "accuracy")
_RANKS = ("auc", "auc_bpsn", "auc_bnsp")
_CALIBRATION = ("calibration_in_the_large", "calibration_slope", "ece", "brier")
Wanted = list[tuple[GapCheck, Any]]
Table = TypeVar("Table", ScoreTable, BinaryScores)
MOST_ROWS = 60  # groups that one finding describes


def run_findings(
    tables: Sequence[ScoreTable],
    labels: Sequence[BinaryScores] = (),
    *,
    plan: Plan | None = None,
    described: Sequence[ScoreTable] = (),
    progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """All findings about the groups of a run.

    Args:
        tables: per-case scores that are described and compared.
        labels: labels, scores and decisions of classifiers, the same.
        plan: what to compare; the default if absent.
        described: per-case scores that are described only, such as those of a training.
        progress: called with the comparisons done and their number.

    Returns:
        Who was examined; how each group is served; the comparisons, corrected over one family for attributes and one
        for intersections; and secondary ones with the case mix held fixed, corrected on their own.
    """
    plan = plan or Plan()
    findings = _represented(tables, labels, plan)
    scores = GroupScores(min_group_size=plan.min_group_size, level=plan.level)
    findings += [scores(part) for table in (*described, *tables) for part in _portions(table)]
    for data in labels:
        findings += _described(data, plan)
    wanted = [*_score_gaps(tables, plan), *(item for data in labels for item in _label_gaps(data, plan))]
    decided = [decision_table(data, positive=side) for data in labels if _decides(data) for side in (True, False)]
    secondary = [item for table in (*tables, *decided) for item in _adjusted(table, plan)]
    total, done = len(wanted) + len(secondary), 0

    def step(_: int, __: int) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    compared = gap_findings(wanted, correction=plan.correction, progress=step)
    compared += gap_findings(
        secondary, correction=plan.correction, progress=step, family="all metrics, case mix held fixed (secondary)"
    )
    findings += [_again(finding, plan.earlier) for finding in compared]
    return findings + [finding for table in tables for finding in _scaled(table, plan)]


def _again(finding: Finding, earlier: int) -> Finding:
    """The finding, which says that somebody looked before: a correction covers the tests of one look."""
    if not earlier:
        return finding
    times = "once" if earlier == 1 else f"{earlier} times"
    text = (
        f"Groups of these cases were compared {times} before in this evidence, and the correction covers this look "
        "alone: of several looks, only the one that was planned first holds its level."
    )
    settings = {**plain(finding.parameters), "earlier_looks": earlier}
    return replace(finding, limitations=(text, *finding.limitations), parameters=settings)


def _represented(tables: Sequence[ScoreTable], labels: Sequence[BinaryScores], plan: Plan) -> list[Finding]:
    """One finding about the people; the largest table knows most of them."""
    rosters = [*map(Roster.of_labels, labels), *map(Roster.of_scores, tables)]
    if not rosters or not any(roster.groups for roster in rosters):
        return []
    largest = max(rosters, key=lambda roster: len(roster.cases))
    check = Representation(min_group_size=plan.min_group_size, level=plan.level, seed=plan.seed)
    return [check(largest.declared(target=plan.population, obtained=plan.obtained))]


def _portions(data: Table) -> list[Table]:
    """The table with as many of its attributes at a time as a finding, one entry of the log, has room for."""
    portions: list[dict[str, tuple[str | None, ...]]] = [{}]
    room = MOST_ROWS
    for name, labels in data.groups.items():
        size = len(set(labels))
        if portions[-1] and room < size:
            portions.append({})
            room = MOST_ROWS
        portions[-1][name] = labels
        room -= size
    return [data] if len(portions) == 1 else [data.without_groups().with_groups(part) for part in portions]


def _described(data: BinaryScores, plan: Plan) -> list[Finding]:
    size, level, seed = plan.min_group_size, plan.level, plan.seed
    parts = _portions(data)
    found = [GroupRates(min_group_size=size, level=level)(part) for part in parts]
    if is_top_one(data):
        return found
    if data.y_score:
        found += [GroupRanking(min_group_size=size, level=level)(part) for part in parts]
        found += [Calibration(min_group_size=size, level=level, seed=seed)(part) for part in parts]
        found += [
            ThresholdSweep(attribute=name, min_group_size=size, level=level)(data)
            for name in plan.groupings(data)
            if "*" not in name
        ]
    return found


def _score_gaps(tables: Sequence[ScoreTable], plan: Plan) -> Wanted:
    if "score" not in plan.measures:
        return []
    settings: dict[str, Any] = {"min_group_size": plan.min_group_size, "level": plan.level, "seed": plan.seed}
    return [
        (ScoreGap(attribute=name, **settings), table) for table in with_misses(tables) for name in plan.groupings(table)
    ]


def _label_gaps(data: BinaryScores, plan: Plan) -> Wanted:
    checks: Iterable[tuple[str, Callable[..., GapCheck], dict[str, Any]]] = (
        *((name, RateGap, {"rate": name}) for name in _RATES),
        ("equalized_odds", EqualizedOdds, {}),
        ("differential_fairness", DifferentialFairness, {}),
        *((name, RankingGap, {"measure": name}) for name in _RANKS),
        ("abroca", Abroca, {}),
        *((name, CalibrationGap, {"measure": name}) for name in _CALIBRATION),
    )
    measures = {*plan.measures, *(("accuracy",) if is_top_one(data) else ())}
    settings: dict[str, Any] = {"min_group_size": plan.min_group_size, "level": plan.level, "seed": plan.seed}
    return [
        (make(attribute=attribute, **own, **settings), data)
        for name, make, own in checks
        if name in measures and _has(data, name)
        for attribute in plan.groupings(data)
    ]


def _has(data: BinaryScores, measure: str) -> bool:
    """Whether the table holds what a measure needs; what it lacks is said once, by the descriptions."""
    if is_top_one(data):
        return measure == "accuracy"
    if measure in _CALIBRATION:
        return data.probabilities
    return bool(data.y_score) if measure in (*_RANKS, "abroca") else bool(data.y_pred)


def _decides(data: BinaryScores) -> bool:
    return bool(data.y_pred) and not is_top_one(data)


def _adjusted(table: ScoreTable, plan: Plan) -> Wanted:
    controls = [plan.control] if plan.control else [name for name in CASE_MIX if name in table.groups]
    settings: dict[str, Any] = {"min_group_size": plan.min_group_size, "level": plan.level, "seed": plan.seed}
    return [
        (StandardizedGap(attribute=name, control=control, **settings), table)
        for control in controls
        if control in table.groups
        for name in plan.groupings(table)
        if control not in name.split("*") and "*" not in name
    ]


def _scaled(table: ScoreTable, plan: Plan) -> list[Finding]:
    """Equity-scaled scores, if they were planned, of bounded metrics for which higher is better."""
    if "equity_scaled" not in plan.measures or table.score_bounds != (0.0, 1.0) or not table.higher_is_better:
        return []
    return [
        EquityScaled(attribute=name, min_group_size=plan.min_group_size, seed=plan.seed)(table)
        for name in plan.groupings(table)
        if "*" not in name
    ]
