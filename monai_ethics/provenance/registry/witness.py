# SPDX-License-Identifier: Apache-2.0
"""What an evidence folder knows of a marked file, beyond what may travel with the file: whose image it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_ethics.provenance.log.files.payload import pseudonym_of, read_pseudonym_key
from monai_ethics.provenance.log.reading.entries import iter_entries
from monai_ethics.provenance.records.patients import PATIENT
from monai_ethics.provenance.registry.known import load_known

__all__ = ["Witness", "load_witness"]


@dataclass(frozen=True, kw_only=True)
class Witness:
    """An evidence folder as the witness of files that were stamped under it.

    Args:
        key: its pseudonym key; ``None`` where the private part was left out.
        patients: keyed pseudonym of the patient of each stamped DICOM file by the record's id.
        records: ids of the records of synthetic images that it holds.
    """

    key: bytes | None
    patients: Mapping[str, str]
    records: frozenset[str]

    def judge(self, path: Path, record: str, *, media_type: str) -> tuple[dict[str, str], list[str]]:
        """What became of ``patient``, and what a reader must know.

        Args:
            path: the file; of DICOM files the patient is read.
            record: id of the record that was signed.
            media_type: of the file.
        """
        if record not in self.records:
            return {}, ["The evidence does not hold its record: it was stamped elsewhere."]
        if record not in self.patients or media_type != "application/dicom":
            return {}, []
        if self.key is None:
            return {}, ["The evidence came without its private part: whether it is the same patient cannot be told."]
        found = patient_pseudonym(path, self.key)
        if found is None:
            return {"patient": "removed"}, []
        return {"patient": "kept" if found == self.patients[record] else "changed"}, []


def patient_pseudonym(path: Path, key: bytes) -> str | None:
    """Keyed pseudonym of the patient of a DICOM file; ``None`` where it names none."""
    from monai_ethics.provenance.images.dicom import patient_in

    known = patient_in(path)
    return None if known is None else pseudonym_of(key, PATIENT, known)


def load_witness(folder: Path, *, trusted: Sequence[bytes] = ()) -> Witness:
    """Read what an evidence folder knows of the files that were stamped under it.

    Raises:
        GateError: if it is not as it was signed.
        InputError: if it holds no log.
    """
    known = load_known([folder], trusted=trusted)
    patients = {
        str(entry.body["record"]): str(entry.body["patient"])
        for entry in iter_entries(folder, under=known.read_under[0])
        if entry.kind == "stored" and "patient" in entry.body and "record" in entry.body
    }
    return Witness(key=read_pseudonym_key(folder), patients=patients, records=frozenset(known.records))
