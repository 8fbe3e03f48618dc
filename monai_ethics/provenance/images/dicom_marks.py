# SPDX-License-Identifier: Apache-2.0
"""What a DICOM file says of itself: flag, image type, contributing equipment and private block, read together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from monai_ethics.errors import SchemaError
from monai_ethics.provenance.images.read import MARK_SCHEMA, Marks
from monai_ethics.provenance.log.tree.canonical import strict_loads
from monai_ethics.provenance.log.tree.digits import is_record_id
from monai_ethics.provenance.marks.taint import carries_synthetic

__all__ = [
    "CREATOR",
    "GROUP",
    "MARK",
    "STATEMENT",
    "SYNTHESIZING",
    "WORD",
    "marks_of",
    "synthesizing_equipment",
    "text_of",
]

CREATOR = "MONAI_ETHICS 1.0"
GROUP = 0x0067  # odd: private. The standard gives no group to anybody; the creator tells whose block it is
MARK, STATEMENT = 0x01, 0x02  # elements of the block: the mark, and the signed statement, both JSON text (UT)
SYNTHESIZING = "109100"  # DCM, Synthesizing Equipment
WORD = "me1:"  # begins the record's id: a value of Software Versions has 64 characters, so the id is cut to 60
_WORD = re.compile(r"me1:([0-9a-f]{60})")


def marks_of(dataset: Any) -> Marks:
    """Everything that a DICOM dataset says of its own origin.

    The flag comes first; equipment with the purpose "synthesizing" says the same where a profile removed the flag. The
    private block tells a partly synthetic image from a fully synthetic one and holds the whole id of the record.

    Args:
        dataset: a pydicom ``Dataset``, with pixel data or without.
    """
    records, synthesized = _equipment(dataset)
    mark = _mark(_private(dataset, MARK))
    said = mark.get("synthetic")
    flags = {text.strip().upper() for text in _texts(dataset.get("SyntheticData"))}
    flag = "yes" if "YES" in flags else "no" if flags == {"NO"} else None  # a value too many does not hide the first
    record = mark.get("record") or (records[-1] if records else None)
    told = flag or said or ("yes" if synthesized else None)
    contradiction = ""
    if told == "no" and (synthesized or carries_synthetic(said)):
        contradiction = "says that it is not synthetic, but names what synthesized it"
    elif record and records and not any(record.startswith(word) for word in records):
        contradiction = "names one record in its private block and another in its contributing equipment"
    return Marks(
        synthetic="partial" if told == "yes" and said == "partial" else told,
        record=record,
        voxel_v1=mark.get("voxel_v1"),
        derived=_derived(dataset),
        statement=_private(dataset, STATEMENT),
        contradiction=contradiction,
        layers={"private": mark} if mark else {},
    )


def _equipment(dataset: Any) -> tuple[list[str], bool]:
    """Beginnings of the ids of the records that contributing equipment names, and whether any of it synthesizes."""
    records, synthesized = [], False
    for item in _items(dataset, "ContributingEquipmentSequence"):
        for purpose in _items(item, "PurposeOfReferenceCodeSequence"):
            code = str(purpose.get("CodeValue") or ""), str(purpose.get("CodingSchemeDesignator") or "")
            synthesized = synthesized or code == (SYNTHESIZING, "DCM")
        for version in _texts(item.get("SoftwareVersions")):
            found = _WORD.fullmatch(version.strip())
            if found:
                records.append("sha256:" + found[1])
    return records, synthesized


def synthesizing_equipment(dataset: Any) -> list[dict[str, Any]]:
    """What `attrs_v1` covers of the items that synthesize or name a record of ours.

    Other equipment may be added by whatever the file passes, and descriptions and times are removed where a standard
    profile is applied: neither is covered.
    """
    found = []
    for item in _items(dataset, "ContributingEquipmentSequence"):
        purposes = [
            [str(purpose.get("CodeValue") or ""), str(purpose.get("CodingSchemeDesignator") or "")]
            for purpose in _items(item, "PurposeOfReferenceCodeSequence")
        ]
        versions = [version.strip() for version in _texts(item.get("SoftwareVersions"))]
        if [SYNTHESIZING, "DCM"] in purposes or any(map(_WORD.fullmatch, versions)):
            made_by = {name: str(item.get(name) or "") for name in ("Manufacturer", "ManufacturerModelName")}
            found.append({**made_by, "SoftwareVersions": versions, "Purpose": purposes})
    return found


def _derived(dataset: Any) -> bool:
    """Whether the image, or any of its frames, is derived."""
    kinds = [dataset.get("ImageType")]
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in _items(dataset, name):
            for element in group:
                if element.VR == "SQ":
                    kinds += [item.get("FrameType") for item in element.value or ()]
    return any(next(_texts(kind), "").upper() == "DERIVED" for kind in kinds)


def _items(dataset: Any, name: str) -> list[Any]:
    value = dataset.get(name)
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):  # of another type than its tag has
        return []
    return [item for item in value if hasattr(item, "get")]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from value.split("\\")
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        yield from map(str, value)


def _private(dataset: Any, element: int) -> str | None:
    """Text of an element of our block: bytes where the transfer syntax does not tell its type."""
    try:
        value = dataset.private_block(GROUP, CREATOR)[element].value
    except KeyError:
        return None
    return text_of(value)


def text_of(value: Any) -> str | None:
    """Text of a private element; an implicit transfer syntax does not tell its type, so it comes back as bytes."""
    if isinstance(value, (bytes, bytearray)):
        value = bytes(value).decode("utf-8", "replace")
    return value.rstrip(" \0") if isinstance(value, str) else None


def _mark(text: str | None) -> Mapping[str, str]:
    """The mark with what is understood of it; nothing if it is damaged."""
    try:
        mark = strict_loads((text or "").encode())
    except SchemaError:
        return {}
    if not isinstance(mark, dict) or mark.get("schema") != MARK_SCHEMA:
        return {}
    synthetic, record, voxel = mark.get("synthetic"), mark.get("record"), mark.get("voxel_v1")
    found = {
        "synthetic": synthetic if synthetic in ("yes", "no", "partial") else None,
        "record": record if is_record_id(record) else None,
        "voxel_v1": voxel if isinstance(voxel, str) else None,
    }
    return {name: value for name, value in found.items() if value}
