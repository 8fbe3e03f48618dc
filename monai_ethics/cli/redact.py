# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics redact`: delete private payloads for good; the log keeps that, when and why, and still verifies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from monai_ethics.provenance.log.writing.redaction import Payload, Pending

__all__ = ["command"]

#: what ends with a payload of each kind
ENDS = {
    "action": "what was done to mitigate, in words, is gone; the change that was measured stays",
    "attributes": "`mitigation` cannot be repeated from this folder",
    "case_map": "nobody can find the case of a pseudonym in this folder",
    "cases": "`fairness` has no table of cases to stratify by; give it one with `--attributes`",
    "disposition_reason": "why a model was kept after a withdrawal is gone; that it was stays",
    "gallery": "pairs of images cannot be looked at again",
    "inference_trace": "what was done to each case of an inference is gone",
    "items": "nobody can find the file of a pseudonym in this folder",
    "labels": "`fairness` cannot compare decisions again",
    "mix": "the share of synthetic items cannot be counted again",
    "pairs": "nobody can find the files of pairs listed for review",
    "registered": "images cannot be recognized by what this payload held",
    "requests": "what was asked of a generator is gone",
    "scores": "`fairness` cannot compare scores again",
    "sweep": "`utility` cannot be repeated from this folder",
    "text": "readings of burned-in text are gone",
    "training_set": "nobody can prove any more who was in the set, or was not",
}
KEY_ENDS = "nobody can link pseudonyms to names any more, and a later run of this folder makes other pseudonyms"


def command(
    evidence: Annotated[Path, typer.Argument(help="Evidence folder.")],
    kind: Annotated[list[str] | None, typer.Option(help="Kind of payload; may be given several times.")] = None,
    commitment: Annotated[list[str] | None, typer.Option(help="One payload, by 8 or more hex digits.")] = None,
    run_id: Annotated[str | None, typer.Option(help="Only payloads of this run.")] = None,
    pseudonym_key: Annotated[bool, typer.Option("--pseudonym-key", help="The pseudonym key too.")] = False,
    reason: Annotated[str, typer.Option(help="withdrawal, retention, request or mistake.")] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete; without it the command lists what it would delete.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Delete private payloads for good, and seal that in the log; without --yes only list them."""
    from monai_ethics.provenance.log.verifying.verify import as_signed
    from monai_ethics.provenance.log.writing.redaction import REASONS, chosen, payloads_of, pending_erasures

    as_signed(evidence)
    if reason not in REASONS and (reason or yes):
        got = "another" if reason else "none"
        raise InputError(f"`--reason` must be one of {', '.join(REASONS)}: got {got}. Choose one.")
    pending = pending_erasures(evidence)
    if not (kind or commitment or pseudonym_key or pending):
        raise InputError(
            "Expected `--kind`, `--commitment` or `--pseudonym-key`: got none. `private` lists what there is."
        )
    found = chosen(payloads_of(evidence), kinds=kind or (), commitments=commitment or (), run_id=run_id)
    head = _delete(evidence, found, pending, pseudonym_key=pseudonym_key, reason=reason) if yes else None
    _tell(found, pending, pseudonym_key=pseudonym_key, head=head, as_json=as_json)


def _delete(folder: Path, found: Sequence[Payload], pending: Pending, *, pseudonym_key: bool, reason: str) -> str:
    """Entry, files, head and report, in this order; what an earlier writer left undone goes first."""
    from monai_ethics.provenance.log.writing.folder import erase_payloads
    from monai_ethics.provenance.log.writing.redaction import forget_pseudonyms
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.reporting.sealed import seal_report

    with EvidenceLog.open(folder, run_id="redact") as log:
        erase_payloads(folder, pending.commitments)
        if found:
            log.erase([payload.commitment for payload in found], reason=reason)
        if pseudonym_key or pending.pseudonym_key:
            forget_pseudonyms(log, reason=reason)
        log.seal()
        return seal_report(log).fingerprint


def _tell(found: Sequence[Payload], pending: Pending, *, pseudonym_key: bool, head: str | None, as_json: bool) -> None:
    from monai_ethics.reporting.escape import for_terminal

    forgets = pseudonym_key or pending.pseudonym_key
    ends = {payload.kind: ENDS.get(payload.kind, "what it held can never be read again") for payload in found}
    if as_json:
        rows: list[dict[str, Any]] = [
            {"commitment": row.commitment, "kind": row.kind, "run": row.run_id, "ends": ends[row.kind]} for row in found
        ]
        print(json.dumps({"deleted": head is not None, "payloads": rows, "unfinished": len(pending.commitments),
                          "pseudonym_key": forgets, "head": head}, indent=1, sort_keys=True))  # fmt: skip
        return
    for row in found:
        print(for_terminal(f"{row.kind:14} {row.commitment[:16]} {row.run_id}: {ends[row.kind]}"))
    if forgets:
        print(f"pseudonym key: {KEY_ENDS}")
    if pending.commitments:
        print(f"left by a run that was cut off: {len(pending.commitments)}")
    if not (found or forgets or pending):
        print("Nothing to delete: the payloads named are deleted already.")
    elif head is None:
        print("Nothing was deleted. With --yes this goes for good; copies of the folder and backups are not reached.")
    else:
        print("Deleted. Copies of the folder and backups are not reached; the log keeps that it was, when and why.")
    if head is not None:
        print(f"Sealed; keep this fingerprint elsewhere: {head}")
