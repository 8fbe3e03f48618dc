# SPDX-License-Identifier: Apache-2.0
"""Digests of image files: bytes, values, slices, geometry and attributes, each answering one question."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.orientation import reorient
from monai_ethics.provenance.images.read import Image, Marks, read_image
from monai_ethics.provenance.images.robust import robust_v1
from monai_ethics.provenance.images.voxels import arrange, slice_digests, slice_v1, voxel_v1
from monai_ethics.provenance.log.tree.canonical import canonical, file_sha256, sha256_hex

__all__ = [
    "ATTRIBUTES",
    "FileDigests",
    "attrs_v1",
    "compare_attrs",
    "digest_file",
    "digest_image",
    "geometry_v1",
    "slice_digests",
    "slice_v1",
    "voxel_v1",
]

ATTRIBUTES = (
    "ContributingEquipmentSequence",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ImageType",
    "Modality",
    "PatientIdentity",
    "PixelSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "SOPClassUID",
    "SliceThickness",
    "SyntheticData",
)
_PATIENT = ("PatientID", "IssuerOfPatientID")


@dataclass(frozen=True, kw_only=True)
class FileDigests:
    """What identifies one image file.

    Args:
        file_sha256: digest of its bytes.
        voxel_v1: digest of its values in one order; ``None`` for a constant image, which has no identity.
        geometry_v1: digest of shape and affine.
        slices: `slice_v1` of its slices, sorted; empty if not asked for.
        shape: stored shape.
        media_type: of the file.
        marks: what the file says of itself.
        attrs_v1: digest by attribute.
        robust_v1: bits that an edit changes little; ``None`` if there are none, or they were not asked for.
    """

    file_sha256: str
    voxel_v1: str | None
    geometry_v1: str
    slices: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    media_type: str = ""
    marks: Marks = field(default_factory=Marks)
    attrs_v1: Mapping[str, str] = field(default_factory=dict)
    robust_v1: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The digests as JSON, without the marks."""
        return {
            "file_sha256": self.file_sha256,
            "voxel_v1": self.voxel_v1,
            "geometry_v1": self.geometry_v1,
            "slices": list(self.slices),
            "shape": list(self.shape),
            "media_type": self.media_type,
            "attrs_v1": dict(self.attrs_v1),
            **({"robust_v1": self.robust_v1} if self.robust_v1 is not None else {}),
        }


def digest_file(path: Path, *, slices: bool = True, key: bytes | None = None, robust: bool = False) -> FileDigests:
    """Digests of a file as it is on the disk now, not of a tensor that was read from it.

    Args:
        path: NIfTI, DICOM, NumPy or picture file.
        slices: whether to compute slice digests, which cost about three times the rest.
        key: secret for the patient's identity in `attrs_v1`; without one it is left out.
        robust: whether to compute `robust_v1`.

    Raises:
        InputError: if the file cannot be read; the message does not name it.
    """
    path = Path(path)
    return digest_image(read_image(path), file_digest=file_sha256(path), slices=slices, key=key, robust=robust)


def digest_image(
    image: Image, *, file_digest: str, slices: bool = True, key: bytes | None = None, robust: bool = False
) -> FileDigests:
    """Digests of an image that was read; see `digest_file`."""
    array, affine, axes = image.array, image.affine, image.axes
    attributes = {name: value for name, value in image.attributes.items() if key is not None or name not in _PATIENT}
    shown = arrange(array, affine=None, axes=axes)
    return FileDigests(
        file_sha256=file_digest,
        voxel_v1=voxel_v1(array, affine=affine, axes=axes),
        geometry_v1=geometry_v1(shown.shape, affine),
        slices=slice_digests(array, affine=affine, axes=axes) if slices else (),
        shape=tuple(int(size) for size in array.shape),
        media_type=image.media_type,
        marks=image.marks,
        attrs_v1=attrs_v1(attributes, key=key),
        robust_v1=robust_v1(array, affine=affine, axes=axes) if robust else None,
    )


def geometry_v1(shape: Sequence[int], affine: np.ndarray | None) -> str:
    r"""Digest of where the voxels are, apart from their values, so that a moved affine is reported as that.

    ``SHA-256("geo/1\n" + shape + "\n" + affine)`` of the image oriented to R, A, S: the affine in single precision,
    in units of 1e-4, rounded.

    Args:
        shape: sizes of the axes in the order x, y, z, t, c.
        affine: voxel index to RAS+ millimeters, shape ``(4, 4)``; ``None`` without geometry.
    """
    sizes = tuple(int(size) for size in shape)
    text = "none"
    if affine is not None:
        sizes = (*sizes, 1, 1, 1)[: max(3, len(sizes))]
        view, oriented = reorient(np.broadcast_to(np.uint8(0), sizes), affine)
        sizes = view.shape
        rounded = np.rint(oriented[:3].astype(np.float32).astype(np.float64) * 1e4).astype(np.int64)
        text = ",".join(str(int(number)) for number in rounded.ravel())
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes = sizes[:-1]
    return sha256_hex(f"geo/1\n{','.join(map(str, sizes))}\n{text}".encode())


def attrs_v1(mapping: Mapping[str, Any], *, key: bytes | None = None) -> dict[str, str]:
    """Digest by attribute, so that a change can be named field by field.

    Args:
        mapping: attributes by DICOM keyword; those that are not covered are left out, absent ones stay absent.
        key: secret for `PatientID` and its issuer, which become one keyed `PatientIdentity`.

    Raises:
        InputError: if a patient's identity is given without a key: a plain digest of it can be guessed.
    """
    result = {name: sha256_hex(canonical(mapping[name])) for name in ATTRIBUTES if mapping.get(name) is not None}
    if any(mapping.get(name) for name in _PATIENT):
        if key is None:
            raise InputError("A patient's identity needs a key to be digested: got none. Give one, or leave it out.")
        identity = canonical([str(mapping.get(name) or "").strip() for name in _PATIENT])
        result["PatientIdentity"] = hmac.new(key, b"attrs/1\x00" + identity, hashlib.sha256).hexdigest()
    return result


def compare_attrs(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """For each attribute of either side: ``"kept"``, ``"changed"``, ``"removed"`` or ``"added"``."""

    def judge(name: str) -> str:
        if name not in after:
            return "removed"
        if name not in before:
            return "added"
        return "kept" if before[name] == after[name] else "changed"

    return {name: judge(name) for name in sorted({*before, *after})}
