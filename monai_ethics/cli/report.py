# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics report`: render an evidence folder again from its log."""

from __future__ import annotations

import json
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monai_ethics.errors import GateError, InputError

if TYPE_CHECKING:
    from monai_ethics.evidence import EvidenceReport
    from monai_ethics.provenance.log.verifying.verify import Verification

__all__ = ["command"]

AGAIN = "report-of-"


def command(
    evidence: Annotated[Path, typer.Argument(help="Evidence folder of a run.")],
    out: Annotated[
        Path | None, typer.Option(help="Write the report to this folder and leave the evidence as it is.")
    ] = None,
    run_id: Annotated[str | None, typer.Option(help="Show only this run's findings; all runs otherwise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the digests as JSON for machines.")] = False,
) -> None:
    """Render report.html, report.md and report.json from the log; without --out the log records their digests."""
    from monai_ethics.provenance.log.reading.entries import read_report
    from monai_ethics.provenance.log.reading.trail import trail_of
    from monai_ethics.provenance.log.verifying.verify import verify_evidence
    from monai_ethics.provenance.log.writing.relied import relied_on
    from monai_ethics.reporting.terminal import print_summary

    found = verify_evidence(evidence)
    if out is None and not found.log_intact:
        raise GateError(
            f"Expected evidence that is as it was signed: got '{found.status}'. "
            "See `monai-ethics verify`, or render it elsewhere with `--out`."
        )
    report = read_report(evidence, run_id=run_id, under=relied_on(evidence, found) if found.intact else None)
    digests = _beside(report, evidence, out, found) if out is not None else _inside(report, evidence)
    if out is None and found.entries > found.sealed:
        unsigned = found.entries - found.sealed
        print(
            f"monai-ethics: signed with it: {unsigned} entries that nobody had signed, whoever wrote them.",
            file=sys.stderr,
        )
    if as_json:
        print(json.dumps(digests, indent=1, sort_keys=True))
        return
    print_summary(report, trail=trail_of(evidence))
    where = "EVIDENCE" if out is None else "`--out`"
    print(f"\nThe report is in {where}: {', '.join(digests)}.")


def _beside(report: EvidenceReport, evidence: Path, out: Path, found: Verification) -> dict[str, str]:
    from monai_ethics.provenance.lineage.show import sketch_of
    from monai_ethics.provenance.log.reading.trail import trail_of
    from monai_ethics.reporting.render import write_report

    if out.exists() and not out.is_dir():
        raise InputError("Expected `--out` to be a folder: got a file. Give another path.")
    out.mkdir(parents=True, exist_ok=True)
    origin, trail = sketch_of(evidence), trail_of(evidence)
    return write_report(report, out, integrity=found.to_dict(), lineage=origin, trail=trail)


def _inside(report: EvidenceReport, evidence: Path) -> dict[str, str]:
    from monai_ethics.provenance.log.reading.entries import iter_entries
    from monai_ethics.provenance.log.tree.canonical import sha256_hex
    from monai_ethics.provenance.log.verifying.contents import REPORT_NAMES
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.reporting.sealed import seal_report

    runs = (entry.run_id for entry in iter_entries(evidence) if not entry.run_id.startswith(AGAIN))
    last = deque(runs, maxlen=1)
    with EvidenceLog.open(evidence, run_id=f"{AGAIN}{last[0] if last else 'log'}"[:120]) as log:
        head = seal_report(log, report)
    print(f"Sealed; keep this fingerprint elsewhere: {head.fingerprint}")
    return {name: sha256_hex((evidence / name).read_bytes()) for name in REPORT_NAMES}
