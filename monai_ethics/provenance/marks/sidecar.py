# SPDX-License-Identifier: Apache-2.0
"""Marking files as synthetic, in the file where its format allows it and in a sidecar; reading the sidecar again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_ethics.errors import SchemaError
from monai_ethics.provenance.images.digest import FileDigests, file_sha256
from monai_ethics.provenance.images.read import Marks
from monai_ethics.provenance.log.canonical import canonical, strict_loads
from monai_ethics.provenance.log.storage import write_atomically

__all__ = ["SIDECAR", "SIDECAR_SCHEMA", "sidecar_marks", "sidecar_path", "write_marks"]

SIDECAR = ".prov.json"
SIDECAR_SCHEMA = "monai_ethics.sidecar/1"
# IPTC digital source type, as Art. 50(2) of the EU AI Act asks for a machine-readable mark; no claim of compliance
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def sidecar_path(path: Path) -> Path:
    """``<file>.prov.json`` beside the file."""
    return path.with_name(path.name + SIDECAR)


def write_marks(path: Path, record: Mapping[str, Any], *, voxel_v1: str | None, header: bool = True) -> tuple[str, ...]:
    """Mark a file and write its sidecar, as far as the folder lets itself be written.

    Args:
        path: the file; a NIfTI is replaced atomically, its voxel bytes untouched.
        record: the record with its id.
        voxel_v1: digest of the image.
        header: whether the file itself may be changed; otherwise only the sidecar says it.

    Returns:
        The layers that now carry the mark: of ``"header"`` and ``"sidecar"``; empty where nothing may be written.
    """
    layers = []
    target = path.resolve()
    try:
        if header and path.name.lower().endswith((".nii", ".nii.gz")):
            from monai_ethics.provenance.images.nifti import mark_nifti

            synthetic, identity = str(record["synthetic"]), str(record["id"])
            if mark_nifti(target, synthetic=synthetic, record=identity, voxel_v1=voxel_v1):
                layers.append("header")
    except OSError:
        pass
    sidecar = {
        "schema": SIDECAR_SCHEMA,
        "synthetic": record["synthetic"],
        "digital_source_type": TRAINED,
        "voxel_v1": voxel_v1,
        "sha256": file_sha256(target),
        "marks": [*layers, "sidecar"],
        "record": dict(record),
    }
    try:
        write_atomically(sidecar_path(path), canonical(sidecar) + b"\n")
        layers.append("sidecar")
    except OSError:
        pass
    return tuple(layers)


def sidecar_marks(path: Path, digests: FileDigests) -> Marks:
    """What the sidecar says of a file; the file's own marks come first where it has any.

    A sidecar that belongs to other bytes and other voxels says that the file was derived from what it describes.
    """
    if digests.marks.synthetic is not None:
        return digests.marks
    try:
        data = strict_loads(sidecar_path(path).read_bytes())
    except (OSError, SchemaError):
        return digests.marks
    if not isinstance(data, dict):
        return digests.marks
    said = {True: "yes", "yes": "yes", "partial": "partial"}.get(data.get("synthetic") or "")
    if said is None:
        return digests.marks
    same = data.get("sha256") == digests.file_sha256 or data.get("voxel_v1") == (digests.voxel_v1 or "")
    record = data.get("record")
    identity = record.get("id") if isinstance(record, dict) else None
    return Marks(
        synthetic=said,
        record=identity if isinstance(identity, str) else None,
        voxel_v1=digests.voxel_v1 if same else "of another image",
        derived=digests.marks.derived,
    )
