# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics gate`: does the evidence hold against a policy? Exit 1 when it does not."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monai_ethics.errors import GateError, InputError, ProvenanceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monai_ethics.evidence import Finding
    from monai_ethics.lifecycle.policy import GateResult, GateRow
    from monai_ethics.provenance.log.reading.entries import Covered

__all__ = ["command"]

MARKS = {True: "refused", False: "ok"}


def command(
    evidence: Annotated[Path, typer.Argument(help="Evidence folder of a run.")],
    policy: Annotated[Path, typer.Option(help="Policy file: limits with their sources, and required checks.")],
    junit: Annotated[Path | None, typer.Option(help="Write the answer as JUnit XML to this file.")] = None,
    site: Annotated[
        Path | None, typer.Option(envvar="MONAI_ETHICS_SITE", help="Site log: refuse evidence that was rolled back.")
    ] = None,
    run_id: Annotated[str | None, typer.Option(help="Judge only this run's findings; all runs otherwise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Refuse evidence that does not hold against a policy (exit 1)."""
    from monai_ethics.lifecycle.junit import junit_xml
    from monai_ethics.lifecycle.policy import gate, read_policy
    from monai_ethics.provenance.log.files.storage import write_text

    _require_outside(junit, evidence, site)
    asked = read_policy(policy)
    integrity, under = _integrity(evidence, site)
    result = gate(_findings(evidence, run_id, integrity, under=under), asked)
    result = replace(result, rows=(integrity, *result.rows) if result.rows else ())
    if junit is not None:
        write_text(junit, junit_xml(result))
    print(json.dumps(result.to_dict(), indent=1, sort_keys=True) if as_json else _table(result))
    if not result.passed:
        refused = sum(row.refuses for row in result.rows)
        raise GateError(
            f"Expected everything the policy asks for to hold: {refused} of {len(result.rows)} rows refuse. "
            "Read them in the gate's output."
        )


def _require_outside(junit: Path | None, *logs: Path | None) -> None:
    """Refuse to write over what is to be judged."""
    target = None if junit is None else Path(os.path.realpath(junit))
    if any(target and log and target.is_relative_to(os.path.realpath(log)) for log in logs):
        raise InputError("Expected `--junit` outside evidence and site log: got a file in one. Name another place.")


def _findings(evidence: Path, run_id: str | None, integrity: GateRow, *, under: Covered | None) -> Sequence[Finding]:
    """Findings of the evidence; none where it was altered so that it cannot be read, which its own row refuses."""
    from monai_ethics.provenance.log.reading.entries import read_report

    try:
        return read_report(evidence, run_id=run_id, under=under).findings
    except ProvenanceError:
        if integrity.refuses:
            return ()
        raise


def _integrity(evidence: Path, site: Path | None) -> tuple[GateRow, Covered | None]:
    """The row that stands above all others, and what to read under: what is not as signed carries no judgement."""
    from monai_ethics.lifecycle.policy import GateRow
    from monai_ethics.provenance.log.verifying.verify import verify_evidence
    from monai_ethics.provenance.log.writing.relied import relied_on

    found = verify_evidence(evidence, site=site)
    row = GateRow(
        check="provenance.integrity",
        subjects=(),
        asked="the evidence is as it was signed",
        verdict=found.status,
        refuses=not found.intact,
        reason=None if found.intact else found.text.splitlines()[0],
        source="the gate itself",
    )
    return row, relied_on(evidence, found) if found.intact else None


def _table(result: GateResult) -> str:
    from monai_ethics.reporting.escape import for_terminal

    lines = [f"Policy: {result.policy}"]
    for row in result.rows:
        parts = result.about(row)
        about = f" [{', '.join(parts)}]" if parts else ""
        seen = "" if row.observed is None else f", observed {row.observed:.3g}"
        why = f" ({row.reason})" if row.reason else ""
        lines.append(f"{MARKS[row.refuses]:8} {row.verdict:15} {row.check}{about}: {row.asked}{seen}{why}")
    lines.append("The gate lets this evidence pass." if result.passed else "The gate refuses this evidence.")
    return "\n".join(for_terminal(line) for line in lines)
