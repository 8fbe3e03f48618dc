# SPDX-License-Identifier: Apache-2.0
"""All records that a run leaves, in the order in which they name each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ethics.handlers._made_by import checkpoint_weights, model_origin
from monai_ethics.handlers._members import LEFT_OUT, TRAINING, RunSet, add_sets, known_items, logs_to_ask
from monai_ethics.handlers._private import store_items
from monai_ethics.handlers._record import activity_record, run_kind, stored_outputs
from monai_ethics.handlers._trace import store_trace

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.handlers._sweep import OutputFile
    from monai_ethics.handlers.session import RunSession
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["record_run"]


def record_run(session: RunSession, log: EvidenceLog, *, files: Sequence[OutputFile], wait: bool) -> list[Finding]:
    """Write the sets, the trace, the run's record, and what it stored; returns what the checks of records found.

    Args:
        session: the run.
        log: its open log.
        files: files that it wrote.
        wait: whether to wait for digests; of a failed run those that are there are taken.
    """
    read = _items(session, wait=wait)
    store_items(log, read, files)
    folders = logs_to_ask(session, [log.folder])
    items = known_items(session, log, read, folders=folders)
    sets = add_sets(session, log, items, fields=_set_fields(session.described))
    traced = store_trace(log, session.traces, read)
    if traced is not None:
        session.note(inference_trace=traced)
    if not wait and _never_began(session, sets, files):
        return []
    if session.synthetic:
        _mark(session, log, files)
    record = activity_record(
        session,
        items=items,
        undigested=sum(item["error"] is not None for item in read),
        files=files,
        sets=sets,
        origin=model_origin(session, folders, training=run_kind(session) == "training"),
    )
    identity = log.add_record(record)
    log.append_many(stored_outputs(log, files, record=identity, weights=checkpoint_weights(files)))
    return _checked(session, log, sets=sets, folders=folders)


def _never_began(session: RunSession, sets: Mapping[str, RunSet], files: Sequence[OutputFile]) -> bool:
    """Whether a training was refused before it touched a network: it made no model that anybody could ask about."""
    return run_kind(session) == "training" and not session.activity.get("model") and not sets and not files


def _items(session: RunSession, *, wait: bool) -> list[dict[str, Any]]:
    """Files read, with their digests; of a failed run those that are there already."""
    queue = session.items
    if queue is None:
        return []
    for notes in session.ledger.engines.values():
        for case in notes.scores.cases if notes.scores is not None else ():
            queue.add({"image": case.partition("#")[0]}, use=notes.engine_id)
    return queue.results(wait=wait)


def _set_fields(described: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the records of sets, from what the user or the bundle says of the data."""
    data = described.get("data", {})
    consent = data.get("consent")
    fields: dict[str, Any] = {"license": str(data.get("license", ""))}
    if consent:
        fields["consent"] = dict(consent) if isinstance(consent, Mapping) else {"basis": str(consent)}
    return fields


def _mark(session: RunSession, log: EvidenceLog, files: Sequence[OutputFile]) -> None:
    from monai_ethics.handlers._marking import is_image, mark_images

    images = [file.path for file in files if is_image(file.path)]
    session.note(images_declared_synthetic=mark_images(images, log=log, record=session.synthesis_fields()))


def _checked(
    session: RunSession, log: EvidenceLog, *, sets: Mapping[str, RunSet], folders: Sequence[Path]
) -> list[Finding]:
    """What the checks of records say of a run that trained, or that generated images."""
    from monai_ethics.provenance.generation_record import GenerationRecord
    from monai_ethics.provenance.records.recorded_fields import generation_table, synthesis_records

    found = _training_data(session, sets[TRAINING], folders) if TRAINING in sets else []
    generated = synthesis_records(log.folder, run_id=log.run_id)
    found += [GenerationRecord()(generation_table(generated))] if generated else []
    if refused := session.activity.get(LEFT_OUT):
        said = f"Logs that are not as they were signed, and were not asked: {refused}."
        found = [replace(finding, limitations=(*finding.limitations, said)) for finding in found]
    return found


def _training_data(session: RunSession, one: RunSet, folders: Sequence[Path]) -> list[Finding]:
    from monai_ethics.provenance.data_origin import DataOrigin
    from monai_ethics.provenance.license_compatibility import LicenseCompatibility, LicenseTable
    from monai_ethics.provenance.records.recorded_fields import origin_table, records_of

    records = records_of(folders, {item.record for item in one.items if item.record})
    told = session.described.get("data", {})
    rows = [(item.item, item.voxel_v1, item.record) for item in one.items]
    own = ((identity, "training item", str(body.get("license", ""))) for identity, body in records.items())
    licenses = [row for row in own if row[2]]
    licenses.append((one.record, "training set", str(told.get("license", ""))))
    licenses.append(("weights", "weights", str(session.described.get("weights_license", ""))))
    names, roles, texts = zip(*licenses, strict=True)
    return [
        DataOrigin()(origin_table(rows, records, told)),
        LicenseCompatibility(uses=session.described.get("uses", ()))(
            LicenseTable(items=names, roles=roles, licenses=texts)
        ),
    ]
