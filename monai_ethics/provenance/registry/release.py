# SPDX-License-Identifier: Apache-2.0
"""The record of a release: which signed files of a model left the house, and which trainings wrote its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ethics.provenance.log.verifying.verify import as_signed
from monai_ethics.provenance.log.writing.relied import relied_on
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.marks.taint import combined
from monai_ethics.provenance.records.models import known_models
from monai_ethics.provenance.records.record import Record

__all__ = ["Released", "record_release"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What was recorded.

    Args:
        record: id of the record.
        trainings: ids of the records of the trainings that wrote weights in it; empty if no log knows them.
        synthetic: what is known of the images that they learned from.
    """

    record: str
    trainings: tuple[str, ...]
    synthetic: str


def record_release(
    statement: Mapping[str, Any],
    log: EvidenceLog,
    *,
    signature_sha256: str,
    folders: Sequence[Path] = (),
    intended_use: str = "",
    spdx: str = "",
) -> Released:
    """Record the release of a model's folder.

    Args:
        statement: the signed manifest, as `manifest_of` gives it.
        log: the open log that is given the record.
        signature_sha256: digest of the signature file.
        folders: evidence and site logs besides the log's own in which the trainings are looked for.
        intended_use: what the model is meant for.
        spdx: SPDX expression of the weights.

    Raises:
        GateError: if one of the folders is not as it was signed.
    """
    places = [log.folder, *folders]
    under = [
        relied_on(folder, as_signed(folder, called=f"evidence {position}"))
        for position, folder in enumerate(places, start=1)
    ]
    known = known_models(places, under=under)
    digests = [str(one["digest"]) for one in statement["predicate"]["resources"]]
    trained = {known[digest].record: known[digest] for digest in digests if digest in known}
    synthetic = combined([one.synthetic for one in trained.values()]) if trained else "unknown"
    model = {"manifest_sha256": statement["subject"][0]["digest"]["sha256"], "files": len(digests)}
    record = Record(
        type="release",
        synthetic=synthetic,
        parents=[{"id": identity, "role": "model"} for identity in sorted(trained)],
        activity={"signature_sha256": signature_sha256, "format": "OpenSSF model-signing v1.0"},
        model={**model, "weights": [digest for digest in digests if digest in known], "unknown_origin": not trained},
        intended_use=intended_use,
        license=spdx,
    )
    log.add_record(record.to_dict())
    return Released(record=record.id, trainings=tuple(sorted(trained)), synthetic=synthetic)
