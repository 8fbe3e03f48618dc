# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics mitigation`: what a change did to each group, from the stored scores of two runs."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from monai_ethics.errors import GateError, InputError

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.fairness.data.before_after import BeforeAfter
    from monai_ethics.fairness.data.scores import ScoreTable

__all__ = ["command"]


class Measurement(NamedTuple):
    """The scores of one run, and how many runs at hand scored exactly its cases."""

    folder: Path
    run_id: str
    tables: dict[str, ScoreTable]


def command(
    before: Annotated[Path, typer.Option(help="Evidence folder of the evaluation before the change.")],
    attributes: Annotated[Path, typer.Option(help="Side table: CSV, TSV, BIDS participants.tsv or datalist JSON.")],
    out: Annotated[Path, typer.Option(help="Evidence folder to write.")],
    after: Annotated[
        Path | None, typer.Option(help="Evidence folder of the evaluation after it; without one nothing is shown.")
    ] = None,
    strata: Annotated[str | None, typer.Option(help="Groupings, such as sex,age_band,sex*site; all if absent.")] = None,
    bins: Annotated[list[str] | None, typer.Option(help="Edges of a band, such as age=18,40,65.")] = None,
    before_run: Annotated[str | None, typer.Option(help="Run of BEFORE; its last otherwise.")] = None,
    after_run: Annotated[str | None, typer.Option(help="Run of AFTER; its last otherwise.")] = None,
    action: Annotated[str, typer.Option(help="What was done; kept in the private part.")] = "",
    uses: Annotated[int, typer.Option(min=0, help="Uses of the test cases that no evidence given here holds.")] = 0,
    min_group_size: Annotated[int, typer.Option(min=2, help="Smallest group that is judged, in patients.")] = 10,
    seed: Annotated[int, typer.Option(min=0, max=2**53 - 1, help="Seed of the resamples.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON for machines.")] = False,
) -> None:
    """Compare two evaluations of the same test cases, before and after a change, for each group."""
    from monai_ethics.fairness.attributes import parse_bins, parse_strata, read_side_table
    from monai_ethics.fairness.attributes.regroup import regroup
    from monai_ethics.fairness.data.before_after import BeforeAfter
    from monai_ethics.fairness.mitigation_change import MitigationChange
    from monai_ethics.reporting.escape import for_terminal

    first = _read(before, before_run)
    second = None if after is None else _read(after, after_run)
    side = read_side_table(attributes)
    tables, _, _ = regroup(list(first.tables.values()), side, strata=parse_strata(strata), bins=parse_bins(bins or []))
    findings: list[Finding] = []
    for table in tables:
        later = None if second is None else second.tables.get(table.metric)
        known = _uses([before] if after is None else [before, after], table)
        for pair in _with_misses(BeforeAfter(before=table, after=later, uses_known=known, uses_declared=uses)):
            check = {"min_group_size": min_group_size, "seed": seed}
            findings += [MitigationChange(attribute=name, **check)(pair) for name in table.groups]
    fingerprint = _write(out, findings, (first, second), action=action, attributes=attributes, uses=uses)
    if as_json:
        print(json.dumps([finding.to_dict() for finding in findings], indent=1, sort_keys=True))
        return
    for finding in findings:
        print(for_terminal(f"{finding.verdict.value}: {finding.statement}"))
    print(f"The report is in {out}.\nSealed; keep this fingerprint elsewhere: {fingerprint}")


def _tables(payload: bytes) -> dict[str, ScoreTable]:
    from monai_ethics.fairness.data.scores import ScoreTable

    try:
        found = json.loads(payload)
    except json.JSONDecodeError as error:
        raise InputError("Expected stored scores in JSON: got something else. Run the evaluation again.") from error
    return {table.metric: table for table in map(ScoreTable.from_dict, found)}


def _read(folder: Path, run_id: str | None) -> Measurement:
    from monai_ethics.provenance.read import read_private
    from monai_ethics.provenance.verify import verify_evidence

    status = verify_evidence(folder).status
    if status in ("altered", "wrong-key"):
        raise GateError(f"Expected evidence that is as it was signed: got '{status}'. See `monai-ethics verify`.")
    payloads = read_private(folder, "scores", run_id)
    if not payloads:
        raise InputError(
            "Expected stored scores in this evidence: got none. They were deleted, or the run had no per-case metric."
        )
    return Measurement(folder, payloads[-1][0], _tables(payloads[-1][1]))


def _uses(folders: list[Path], table: ScoreTable) -> int:
    """Runs in these folders that scored exactly the cases of the table, by this metric or another."""
    from monai_ethics.provenance.read import read_private

    cases = set(table.cases)
    different = {folder.resolve() for folder in folders}
    payloads = [payload for folder in sorted(different) for _, payload in read_private(folder, "scores")]
    return sum(any(set(other.cases) == cases for other in _tables(payload).values()) for payload in payloads)


def _with_misses(pair: BeforeAfter) -> list[BeforeAfter]:
    """The pair, followed by its misses where a case was missed: a distance has no value for those."""
    from dataclasses import replace

    sides = [table for table in (pair.before, pair.after) if table is not None]
    if not any("missed" in table.outcomes for table in sides):
        return [pair]

    def hits(table: ScoreTable) -> ScoreTable:
        rows = [i for i, outcome in enumerate(table.outcomes) if outcome in ("scored", "missed")]
        kept = table.reordered(rows)
        missed = tuple(float(outcome == "missed") for outcome in kept.outcomes)
        return replace(
            kept,
            metric=f"{table.metric}_missed",
            unit="1",
            higher_is_better=False,
            values=missed,
            outcomes=("scored",) * len(missed),
            bounds=(0.0, 1.0),
        )

    after = None if pair.after is None else hits(pair.after)
    return [pair, replace(pair, before=hits(pair.before), after=after)]


def _write(
    out: Path,
    findings: list[Finding],
    measured: tuple[Measurement, Measurement | None],
    *,
    action: str,
    attributes: Path,
    uses: int,
) -> str:
    from monai_ethics.provenance.log import EvidenceLog
    from monai_ethics.provenance.read import read_report
    from monai_ethics.provenance.verify import verify_evidence
    from monai_ethics.reporting.render import write_report

    data = attributes.read_bytes()
    with EvidenceLog.open(out, run_id="mitigation") as log:
        log.append("inputs", {"attributes": sha256(data).hexdigest()})
        log.put_private("attributes", data, media_type="application/octet-stream")
        cases = sorted({case for table in measured[0].tables.values() for case in table.cases})
        body: dict[str, object] = {
            "case_set": log.pseudonym("case_set", sha256(json.dumps(cases).encode()).hexdigest()),
            "cases": len(cases),
            "uses_declared": uses,
            "before": _origin(measured[0]),
        }
        if measured[1] is not None:
            body["after"] = _origin(measured[1])
        if action:
            body["action"] = log.put_private("action", action.encode(), media_type="text/plain")
        log.append("mitigation", body)
        log.add_findings(findings)
        log.seal()
        log.add_report(write_report(read_report(out), out, integrity=verify_evidence(out).to_dict()))
        return log.seal().fingerprint


def _origin(measured: Measurement) -> dict[str, str]:
    """Which run of which evidence: its id, and the digest of the head as it stands."""
    from monai_ethics.provenance.head import HEAD_NAME

    head = measured.folder / HEAD_NAME
    digest = {"head": sha256(head.read_bytes()).hexdigest()} if head.is_file() else {}
    return {"run_id": measured.run_id, **digest}
