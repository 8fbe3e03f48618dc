# SPDX-License-Identifier: Apache-2.0
"""Whose a synthetic DICOM object is: a generated subject's, a patient's in clinical use, or nobody's yet."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydicom import Dataset
from pydicom import Sequence as Items
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, generate_uid

from monai_ethics.errors import InputError

__all__ = [
    "GENERATED_METHOD",
    "PREFIX",
    "REPLACED_METHOD",
    "IdentityCase",
    "SourceImage",
    "Subject",
    "replace_identity",
]

PREFIX = "SYN-"
GENERATED_METHOD = "No patient: generated"
REPLACED_METHOD = "Attributes of identity replaced; pixel data not examined"
_ISSUER = "MONAI_ETHICS"


class IdentityCase(StrEnum):
    """The three identity cases of a marked object."""

    GENERATED_SUBJECT = "generated subject"
    PATIENT_DERIVED = "patient-derived"
    ANALYSIS = "analysis"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Who does not exist: one id and one set of UIDs for all files of a generated subject's series.

    Args:
        patient_id: begins with ``SYN-``.
        study: Study Instance UID.
        series: Series Instance UID.
        frame_of_reference: Frame of Reference UID.

    Raises:
        InputError: if the id does not begin with ``SYN-`` or is longer than 64 characters.
    """

    patient_id: str = field(default_factory=lambda: PREFIX + secrets.token_hex(8).upper())
    study: str = field(default_factory=generate_uid)
    series: str = field(default_factory=generate_uid)
    frame_of_reference: str = field(default_factory=generate_uid)

    def __post_init__(self) -> None:
        if not re.fullmatch(PREFIX + r"[A-Za-z0-9._-]{1,60}", self.patient_id):
            raise InputError(
                f"A generated subject's id must be '{PREFIX}' and up to 60 letters, digits, '.', '_' or '-': got "
                "another form. Leave it out to have one made."
            )


@dataclass(frozen=True, kw_only=True)
class SourceImage:
    """An image that a synthetic one was made from.

    Args:
        sop_class: SOP Class UID.
        sop_instance: SOP Instance UID; it identifies the image to whoever holds it, so outside clinical use give that
            of the de-identified copy.
    """

    sop_class: str
    sop_instance: str

    def __post_init__(self) -> None:
        if not (UID(self.sop_class).is_valid and UID(self.sop_instance).is_valid):
            raise InputError("A source image must have a SOP Class UID and a SOP Instance UID: got another form.")

    @classmethod
    def of(cls, dataset: Any) -> SourceImage:
        """The source that a dataset is."""
        return cls(sop_class=str(dataset.SOPClassUID), sop_instance=str(dataset.SOPInstanceUID))


# What may come from the file of a patient and stays: numbers and codes of how an image is stored and was acquired.
_GROUPS = {0x0002, 0x0008, 0x0018, 0x0020, 0x0028, 0x0048, 0x0052, 0x0054, 0x0062, 0x5200, 0x7FE0}
_NUMBERS = {"CS", "DS", "IS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"}
_BYTES = {"OB", "OW", "OF", "OD", "OL", "OV"}
_TIMES = {"DA": "%Y%m%d", "TM": "%H%M%S", "DT": "%Y%m%d%H%M%S+0000"}
_TEXTS = {
    "CodeMeaning",
    "CodeValue",
    "CodingSchemeDesignator",
    "CodingSchemeVersion",
    "ConvolutionKernel",
    "Manufacturer",
    "ManufacturerModelName",
    "RescaleType",
    "SegmentAlgorithmName",
    "SegmentLabel",
    "SequenceName",
    "SoftwareVersions",
}
_SEQUENCES = {
    "AnatomicRegionSequence",
    "DimensionIndexSequence",
    "DimensionOrganizationSequence",
    "PerFrameFunctionalGroupsSequence",
    "SegmentSequence",
    "SharedFunctionalGroupsSequence",
}
_META = {"FileMetaInformationGroupLength", "FileMetaInformationVersion", "MediaStorageSOPClassUID", "TransferSyntaxUID"}
_LINKS = re.compile("Referenced|Source|Derivation|Request|Original|Icon|Procedure|Patient|Issuer|Institution|Person")
_WELL_KNOWN = "1.2.840.10008."


def replace_identity(dataset: Dataset, subject: Subject, *, at: datetime, method: str) -> None:
    """Put a subject that does not exist in the place of everything that may tell of a person, in place.

    What stays is listed: numbers and codes of the image and its acquisition, and a few technical texts. All else goes:
    the patient, trial, visit, procedure and private groups, overlays, free texts, references. Names become empty,
    dates become the time of writing, UIDs become others, the same for the same.

    Args:
        dataset: of any image object.
        subject: in whose name it is afterwards.
        at: time of writing.
        method: how the identity was removed, for De-identification Method.
    """
    known = {
        "StudyInstanceUID": subject.study,
        "SeriesInstanceUID": subject.series,
        "FrameOfReferenceUID": subject.frame_of_reference,
    }
    uids = {str(dataset[name].value): uid for name, uid in known.items() if dataset.get(name)}
    _scrub(dataset, at=at, uids=uids, top=True)
    for name, uid in known.items():
        if name != "FrameOfReferenceUID" or name in dataset or "ImagePositionPatient" in dataset:
            setattr(dataset, name, uid)
    if "FrameOfReferenceUID" in dataset:
        dataset.PositionReferenceIndicator = ""
    dataset.SOPInstanceUID = uids.get(str(dataset.get("SOPInstanceUID")), generate_uid())
    _scrub_file(dataset)
    dataset.PatientID = subject.patient_id
    dataset.IssuerOfPatientID = _ISSUER
    dataset.PatientName = "SYNTHETIC^"
    for name in ("PatientBirthDate", "PatientSex", "AccessionNumber", "ReferringPhysicianName"):
        setattr(dataset, name, "")
    dataset.StudyID = "1"
    dataset.StudyDate, dataset.StudyTime = at.strftime(_TIMES["DA"]), at.strftime(_TIMES["TM"])
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = method


def _scrub_file(dataset: Dataset) -> None:
    """The preamble, and who sent or wrote the file."""
    if getattr(dataset, "preamble", None):
        dataset.preamble = b"\0" * 128
    meta = getattr(dataset, "file_meta", None)
    if meta is None:
        return
    for element in list(meta):
        if element.keyword not in _META:
            del meta[element.tag]
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID


def _scrub(dataset: Dataset, *, at: datetime, uids: dict[str, str], top: bool) -> None:
    for element in list(dataset):
        tag, keyword = element.tag, element.keyword
        value_type = str(element.VR).split(" or ")[0]  # "OB or OW", "US or SS" until it is written
        if tag.is_private or tag.group not in _GROUPS:
            del dataset[tag]
        elif value_type == "SQ":
            keep = keyword in _SEQUENCES if top else not _LINKS.search(keyword)
            if not keep:
                del dataset[tag]
                continue
            for item in element.value:
                _scrub(item, at=at, uids=uids, top=False)
        elif value_type == "UI":
            element.value = _other(element.value, uids)
        elif value_type in _TIMES:
            element.value = at.strftime(_TIMES[value_type]) if element.value else ""
        elif value_type == "PN":
            element.value = ""
        elif not (value_type in _NUMBERS or keyword in _TEXTS or _is_pixels(tag.group, value_type)):
            del dataset[tag]


def _is_pixels(group: int, value_type: str) -> bool:
    """Bytes that belong to the image: its pixels and its look-up tables."""
    return value_type in _BYTES and group in (0x7FE0, 0x0028, 0x0048)


def _other(value: Any, uids: dict[str, str]) -> Any:
    """Another UID for one that names something of a patient; those of the standard stay."""
    if not value or isinstance(value, (list, tuple)) or hasattr(value, "insert"):
        return [_other(item, uids) for item in value] if value else value
    text = str(value)
    return text if text.startswith(_WELL_KNOWN) else uids.setdefault(text, generate_uid())


def source_items(sources: Sequence[SourceImage], purpose: Dataset) -> Items:
    """Items of a Source Image Sequence."""
    items = []
    for source in sources:
        item = Dataset()
        item.ReferencedSOPClassUID = source.sop_class
        item.ReferencedSOPInstanceUID = source.sop_instance
        item.PurposeOfReferenceCodeSequence = [purpose]
        items.append(item)
    return Items(items)
