# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics fairness`: groups afterwards, from stored scores, without running inference again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ethics.errors import GateError, InputError

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.fairness.data.binary import BinaryScores
    from monai_ethics.fairness.data.scores import ScoreTable

__all__ = ["command"]


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
    strata: Annotated[str | None, typer.Option(help="Groupings, such as sex,age_band,sex*site; all if absent.")] = None,
    bins: Annotated[list[str] | None, typer.Option(help="Edges of a band, such as age=18,40,65.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Positive from this y_score on, chosen on other data.")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option(help="Take the scores of this run of EVIDENCE; the last otherwise.")
    ] = None,
    min_group_size: Annotated[int, typer.Option(min=2, help="Smallest group that is judged, in patients.")] = 10,
    seed: Annotated[int, typer.Option(min=0, max=2**53 - 1, help="Seed of the permutations.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON for machines.")] = False,
) -> None:
    """Stratify stored scores by the attributes of a side table and write the findings into the evidence."""
    from monai_ethics.fairness.attributes import parse_bins, parse_strata
    from monai_ethics.fairness.attributes.regroup import regroup
    from monai_ethics.fairness.attributes.side_table import read_side_table
    from monai_ethics.fairness.family import score_findings
    from monai_ethics.reporting.escape import for_terminal

    _check_words(evidence, scores, out, attributes)
    tables, binary = _read_evidence(evidence, run_id) if evidence is not None else _read_scores(scores or [], threshold)
    edges = parse_bins(bins or [])
    side = None if attributes is None else read_side_table(attributes)
    tables, joined, groups = regroup(tables, side, strata=parse_strata(strata), bins=edges)
    progress = None if as_json or not sys.stderr.isatty() else _progress
    findings = score_findings(tables, min_group_size=min_group_size, seed=seed, progress=progress)
    findings += _areas(binary, side, strata, edges, min_group_size)
    target = evidence if evidence is not None else out
    if target is None:
        raise InputError("Expected `--out` with `--scores`: got none. Name the evidence folder to write.")
    fingerprint = _write(target, findings, tables, attributes, stored=evidence is not None)
    if as_json:
        print(json.dumps([finding.to_dict() for finding in findings], indent=1, sort_keys=True))
        return
    for finding in findings:
        print(for_terminal(f"{finding.verdict.value}: {finding.statement}"))
    if joined is not None:
        counts = joined.accounting
        print(
            f"\n{counts['with_row']} of {sum(counts.values())} cases have a row; {joined.unused_rows} rows are unused."
        )
    if groups.left_out:
        names = for_terminal(", ".join(groups.left_out))
        print(f"Not used as groupings (labels of single patients, texts, or too many labels): {names}.")
    print(f"The report is in {target}.\nSealed; keep this fingerprint elsewhere: {fingerprint}")


def _check_words(evidence: Path | None, scores: list[Path] | None, out: Path | None, attributes: Path | None) -> None:
    if (evidence is None) == (not scores):
        raise InputError("Expected either EVIDENCE or `--scores`: got both or neither. Give one of them.")
    if evidence is not None and attributes is None:
        raise InputError("Expected `--attributes` with EVIDENCE: got none. Fill the table `cases` of the run.")
    if evidence is not None and out is not None:
        raise InputError("Expected no `--out` with EVIDENCE: findings are appended to it. Leave it out.")
    if scores and out is None:
        raise InputError("Expected `--out` with `--scores`: got none. Name the evidence folder to write.")


def _read_evidence(evidence: Path, run_id: str | None) -> tuple[list[ScoreTable], None]:
    from monai_ethics.fairness.data.scores import ScoreTable
    from monai_ethics.provenance.read import read_private
    from monai_ethics.provenance.verify import verify_evidence

    status = verify_evidence(evidence).status
    if status in ("altered", "wrong-key"):
        raise GateError(f"Expected evidence that is as it was signed: got '{status}'. See `monai-ethics verify`.")
    payloads = read_private(evidence, "scores", run_id)
    if not payloads:
        raise InputError(
            "Expected stored scores in this evidence: got none. They were deleted, or the run had no per-case metric."
        )
    try:
        found = json.loads(payloads[-1][1])
    except json.JSONDecodeError as error:
        raise InputError("Expected stored scores in JSON: got something else. Run the evaluation again.") from error
    return [ScoreTable.from_dict(item) for item in found], None


def _read_scores(paths: list[Path], threshold: float | None) -> tuple[list[ScoreTable], list[BinaryScores]]:
    from monai_ethics.fairness.data.stored import decision_tables, read_binary, read_score_tables

    tables: list[ScoreTable] = []
    binary: list[BinaryScores] = []
    for path in paths:
        data = read_binary(path, threshold=threshold)
        if data is None:
            tables += read_score_tables(path)
        else:
            tables += decision_tables(data)
            binary.append(data)
    names = [table.metric for table in tables]
    if len(set(names)) != len(names):
        raise InputError("Metrics must have different names: got one in several files. Rename a column or a file.")
    return tables, binary


def _areas(
    binary: list[BinaryScores] | None, side: Any, strata: str | None, edges: dict[str, Any], least: int
) -> list[Finding]:
    from monai_ethics.fairness.attributes import join, parse_strata, stratify
    from monai_ethics.fairness.group_ranking import GroupRanking

    found = []
    for data in binary or []:
        grouped = data
        if side is not None:
            joined = join(side, data.cases, data.patients)
            groups = stratify(joined.groups, strata=parse_strata(strata), bins=edges, patients=joined.patients).groups
            grouped = data.with_patients(joined.patients).with_groups(groups)
        found.append(GroupRanking(min_group_size=least)(grouped))
    return found


def _write(
    target: Path, findings: list[Finding], tables: list[ScoreTable], attributes: Path | None, *, stored: bool
) -> str:
    from hashlib import sha256

    from monai_ethics.provenance.log import EvidenceLog
    from monai_ethics.provenance.read import read_report
    from monai_ethics.provenance.verify import verify_evidence
    from monai_ethics.reporting.render import write_report

    data = None if attributes is None else attributes.read_bytes()
    with EvidenceLog.open(target, run_id="fairness") as log:
        if data is not None:
            log.append("inputs", {"attributes": sha256(data).hexdigest()})
            log.put_private("attributes", data, media_type="application/octet-stream")
        if not stored:
            payload = json.dumps([table.to_dict() for table in tables], allow_nan=False, sort_keys=True).encode()
            log.put_private("scores", payload, media_type="application/json")
        log.add_findings(findings)
        log.seal()
        log.add_report(write_report(read_report(target), target, integrity=verify_evidence(target).to_dict()))
        return log.seal().fingerprint


def _progress(done: int, total: int) -> None:
    print(f"\rcomparison {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)
