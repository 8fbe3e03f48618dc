# SPDX-License-Identifier: Apache-2.0
"""The parts that mark a DICOM dataset: equipment, descriptions, consent, private block and a visible overlay."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from pydicom import Dataset

import monai_ethics
from monai_ethics.errors import InputError
from monai_ethics.provenance.images.dicom_marks import CREATOR, GROUP, MARK, STATEMENT, WORD
from monai_ethics.provenance.log.tree.digits import is_record_id
from monai_ethics.provenance.marks.statement import mark_of

__all__ = ["DistributionConsent", "add_consent", "add_equipment", "add_overlay", "add_private", "code", "described"]

LABEL = "SYNTHETIC"
_OURS = re.compile(r"[^;]*\[me1:[0-9a-f]{60}\]")
DISTRIBUTIONS = ("NAMED_PROTOCOL", "RESTRICTED_REUSE", "PUBLIC_RELEASE")
FLAGS = ("YES", "NO", "WITHDRAWN")


@dataclass(frozen=True, kw_only=True)
class DistributionConsent:
    """One item of Consent for Clinical Trial Use: how the data may be distributed.

    Args:
        flag: ``"YES"``, ``"NO"`` or ``"WITHDRAWN"``.
        distribution: ``"NAMED_PROTOCOL"``, ``"RESTRICTED_REUSE"`` or ``"PUBLIC_RELEASE"``; needed with ``"YES"`` and
            ``"WITHDRAWN"``.
        protocol: Clinical Trial Protocol ID, needed with ``"NAMED_PROTOCOL"`` and with nothing else.

    Raises:
        InputError: if they do not go together.

    References:
        DICOM PS3.3 C.7.1.3.2, Clinical Trial Study module.
    """

    flag: str
    distribution: str | None = None
    protocol: str | None = None

    def __post_init__(self) -> None:
        if self.flag not in FLAGS or self.distribution not in (None, *DISTRIBUTIONS):
            raise InputError(
                f"A consent's flag must be one of {', '.join(FLAGS)} and its distribution one of "
                f"{', '.join(DISTRIBUTIONS)}: got another. Choose one."
            )
        if self.distribution is None and self.flag != "NO":
            raise InputError(f"A consent of flag {self.flag} must have a distribution: got none. Say which.")
        if (self.distribution == "NAMED_PROTOCOL") != bool(self.protocol):
            raise InputError("A consent must name a protocol with NAMED_PROTOCOL, and only then: got the contrary.")


def word_of(record: Mapping[str, Any]) -> str:
    """``me1:`` and the first 60 of the 64 hex digits of a record's id: what fits into a value of type LO.

    Raises:
        InputError: if the record has no id.
    """
    identity = record.get("id")
    if not is_record_id(identity):
        raise InputError("A record that marks a file must have its `id` (sha256:...): got none. Use `Record.to_dict`.")
    return WORD + identity.removeprefix("sha256:")[:60]


def line(text: object, most: int = 64) -> str:
    """A text that every DICOM field and character set can hold: ASCII, one value, short enough."""
    plain = unicodedata.normalize("NFKD", str(text)).encode("ascii", "ignore").decode()
    plain = re.sub(r"[\\;\[\]\x00-\x1f\x7f]+", " ", plain)
    return " ".join(plain.split())[:most].strip()


def code(value: str, meaning: str, scheme: str = "DCM") -> Dataset:
    """An item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def add_equipment(
    dataset: Dataset, record: Mapping[str, Any], *, model: str, purpose: Dataset, description: str, at: datetime
) -> None:
    """Add us to the contributing equipment; an earlier item of this record gives way, those of other records stay."""
    word = word_of(record)
    kept = [item for item in dataset.get("ContributingEquipmentSequence") or () if word not in _versions(item)]
    item = Dataset()
    item.Manufacturer = "monai_ethics"
    item.ManufacturerModelName = line(model)
    # the word first: the blank that pads an odd length belongs to the last value, and the word is as long as can be
    item.SoftwareVersions = [word, f"monai_ethics {monai_ethics.__version__}"]
    item.ContributionDateTime = at.strftime("%Y%m%d%H%M%S+0000")
    item.ContributionDescription = line(description, 1024)
    item.PurposeOfReferenceCodeSequence = [purpose]
    dataset.ContributingEquipmentSequence = [*kept, item]


def _versions(item: Dataset) -> list[str]:
    value = item.get("SoftwareVersions")
    return [value] if isinstance(value, str) else [str(text) for text in value or ()]


def described(old: object, text: str, word: str) -> str:
    """A description with ours at its end, in place of an earlier one of ours: at most 1024 characters."""
    kept = "; ".join(part.strip() for part in str(old or "").split("; ") if part.strip() and not _OURS.fullmatch(part))
    ours = f"{line(text, 400)} [{word}]"
    return f"{kept[: 1022 - len(ours)]}; {ours}" if kept else ours


def titled(old: object, prefix: str) -> str:
    """A series description that begins with the prefix: at most 64 characters."""
    text = re.sub(rf"^{LABEL}( \(partly\))?\s*", "", str(old or ""))
    return f"{prefix} {text}"[:64].strip()


def add_consent(dataset: Dataset, consents: Sequence[DistributionConsent]) -> None:
    """Write Consent for Clinical Trial Use, and the time point that the module asks for."""
    items = []
    for consent in consents:
        item = Dataset()
        if consent.distribution:
            item.DistributionType = consent.distribution
        if consent.protocol:
            item.ClinicalTrialProtocolID = consent.protocol
        item.ConsentForDistributionFlag = consent.flag
        items.append(item)
    dataset.ConsentForClinicalTrialUseSequence = items
    if "ClinicalTrialTimePointID" not in dataset:
        dataset.ClinicalTrialTimePointID = ""


def add_private(
    dataset: Dataset,
    record: Mapping[str, Any],
    *,
    synthetic: str,
    voxel_v1: str | None,
    statement: Mapping[str, Any] | str | None,
) -> None:
    """Write the mark, and the signed statement where there is one, into our private block."""
    block = dataset.private_block(GROUP, CREATOR, create=True)
    block.add_new(MARK, "UT", _json(mark_of({**record, "synthetic": synthetic}, voxel_v1=voxel_v1)))
    if statement is not None:
        block.add_new(STATEMENT, "UT", statement if isinstance(statement, str) else _json(statement))
    elif STATEMENT in block:
        del block[STATEMENT]  # it states what the earlier mark said


def _json(value: Mapping[str, Any]) -> str:
    """JSON in ASCII: text that no character set of a file changes."""
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


_LETTERS = {
    "S": "01111 10000 10000 01110 00001 00001 11110",
    "Y": "10001 10001 01010 00100 00100 00100 00100",
    "N": "10001 11001 10101 10011 10001 10001 10001",
    "T": "11111 00100 00100 00100 00100 00100 00100",
    "H": "10001 10001 10001 11111 10001 10001 10001",
    "E": "11111 10000 10000 11110 10000 10000 11111",
    "I": "01110 00100 00100 00100 00100 00100 01110",
    "C": "01111 10000 10000 10000 10000 10000 01111",
}


def bitmap(rows: int, columns: int) -> np.ndarray:
    """The word SYNTHETIC in the upper left of a plane, about half as wide as it.

    Raises:
        InputError: if the plane has no room for it.
    """
    letters = [np.array([list(map(int, row)) for row in _LETTERS[letter].split()]) for letter in LABEL]
    small = np.concatenate([np.pad(letter, ((1, 1), (1, 0))) for letter in letters], axis=1)
    if rows < small.shape[0] or columns < small.shape[1]:
        raise InputError(
            f"An overlay needs at least {small.shape[0]} rows and {small.shape[1]} columns: got {rows} x {columns}. "
            "Leave the overlay out."
        )
    scale = max(1, min(columns // (2 * small.shape[1]), rows // (2 * small.shape[0])))
    large = np.kron(small, np.ones((scale, scale), dtype=int)).astype(np.uint8)
    plane = np.zeros((rows, columns), dtype=np.uint8)
    plane[: large.shape[0], : large.shape[1]] = large
    return plane


def add_overlay(dataset: Dataset) -> None:
    """Draw the word as an overlay plane: viewers show it, and no pixel of the image changes.

    Raises:
        InputError: if the object has no rows and columns, several frames, no free overlay group or too few pixels.
    """
    if not dataset.get("Rows") or int(dataset.get("NumberOfFrames") or 1) > 1:
        raise InputError("An overlay goes onto an image of one frame: got another object. Leave the overlay out.")
    groups = range(0x6000, 0x6020, 2)
    ours = [group for group in groups if (group, 0x1500) in dataset and dataset[group, 0x1500].value == LABEL]
    free = [group for group in groups if (group, 0x0010) not in dataset]
    if not ours and not free:
        raise InputError("An overlay needs one of 16 groups: got an image where all are in use. Leave it out.")
    group = (ours or free)[0]
    plane = bitmap(int(dataset.Rows), int(dataset.Columns))
    packed = np.packbits(plane.ravel(), bitorder="little").tobytes()
    values: list[tuple[int, str, Any]] = [
        (0x0010, "US", plane.shape[0]),
        (0x0011, "US", plane.shape[1]),
        (0x0022, "LO", "Says that the image is synthetic"),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x1500, "LO", LABEL),
        (0x3000, "OW", packed + b"\0" * (len(packed) % 2)),
    ]
    for element, value_type, value in values:
        dataset.add_new((group, element), value_type, value)
