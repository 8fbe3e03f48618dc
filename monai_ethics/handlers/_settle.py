# SPDX-License-Identifier: Apache-2.0
"""The end of a run: findings, private payloads, the record, the report, the sealed head. Process 0 only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monai_ethics.handlers._audits import checked_audit, synthesis_findings
from monai_ethics.handlers._findings import coverage, group_findings, set_findings, unscored
from monai_ethics.handlers._kept_marks import register_kept
from monai_ethics.handlers._mix import mix_findings
from monai_ethics.handlers._private import store_cases, store_scores
from monai_ethics.handlers._recorded import record_run
from monai_ethics.handlers._set_uses import lock_findings
from monai_ethics.handlers.admission import checked_guard

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.handlers._sweep import OutputSweep
    from monai_ethics.handlers.session import RunSession
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["Settled", "check_settings", "settle"]

MOST_ENTRIES = 20_000  # of a run are searched for identifiers: a few seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What the end of a run gave.

    Args:
        findings: as they stand in the log.
        exit_code: 1 if the policy refuses, else 0.
        summary: one line for the user.
    """

    findings: tuple[Finding, ...]
    exit_code: int
    summary: str


def check_settings(session: RunSession) -> None:
    """Read what can be wrong before anything is written.

    Raises:
        InputError: if the policy, the strata, the plan, the threshold or a setting of the audit cannot be read.
    """
    from monai_ethics.handlers._labels import as_threshold

    session.comparison()
    as_threshold(session.threshold)
    if session.synthesis is not None:
        checked_audit(session.synthesis)
    if session.guard is not None:
        checked_guard(session.guard, session=session)
    if session.policy is not None:
        from monai_ethics.lifecycle.policy import read_policy

        read_policy(session.policy)


def settle(
    session: RunSession, log: EvidenceLog, *, error: BaseException | None, outputs: OutputSweep | None
) -> Settled:
    """Write everything that a run leaves.

    Args:
        session: the run.
        log: its open log.
        error: what ended the run; only its type is kept.
        outputs: the folders to sweep.
    """
    store_scores(log, session.ledger)
    store_cases(log, session.ledger)
    files = outputs.collect() if outputs is not None else []
    kept, unread = register_kept(log, files)
    if kept:
        session.note(images_marked_for_their_inputs=kept)
    if unread:
        session.note(sidecars_not_read=unread)
    made = record_run(session, log, files=files, wait=error is None)
    found = [*_findings(session, error), *mix_findings(session.ledger.mixes, log)]
    found += [*synthesis_findings(session, log, files), *made, *lock_findings(session, log)]
    found += _lineage(log)
    found.append(_privacy(log, found))
    findings, exit_code = _judged(session, found)
    log.add_findings(findings)
    log.append("run", _status(error, outputs))
    return Settled(findings=tuple(findings), exit_code=exit_code, summary=_seal(log, len(findings), error, kept=kept))


def _findings(session: RunSession, error: BaseException | None) -> list[Finding]:
    found = [coverage(session.ledger, error), *group_findings(session.ledger, session.comparison())]
    for notes in session.ledger.engines.values():
        if notes.scores is not None:
            found.extend(set_findings(notes.scores))
            found.extend(unscored(notes.scores))
    return [*found, *(finding for findings in session.admissions.values() for finding in findings)]


def _lineage(log: EvidenceLog) -> tuple[Finding, ...]:
    from monai_ethics.provenance.lineage.show import findings_of

    return findings_of(log.folder)


def _privacy(log: EvidenceLog, findings: list[Finding]) -> Finding:
    """Whether what this run wrote, and is about to write, looks like a name of a person or a file."""
    from monai_ethics.provenance.log_privacy import LogPrivacy, log_of

    more = [finding.to_dict() for finding in findings]
    return LogPrivacy(most=MOST_ENTRIES)(log_of(log.folder, run_id=log.run_id, more=more))


def _judged(session: RunSession, findings: list[Finding]) -> tuple[list[Finding], int]:
    if session.policy is None:
        return findings, 0
    from monai_ethics.lifecycle.policy import apply_policy, gate, read_policy

    policy = read_policy(session.policy)
    judged = list(apply_policy(findings, policy))
    return judged, 0 if gate(judged, policy).passed else 1


def _status(error: BaseException | None, outputs: OutputSweep | None) -> dict[str, Any]:
    body: dict[str, Any] = {"status": "failed" if error is not None else "completed"}
    if error is not None:
        body["error_type"] = type(error).__name__
    if outputs is not None and outputs.partial:
        body["outputs"] = "partial: a folder held more files than are looked at"
    return body


def _seal(log: EvidenceLog, n: int, error: BaseException | None, *, kept: int) -> str:
    from monai_ethics.reporting.sealed import seal_report

    head = seal_report(log)
    end = f"failed ({type(error).__name__}); " if error is not None else ""
    held = "1 finding" if n == 1 else f"{n} findings"
    marked = f"Images written with a mark, because synthetic ones went into them: {kept}. " if kept else ""
    return (
        f"monai-ethics: {end}evidence with {held} in {log.folder} (run {log.run_id}). {marked}"
        f"Head {head.fingerprint}: keep it elsewhere."
    )
