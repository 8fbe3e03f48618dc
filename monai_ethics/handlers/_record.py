# SPDX-License-Identifier: Apache-2.0
"""The provenance record of a run and the entries for the files it wrote; items appear as pseudonyms only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monai_ethics.handlers._sweep import OutputFile
    from monai_ethics.handlers.session import RunSession
    from monai_ethics.provenance.log.writer import EvidenceLog

__all__ = ["activity_record", "stored_outputs"]

MOST_SUBJECTS = 2000  # pseudonyms listed in one record; an entry of the log may be 1 MB


def activity_record(
    session: RunSession, log: EvidenceLog, *, items: Sequence[Mapping[str, Any]], files: Sequence[OutputFile]
) -> dict[str, Any]:
    """The record of a run.

    Args:
        session: the run, with what the recorder noted.
        log: gives the pseudonyms.
        items: files that were read, with their digests.
        files: files that were written.

    Returns:
        A record as JSON.
    """
    from monai_ethics.provenance.record import Record

    engines = session.ledger.engines.values()
    ran = [notes for notes in engines if notes.ran]
    facts = dict(session.activity)
    model = facts.pop("model", {})
    subjects = [{"item": log.pseudonym("file", str(item["path"])), "role": item["role"]} for item in items]
    failed = sum(item["error"] is not None for item in items)
    record = Record(
        type=_kind(ran),
        synthetic="unknown",
        subjects=subjects[:MOST_SUBJECTS],
        activity={
            "software": "monai_ethics",
            "config_files": dict(session.config.get("files", {})),
            "engines": {n.engine_id: _engine(n) for n in ran},
            "files_read": {"count": len(items), "without_digest": failed, "listed": min(len(items), MOST_SUBJECTS)},
            "files_written": dict(Counter(file.role for file in files)),
            **facts,
        },
        model=model,
        agent={"role": "process 0 of the run"},
        limits=("Files are named by pseudonyms; names and digests of single images are in a private payload.",),
    )
    return record.to_dict()


def _kind(ran: Sequence[Any]) -> str:
    if any(notes.training for notes in ran):
        return "training"
    return "evaluation" if any(notes.tables for notes in ran) else "inference"


def _engine(notes: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"training": notes.training, "metrics": sorted(table.metric for table in notes.tables)}
    use = notes.scores.table if notes.scores is not None else None
    if use is not None:
        told["side_table"] = {
            "rows": use.rows,
            "rows_used": len(use.used),
            "images_with_row": use.with_row,
            "images_without_row": use.without_row,
        }
    return told


def stored_outputs(log: EvidenceLog, files: Sequence[OutputFile]) -> list[tuple[str, dict[str, Any]]]:
    """Entries for the files written: checkpoints with the digest of their bytes, others by pseudonym and kind only."""
    entries = []
    for file in files:
        body: dict[str, Any] = {"item": log.pseudonym("file", str(file.path)), "role": file.role}
        if file.role == "checkpoint":
            body |= {"sha256": file.sha256, "size": file.size}
        entries.append(("stored", body))
    return entries
