# SPDX-License-Identifier: Apache-2.0
"""What a generator would have recorded: the set it learned from, and the training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monai_ethics.provenance.images.digest import digest_file
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records.patients import PATIENT, patient_identifier
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.records.sets import TrainingSet, add_training_set, leaf_of

__all__ = ["record_training"]


def record_training(subjects: Sequence[str], data: Path, *, log: EvidenceLog) -> str:
    """Record the training of the demo's generator, as `monai-ethics run` does of a bundle that trains.

    Args:
        subjects: ids of the reference subjects that it learned from.
        data: folder with their images.
        log: open log.

    Returns:
        The id of the record.
    """
    leaves = [
        leaf_of(
            log,
            subject=log.pseudonym(PATIENT, patient_identifier(subject)),
            patient=True,
            voxel_v1=digest_file(data / f"{subject}_image.nii.gz", slices=False).voxel_v1,
            synthetic="unknown",
        )
        for subject in subjects
    ]
    learned = add_training_set(log, TrainingSet(leaves), synthetic="unknown")
    record = Record(
        type="training",
        synthetic="unknown",
        parents=[{"id": learned, "role": "training set"}],
        model={"name": "stand-in generator of the demo"},
        intended_use="demonstration only",
    )
    return log.add_record(record.to_dict())
