# SPDX-License-Identifier: Apache-2.0
"""Files that are handed on: recognized by their values among the images of the evidence, never named by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.exports.material import Material, Shared
from monai_ethics.provenance.exports.reduced import Made
from monai_ethics.provenance.images.digest import FileDigests, digest_file
from monai_ethics.provenance.images.listing import digests_of, image_files
from monai_ethics.provenance.marks.sidecar import read_sidecar

__all__ = ["image_of", "shared_files"]

_SUFFIXES = (".nii.gz", ".nii", ".png", ".jpg", ".jpeg", ".dcm", ".npy", ".bmp", ".tif", ".tiff")


def shared_files(paths: Sequence[Path], material: Material) -> tuple[Shared, ...]:
    """What is said of files that are handed on with a data set, by digest.

    Args:
        paths: image files and folders.
        material: the images among which they must be.

    Raises:
        GateError: if one is not registered in the evidence as fully synthetic: it is not handed on as such.
        InputError: if there is no image, or one cannot be read.
    """
    files = image_files(paths)
    known = {one.digests["voxel_v1"]: one for one in material.of_kind("image") if one.digests.get("voxel_v1")}
    found, refused = [], []
    for place, (path, digests) in enumerate(zip(files, digests_of(files), strict=True), start=1):
        image = known.get(digests.voxel_v1 or "")
        if image is None or image.synthetic != "yes":
            refused.append(place)
            continue
        suffix = next((end for end in _SUFFIXES if path.name.lower().endswith(end)), "")
        found.append(Shared(record=image.id, sha256=digests.file_sha256, size=path.stat().st_size, suffix=suffix))
    if refused:
        raise GateError(
            f"Expected files that this evidence registers as fully synthetic: got others at positions {refused}. "
            "Stamp them, or leave them out."
        )
    return tuple(sorted({one.sha256: one for one in found}.values(), key=lambda one: one.sha256))


def image_of(path: Path, material: Material) -> Made:
    """The record of an image file: by its values, or by the sidecar that was written for these values.

    Raises:
        InputError: if the evidence has no such image, or the file cannot be read.
    """
    digests = digest_file(path, slices=False)
    for one in material.of_kind("image"):
        if digests.voxel_v1 is not None and one.digests.get("voxel_v1") == digests.voxel_v1:
            return one
    found = material.by_id.get(_named(path, digests))
    if found is None or found.kind != "image":
        raise InputError(
            "Expected an image that this evidence records as synthetic: got another. Stamp it, or give its evidence."
        )
    return found


def _named(path: Path, digests: FileDigests) -> str:
    sidecar = read_sidecar(path) or {}
    record = sidecar.get("record")
    same = digests.voxel_v1 is not None and sidecar.get("voxel_v1") == digests.voxel_v1
    return str(record.get("id")) if same and isinstance(record, dict) else ""
