# SPDX-License-Identifier: Apache-2.0
"""What the marks of one file say: the mark that is embedded in it, and the subjects of its signed statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monai_ethics.provenance.images.digest import FileDigests
from monai_ethics.provenance.images.read import MARK_SCHEMA
from monai_ethics.provenance.marks.taint import state_of

__all__ = ["SOURCE_TYPES", "mark_of", "source_type", "subjects_of"]


_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# IPTC digital source type, as Art. 50(2) of the EU AI Act asks for a machine-readable mark; no claim of compliance
SOURCE_TYPES = {
    "yes": _IPTC + "trainedAlgorithmicMedia",
    "partial": _IPTC + "compositeWithTrainedAlgorithmicMedia",
}


def source_type(synthetic: str | None) -> str | None:
    """IPTC digital source type of content with a synthetic part; ``None`` for everything else.

    References:
        IPTC NewsCodes, Digital Source Type.
    """
    return SOURCE_TYPES.get(state_of(synthetic))


def mark_of(record: Mapping[str, Any], *, voxel_v1: str | None) -> dict[str, str | None]:
    """The mark that is embedded in a file: less than 1 KB, and nothing that only this record's owner may know.

    Args:
        record: the record with its id.
        voxel_v1: digest of the image that the mark is made for: with other values, the mark tells of a derivation.
    """
    return {
        "schema": MARK_SCHEMA,
        "synthetic": str(record["synthetic"]),
        "record": str(record["id"]),
        "voxel_v1": voxel_v1,
    }


def subjects_of(digests: FileDigests, *, file: bool) -> dict[str, dict[str, str]]:
    """Subjects of a statement about one file: ``image``, for DICOM ``attributes``, and ``file``.

    Args:
        digests: of the marked file, its `attrs_v1` without the patient's identity.
        file: whether to add the digest of the bytes; a statement that lies in the file itself cannot have it.
    """
    image = {"geometry_v1": digests.geometry_v1} | ({"voxel_v1": digests.voxel_v1} if digests.voxel_v1 else {})
    attributes = {name: digest for name, digest in digests.attrs_v1.items() if name != "PatientIdentity"}
    found = {"image": {name: digest for name, digest in image.items() if digest}}
    if attributes and digests.media_type == "application/dicom":
        found["attributes"] = attributes
    if file:
        found["file"] = {"sha256": digests.file_sha256}
    return {name: value for name, value in found.items() if value}
