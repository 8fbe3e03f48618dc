# SPDX-License-Identifier: Apache-2.0
"""Files that a run wrote and marked because of what they were made from: their records, registered in the evidence.

They are marked where they are written, perhaps in other processes; the sidecar beside each is what is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from monai_ethics.errors import SchemaError
from monai_ethics.provenance.images.digest import FileDigests
from monai_ethics.provenance.marks.sidecar import read_sidecar
from monai_ethics.provenance.marks.taint import carries_synthetic
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.registry.known import register

if TYPE_CHECKING:
    from monai_ethics.handlers._sweep import OutputFile
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["register_kept"]


def register_kept(log: EvidenceLog, files: Sequence[OutputFile]) -> tuple[int, int]:
    """Log the record of each file that says it was made from synthetic content.

    Args:
        log: the run's open log.
        files: what the run wrote. A sidecar of other bytes than the file's is left out.

    Returns:
        How many were registered, and how many sidecars could not be read.
    """
    entries: list[tuple[str, Any]] = []
    kept, unread = 0, 0
    for file in files:
        try:
            sidecar = _sidecar(file)
        except (SchemaError, TypeError, ValueError):  # not what a writer here leaves
            unread += 1
            continue
        if sidecar is None:
            continue
        record, state = sidecar["record"], str(sidecar["synthetic"])
        item = log.pseudonym("file", str(file.path))
        digests = FileDigests(file_sha256=file.sha256, voxel_v1=sidecar.get("voxel_v1"), geometry_v1=_geometry(record))
        kept += 1
        entries.append(("record", record))
        if digests.voxel_v1 is not None:  # one without values of its own cannot be told from others
            entries += register(log, digests, item=item, record=record["id"], synthetic=state)
        body = {"item": item, "role": "marked", "record": record["id"], "sha256": file.sha256}
        entries.append(("stored", {**body, "marks": sidecar.get("marks")}))
    log.append_many(entries)
    return kept, unread


def _sidecar(file: OutputFile) -> dict[str, Any] | None:
    """The sidecar of a file as its writer left it: one with the record of a transform or an inference.

    Raises:
        SchemaError: if it is no sidecar, or its record was edited.
    """
    data = read_sidecar(file.path)
    if data is None or data.get("sha256") != file.sha256 or not carries_synthetic(data.get("synthetic")):
        return None
    if "record" not in data:  # the least that can be said of a file; the run's own record tells of it
        return None
    record = Record.from_dict(data["record"])
    return data if record.type in ("transform", "inference") else None


def _geometry(record: dict[str, Any]) -> str:
    digests = (subject.get("digests", {}).get("geometry_v1") for subject in record.get("subjects", ()))
    return next((str(one) for one in digests if one), "")
