# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics fairness`: groups afterwards, from stored scores, without running inference again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.fairness.attributes import Joined, Strata
    from monai_ethics.fairness.plan import Plan

__all__ = ["command"]

LISTED = 20  # columns that are named as no groupings


def command(
    evidence: Annotated[
        Path | None, typer.Argument(help="Evidence folder of a run, whose stored scores are read.")
    ] = None,
    attributes: Annotated[
        Path | None, typer.Option(help="Side table: CSV, TSV, BIDS participants.tsv or datalist JSON.")
    ] = None,
    scores: Annotated[
        list[Path] | None, typer.Option(help="Scores in place of EVIDENCE: MetricsSaver's files, or y_true,y_score.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Evidence folder to write, with --scores.")] = None,
    strata: Annotated[
        str | None, typer.Option(help="What to compare: sex,age_band,sex*site; every attribute if absent.")
    ] = None,
    bins: Annotated[list[str] | None, typer.Option(help="Edges, age=18,40,65, or quantile groups, age=q4.")] = None,
    maps: Annotated[list[str] | None, typer.Option("--map", help="Merge labels: site=A:north,B:north.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Positive from this y_score on, chosen on other data.")
    ] = None,
    target: Annotated[str, typer.Option(help="Name of what y_true tells apart, such as effusion.")] = "y",
    measures: Annotated[
        str | None, typer.Option(help="What was planned to be compared, such as tpr,auc: fewer, milder correction.")
    ] = None,
    control: Annotated[str, typer.Option(help="Attribute held fixed in a secondary comparison.")] = "",
    population: Annotated[
        Path | None, typer.Option(help="Declared target population: CSV attribute,label,share,source.")
    ] = None,
    correction: Annotated[str, typer.Option(help="Correction over the family: holm or bh.")] = "holm",
    run_id: Annotated[
        str | None, typer.Option(help="Take the scores of this run of EVIDENCE; the last otherwise.")
    ] = None,
    min_group_size: Annotated[
        int, typer.Option(min=2, max=2**53 - 1, help="Smallest group that is judged, in patients.")
    ] = 10,
    seed: Annotated[int, typer.Option(min=0, max=2**53 - 1, help="Seed of all random draws.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON for machines.")] = False,
) -> None:
    """Stratify stored scores by the attributes of a side table and write the findings into the evidence."""
    from monai_ethics.cli._progress import Steps
    from monai_ethics.cli._score_files import earlier_looks, read_evidence, read_files, refuse_unheld, write_findings
    from monai_ethics.fairness.attributes import read_side_table
    from monai_ethics.fairness.attributes.regroup import regroup
    from monai_ethics.fairness.plan import read_plan
    from monai_ethics.fairness.run import run_findings

    folder = _folder(evidence, scores, out, attributes=attributes, target=target, run_id=run_id)
    given = {
        "measures": measures,
        "control": control,
        "population": population,
        "bins": bins,
        "maps": maps,
        "min_group_size": min_group_size,
        "correction": correction,
        "seed": seed,
    }
    plan = read_plan({name: value for name, value in given.items() if value is not None}, strata=strata)
    tables, labels = (
        read_files(scores or [], threshold=threshold, target=target)
        if evidence is None
        else read_evidence(evidence, run_id, threshold)
    )
    side = None if attributes is None else read_side_table(attributes)
    both: list[Any] = [*tables, *labels]
    every, joined, groups = regroup(both, side, strata=plan.made, bins=plan.bins, maps=plan.maps)
    tables, labels = every[: len(tables)], every[len(tables) :]
    refuse_unheld(plan.control, [*tables, *labels])
    if evidence is not None:
        plan = replace(plan, earlier=earlier_looks(evidence))
    with Steps(quiet=as_json) as steps:
        findings = run_findings(
            tables, labels, plan=plan, progress=lambda done, total: steps.step("comparisons", done, total)
        )
    named = {"attributes": attributes, "population": population}
    fingerprint = write_findings(
        folder,
        findings,
        inputs={name: path for name, path in named.items() if path is not None},
        store=None if evidence is not None else (tables, labels),
    )
    if as_json:
        print(json.dumps([finding.to_dict() for finding in findings], indent=1, sort_keys=True))
        return
    _tell(findings, joined, groups, plan)
    where = "`--out`" if evidence is None else "EVIDENCE"  # a folder may have a patient's name
    print(f"The report is in {where}.\nSealed; keep this fingerprint elsewhere: {fingerprint}")


def _folder(
    evidence: Path | None,
    scores: list[Path] | None,
    out: Path | None,
    *,
    attributes: Path | None,
    target: str,
    run_id: str | None,
) -> Path:
    """The folder that is written; words that do not go together are refused."""
    if (evidence is None) == (not scores):
        raise InputError("Expected either EVIDENCE or `--scores`: got both or neither. Give one of them.")
    if evidence is None:
        if out is None:
            raise InputError("Expected `--out` with `--scores`: got none. Name the evidence folder to write.")
        if run_id is not None:
            raise InputError("Expected no `--run-id` with `--scores`: it chooses a run of EVIDENCE. Leave it out.")
        return out
    if attributes is None:
        raise InputError(
            "Expected `--attributes` with EVIDENCE: got none. "
            "`monai-ethics private EVIDENCE cases --out FILE` writes a table to fill."
        )
    if out is not None:
        raise InputError("Expected no `--out` with EVIDENCE: findings are appended to it. Leave it out.")
    if target != "y":
        raise InputError("Expected no `--target` with EVIDENCE: its targets have their names. Leave it out.")
    return evidence


def _tell(findings: list[Finding], joined: Joined | None, groups: Strata, plan: Plan) -> None:
    from monai_ethics.cli._told import told
    from monai_ethics.reporting.escape import for_terminal

    for line in told(findings):
        print(for_terminal(line))
    if joined is not None:
        counts = joined.accounting
        print(
            f"\n{counts['with_row']} of {sum(counts.values())} cases have a row; {joined.unused_rows} rows are unused."
        )
    if groups.left_out:
        more = f" and {len(groups.left_out) - LISTED} more" if len(groups.left_out) > LISTED else ""
        names = for_terminal(", ".join(groups.left_out[:LISTED])) + more
        print(f"Not used as groupings (labels of single patients, texts, or too many labels): {names}.")
    if groups.no_room:
        print(f"{len(groups.no_room)} intersections would have made too many groups; name those you need in --strata.")
    if plan.asked is None and any("*" in name for name in groups.groups):
        print("Intersections are described, not compared; name those you planned in --strata.")
