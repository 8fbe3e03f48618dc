# SPDX-License-Identifier: Apache-2.0
"""Which checks a run answers, and with what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from monai_ethics.evidence import Estimate, Finding, Stage, Verdict

if TYPE_CHECKING:
    from monai_ethics.fairness.plan import Plan
    from monai_ethics.handlers._collect import EpochScores, GroupValue
    from monai_ethics.handlers._groups import RowUse
    from monai_ethics.handlers._ledger import Ledger

__all__ = ["coverage", "group_findings", "set_findings", "unscored"]

GROUPS = "How good are the scores, for everyone and for each group?"
UNDEFINED = "The metric is undefined for this set of cases."
NO_INTERVAL = "The metric exists only for a set of cases and keeps no value per case, so there is no interval."


def coverage(ledger: Ledger, error: BaseException | None) -> Finding:
    """Finding of `lifecycle.run_coverage`."""
    from monai_ethics.lifecycle.run_coverage import EngineEntry, EngineLedger, RunCoverage

    entries = tuple(
        EngineEntry(
            engine_id=n.engine_id,
            expected=n.expected,
            ran=n.ran,
            carried=n.carried,
            cases=len(n.scores.cases) if n.scores is not None else 0,
        )
        for n in ledger.engines.values()
    )
    outcome: Any = "completed" if error is None else "failed"
    found = RunCoverage()(
        EngineLedger(engines=entries, outcome=outcome, error_type=None if error is None else type(error).__name__)
    )
    return _with_rows(found, [n.scores.table for n in ledger.engines.values() if n.scores and n.scores.table])


def _with_rows(finding: Finding, tables: Sequence[RowUse]) -> Finding:
    """The finding, with what became of the side table's rows in the engines that scored cases."""
    if not tables:
        return finding
    rows = max(table.rows for table in tables)
    used = len(frozenset().union(*(table.used for table in tables)))
    estimate = Estimate(
        name="side_table_rows_used",
        value=used,
        unit="rows",
        n=rows,
        n_unit="rows",
        estimand="rows of the side table that match a case of an engine of this run",
        reason="A count of this run, not an estimate from a sample.",
    )
    statement = f"{finding.statement} {used} of {rows} rows of the side table match a case."
    return replace(finding, statement=statement, estimates=(*finding.estimates, estimate))


def group_findings(ledger: Ledger, plan: Plan | None = None) -> list[Finding]:
    """Who was examined, how each group is served, and the comparisons, corrected together.

    Scores of a training are described and not compared: a model knows the cases it was trained on.
    """
    from monai_ethics.fairness.run import run_findings

    training = [notes for notes in ledger.engines.values() if notes.training]
    others = [notes for notes in ledger.engines.values() if not notes.training]
    return run_findings(
        [table for notes in others for table in ledger.named_tables(notes)],
        ledger.labels(training=False),
        plan=plan,
        described=[table for notes in training for table in ledger.named_tables(notes)],
    )


def set_findings(scores: EpochScores) -> list[Finding]:
    """Metrics that exist only for sets of cases, such as ROC AUC: their group values, without intervals."""
    by_metric: dict[str, list[GroupValue]] = {}
    for value in scores.sets:
        by_metric.setdefault(value.metric, []).append(value)
    return [
        Finding(
            check="fairness.group_scores",
            title=GROUPS,
            stage=Stage.EVALUATION,
            verdict=Verdict.MEASURED,
            statement=f"{metric} was computed for everyone and for each group from the metric's own rows.",
            subjects=(metric,),
            estimates=tuple(_set_estimate(value) for value in values),
            accounting={"cases": len(scores.cases)},
            limitations=("Differences between groups without an interval may be chance.",),
        )
        for metric, values in by_metric.items()
    ]


def _set_estimate(value: GroupValue) -> Estimate:
    from monai_ethics.fairness.group_scores import GroupScores

    smallest = GroupScores().min_group_size
    small = bool(value.group) and value.n < smallest
    undefined = f"{value.n} cases: listed, not judged (at least {smallest})" if small else UNDEFINED
    return Estimate(
        name=value.metric,
        value=None if small else value.value,
        unit="unknown",
        n=value.n,
        n_unit="cases",
        n_valid=value.n if value.value is not None else 0,
        estimand="metric over the cases of the group",
        group=value.group,
        reason=undefined if small or value.value is None else NO_INTERVAL,
    )


def unscored(scores: EpochScores) -> list[Finding]:
    """One finding for each metric whose rows could not be used, with the reason."""
    known = {value.metric for value in scores.sets}
    return [
        Finding(
            check="fairness.group_scores",
            title=GROUPS,
            stage=Stage.EVALUATION,
            verdict=Verdict.NOT_ASSESSABLE,
            statement=f"{metric} could not be looked at by case or by group.",
            subjects=(metric,),
            accounting={"cases": len(scores.cases)},
            reason=f"{reason[:1].upper()}{reason[1:]}.",
        )
        for metric, reason in scores.not_assessable.items()
        if metric not in known
    ]
