# SPDX-License-Identifier: Apache-2.0
"""The provenance record of a run and the entries for the files it wrote; items appear as pseudonyms only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ethics.handlers._members import INPUTS, TRAINING

if TYPE_CHECKING:
    from monai_ethics.handlers._made_by import Origin
    from monai_ethics.handlers._members import Item, RunSet
    from monai_ethics.handlers._sweep import OutputFile
    from monai_ethics.handlers.session import RunSession
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["activity_record", "run_kind", "stored_outputs"]

MOST_SUBJECTS = 2000  # pseudonyms listed in one record; an entry of the log may be 1 MB
LIMITS = ("Files are named by pseudonyms; names and digests of single images are in a private payload.",)


def activity_record(
    session: RunSession,
    *,
    items: Sequence[Item],
    undigested: int,
    files: Sequence[OutputFile],
    sets: Mapping[str, RunSet],
    origin: Origin,
) -> dict[str, Any]:
    """The record of a run.

    Args:
        session: the run, with what the recorder noted.
        items: what is known of the files that were read.
        undigested: how many of them have no digest.
        files: files that were written.
        sets: the sets that were recorded, by role.
        origin: its model.

    Returns:
        A record as JSON.
    """
    from monai_ethics.provenance.records.record import Record, described_synthesis

    ran = [notes for notes in session.ledger.engines.values() if notes.ran]
    kind = run_kind(session)
    facts = {name: value for name, value in session.activity.items() if name != "model"}
    content: dict[str, Any] = {
        "type": kind,
        "synthetic": _synthetic(kind, sets),
        "subjects": [_subject(item) for item in items[:MOST_SUBJECTS]],
        "parents": [*_set_parents(kind, sets), *origin.parents],
        "activity": {
            "software": "monai_ethics",
            "config_files": dict(session.config.get("files", {})),
            "engines": {n.engine_id: _engine(n) for n in ran},
            "files_read": {
                "count": len(items),
                "without_digest": undigested,
                "listed": min(len(items), MOST_SUBJECTS),
            },
            "files_written": dict(Counter(file.role for file in files)),
            "sets": {role: {"root": one.root, "n": one.n, "synthetic": one.synthetic} for role, one in sets.items()},
            **facts,
        },
        "model": dict(origin.model),
        "agent": {"role": "process 0 of the run"},
        "limits": LIMITS,
        "intended_use": str(session.described.get("intended_use", "")),
        "license": str(session.described.get("weights_license", "")) if kind == "training" else "",
    }
    return Record(**described_synthesis(content)).to_dict()


def run_kind(session: RunSession) -> str:
    """Type of a run's record."""
    ran = [notes for notes in session.ledger.engines.values() if notes.ran]
    if any(notes.training for notes in ran):
        return "training"
    if session.synthetic:
        return "synthesis"
    return "evaluation" if any(notes.tables for notes in ran) else "inference"


def _synthetic(kind: str, sets: Mapping[str, RunSet]) -> str:
    """A model is what it learned from; a result is what it was computed from, whatever its model learned from."""
    if kind == "synthesis":
        return "yes"
    one = sets.get(TRAINING if kind == "training" else INPUTS)
    return one.synthetic if one is not None else "unknown"


def _set_parents(kind: str, sets: Mapping[str, RunSet]) -> list[dict[str, str]]:
    """The sets, and the records of single items where there are few enough to name them."""
    parents = [{"id": one.record, "role": "input" if role == INPUTS else role} for role, one in sorted(sets.items())]
    if kind == "training" or INPUTS not in sets:
        return parents
    known = sorted({item.record for item in sets[INPUTS].items if item.record})
    named = known if len(known) <= MOST_SUBJECTS else []
    return parents + [{"id": record, "role": "input"} for record in named]


def _subject(item: Item) -> dict[str, Any]:
    told = {"item": item.item, "role": item.role}
    return {**told, "patient": item.subject} if item.patient else told


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


def stored_outputs(
    log: EvidenceLog, files: Sequence[OutputFile], *, record: str, weights: Mapping[Path, Sequence[str]]
) -> list[tuple[str, dict[str, Any]]]:
    """Entries for the files written: checkpoints with digests of bytes and weights, others by pseudonym and kind only.

    Args:
        log: gives the pseudonyms.
        files: files that were written.
        record: id of the run's record.
        weights: digests of the weights in checkpoints.
    """
    entries = []
    for file in files:
        body: dict[str, Any] = {"item": log.pseudonym("file", str(file.path)), "role": file.role, "record": record}
        if file.role == "checkpoint":
            body |= {"sha256": file.sha256, "size": file.size, "weights": list(weights.get(file.path, ()))}
        entries.append(("stored", body))
    return entries
