# SPDX-License-Identifier: Apache-2.0
"""An image as its file holds it, whatever the format: what digests and marks are computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from monai_ethics._optional import need
from monai_ethics.errors import InputError, SchemaError
from monai_ethics.provenance.log.tree.canonical import strict_loads
from monai_ethics.provenance.marks.taint import carries_synthetic

__all__ = ["MARK_SCHEMA", "Image", "Marks", "is_dicom", "parse_mark", "read_image"]

_PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}
_VOLUMES = {".nrrd": "read_nrrd", ".mha": "read_metaimage", ".mgh": "read_mgh", ".mgz": "read_mgh"}
MARK_SCHEMA = "monai_ethics.mark/1"
_SHORTEST = len("sha256:") + 16  # what the shortest of all fields has room for


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What a file says of itself.

    Args:
        synthetic: ``"yes"``, ``"no"``, ``"partial"``, or ``None`` if it says nothing: absent never becomes no.
        record: id, or the beginning of the id, of the record that it names.
        voxel_v1: digest that the mark was made for, or ``None``.
        derived: whether it says that it was derived from other images.
        statement: JSON of the signed statement that is embedded in it, unchecked; or ``None``.
        contradiction: how its marks contradict each other, in words; empty where they do not.
        layers: what each place in the file that can carry a mark says, by the name of the place.
    """

    synthetic: str | None = None
    record: str | None = None
    voxel_v1: str | None = None
    derived: bool = False
    statement: str | None = None
    contradiction: str = ""
    layers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def from_layers(cls, layers: Mapping[str, Mapping[str, str]]) -> Marks:
        """What several places say together: synthetic if one of them says so, whatever another says.

        Args:
            layers: `synthetic`, `record` and `voxel_v1` of each place, the fullest first; what it does not say is
                absent.
        """
        said = [layer["synthetic"] for layer in layers.values() if "synthetic" in layer]
        records = [layer["record"] for layer in layers.values() if "record" in layer]
        tainted = [state for state in said if carries_synthetic(state)]
        contradiction = ""
        if tainted and "no" in said:
            contradiction = "says in one place that it is synthetic, and in another that it is not"
        elif any(not records[0].startswith(record) for record in records):
            contradiction = "names one record in one place and another in another"
        return cls(
            synthetic=next(iter(tainted or said), None),
            record=records[0] if records else None,
            voxel_v1=next((layer["voxel_v1"] for layer in layers.values() if "voxel_v1" in layer), None),
            contradiction=contradiction,
            layers=layers,
        )

    def names(self, record: str) -> bool:
        """Whether the mark names this record: by its whole id, or by the beginning that a short field had room for."""
        return len(self.record or "") >= _SHORTEST and record.startswith(str(self.record))


def parse_mark(data: bytes) -> dict[str, str] | None:
    """What a mark of ours says, `synthetic`, `record` and `voxel_v1`; ``None`` if the bytes are no such mark."""
    try:
        mark = strict_loads(data)
    except SchemaError:
        return None
    if not isinstance(mark, dict) or mark.get("schema") != MARK_SCHEMA:
        return None
    found = {name: mark.get(name) for name in ("synthetic", "record", "voxel_v1")}
    if found["synthetic"] not in ("yes", "no", "partial"):
        del found["synthetic"]
    return {name: value for name, value in found.items() if isinstance(value, str)}


@dataclass(frozen=True, kw_only=True)
class Image:
    """Values and geometry as stored, after slope and intercept.

    Args:
        array: values, shape as `axes` says.
        axes: role of each axis, out of ``x y z t c``.
        affine: voxel index to RAS+ millimeters, shape ``(4, 4)``, or ``None``.
        media_type: of the file.
        marks: what the file says of itself.
        attributes: what `attrs_v1` covers.
    """

    array: np.ndarray
    axes: str
    affine: np.ndarray | None
    media_type: str
    marks: Marks = field(default_factory=Marks)
    attributes: Mapping[str, Any] = field(default_factory=dict)


def read_image(path: Path) -> Image:
    """Read a NIfTI, DICOM, NRRD, MetaImage, MGH, NumPy or picture file.

    Raises:
        InputError: if the file cannot be read as one of those; its name is not in the message.
    """
    try:
        image: Image = _reader(path)(path)
        return image
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError("Expected an image file: got a path where there is none. Check the path.") from error
    except IsADirectoryError as error:
        raise InputError("Expected an image file: got a folder. Give the files in it.") from error
    except MemoryError:
        raise
    except ImportError:
        raise
    except Exception as error:  # the readers of damaged files raise whatever their parsers stumble over
        raise InputError(
            f"Expected a readable image: got a truncated or damaged file ({type(error).__name__}). Restore it."
        ) from error


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do, whatever its name."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _reader(path: Path) -> Any:
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz", ".hdr", ".img", ".img.gz")):
        from monai_ethics.provenance.images.nifti import read_nifti

        return read_nifti
    if name.endswith(tuple(_VOLUMES)):
        from monai_ethics.provenance.images import volumes

        return getattr(volumes, _VOLUMES[path.suffix.lower()])
    with path.open("rb") as file:
        start = file.read(6)
    if name.endswith((".dcm", ".dicom")) or is_dicom(path):
        from monai_ethics.provenance.images.dicom import read_dicom

        return read_dicom
    if start[:6] == b"\x93NUMPY":
        return _read_numpy
    if path.suffix.lower() in _PICTURES:
        return _read_picture
    raise InputError(
        "Expected a NIfTI, DICOM, NRRD, MetaImage, MGH, NumPy or picture file: got another format. "
        "Convert it, or leave it out."
    )


def _read_numpy(path: Path) -> Image:
    array = np.array(np.load(path, mmap_mode="r", allow_pickle=False))  # mapped: a header cannot ask for more memory
    axes = {2: "yx", 3: "xyz", 4: "xyzt", 5: "xyztc"}.get(array.ndim)
    if axes is None:
        raise InputError(f"Expected a NumPy array of 2 to 5 axes: got {array.ndim}. Store one image a file.")
    return Image(array=array, axes=axes, affine=None, media_type="application/x-npy")


def _read_picture(path: Path) -> Image:
    pil = need("PIL.Image", extra="report")
    from monai_ethics.provenance.images.picture_marks import picture_marks

    with pil.open(path) as picture:
        array = np.asarray(picture.convert("RGB") if picture.mode == "P" else picture)
    axes = "yx" if array.ndim == 2 else "yxc"
    marks = picture_marks(path.read_bytes())
    return Image(array=array, axes=axes, affine=None, media_type=_PICTURES[path.suffix.lower()], marks=marks)
