# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics claims`: does a result stand behind every sentence that is to be published? Exit 1 when not."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monai_ethics.errors import GateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monai_ethics.evidence import Finding
    from monai_ethics.lifecycle.policy import Policy

__all__ = ["command"]

RUN = "claims"  # name of a run of this command in the log


def command(
    evidence: Annotated[Path, typer.Argument(help="Evidence folder whose results shall carry the sentences.")],
    claims: Annotated[Path, typer.Argument(help="YAML file: sentences, each with the results it rests on.")],
    policy: Annotated[
        Path | None, typer.Option(help="Policy file: limits and margins; without one no sentence may be unsupported.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Evidence folder to write the finding to; EVIDENCE itself if absent.")
    ] = None,
    run_id: Annotated[str | None, typer.Option(help="Only this run's results; all runs otherwise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the finding as JSON for machines.")] = False,
) -> None:
    """Hold sentences that are to be published against the results they name; exits with 1 if one is unsupported."""
    from monai_ethics._input import read_input
    from monai_ethics._resources import policy_path
    from monai_ethics.lifecycle.policy import read_policy
    from monai_ethics.lifecycle.policy_file import LARGEST

    data = read_input(claims, most=LARGEST)
    judged = _judge(evidence, data, read_policy(policy or policy_path("claims")), run_id)
    fingerprint = _write(out or evidence, judged, data)
    counts = judged[0].accounting
    if as_json:
        print(json.dumps([finding.to_dict() for finding in judged], indent=1, sort_keys=True))
    else:
        _tell(judged, "EVIDENCE" if out is None else "`--out`", fingerprint)
    if counts["unsupported"]:
        raise GateError(
            f"Expected every sentence to rest on a result that carries it: {counts['unsupported']} of "
            f"{sum(counts.values())} do not. Read their places and problems in the finding, and mend or drop them."
        )


def _judge(evidence: Path, data: bytes, policy: Policy, run_id: str | None) -> list[Finding]:
    """The finding by every limit that the policy sets on it; results are judged first, which decides on margins."""
    from monai_ethics.lifecycle.claim_file import read_claims
    from monai_ethics.lifecycle.claims import Claims, ClaimTable
    from monai_ethics.lifecycle.policy import apply_policy
    from monai_ethics.provenance.log.reading.entries import read_report
    from monai_ethics.provenance.log.verifying.verify import as_signed
    from monai_ethics.provenance.log.writing.relied import relied_on

    listed = read_claims(data)
    under = relied_on(evidence, as_signed(evidence))
    held = read_report(evidence, run_id=run_id, under=under).findings
    found = [item for item in held if item.check != Claims.id]
    return apply_policy([Claims()(ClaimTable(claims=listed, findings=tuple(apply_policy(found, policy))))], policy)


def _write(target: Path, findings: Sequence[Finding], data: bytes) -> str:
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.reporting.sealed import seal_report

    with EvidenceLog.open(target, run_id=RUN) as log:
        log.append("inputs", {"claims": sha256(data).hexdigest()})
        log.put_private("claims", data, media_type="application/yaml")
        log.add_findings(findings)
        return seal_report(log).fingerprint


def _tell(findings: Sequence[Finding], target: str, fingerprint: str) -> None:
    first = findings[0]
    print(f"{first.verdict}: {first.statement}")
    for row in first.observations:
        print(f"  {', '.join(row.items)}: {row.note}")
    if first.reason:
        print(f"  {first.reason}")
    print(f"The report is in {target}.\nSealed; keep this fingerprint elsewhere: {fingerprint}")
