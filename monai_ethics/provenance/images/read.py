# SPDX-License-Identifier: Apache-2.0
"""An image as its file holds it, whatever the format: what digests and marks are computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from monai_ethics._optional import need
from monai_ethics.errors import InputError

__all__ = ["Image", "Marks", "read_image"]

_PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
}
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
    """

    synthetic: str | None = None
    record: str | None = None
    voxel_v1: str | None = None
    derived: bool = False
    statement: str | None = None
    contradiction: str = ""

    def names(self, record: str) -> bool:
        """Whether the mark names this record: by its whole id, or by the beginning that a short field had room for."""
        return len(self.record or "") >= _SHORTEST and record.startswith(str(self.record))


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
    """Read a NIfTI, DICOM, NumPy or picture file.

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


def _reader(path: Path) -> Any:
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz", ".hdr", ".img", ".img.gz")):
        from monai_ethics.provenance.images.nifti import read_nifti

        return read_nifti
    with path.open("rb") as file:
        start = file.read(132)
    if start[128:132] == b"DICM" or name.endswith((".dcm", ".dicom")):
        from monai_ethics.provenance.images.dicom import read_dicom

        return read_dicom
    if start[:6] == b"\x93NUMPY":
        return _read_numpy
    if path.suffix.lower() in _PICTURES:
        return _read_picture
    raise InputError("Expected a NIfTI, DICOM, NumPy or picture file: got another format. Convert it, or leave it out.")


def _read_numpy(path: Path) -> Image:
    array = np.load(path, allow_pickle=False)
    axes = {2: "yx", 3: "xyz", 4: "xyzt", 5: "xyztc"}.get(array.ndim)
    if axes is None:
        raise InputError(f"Expected a NumPy array of 2 to 5 axes: got {array.ndim}. Store one image a file.")
    return Image(array=array, axes=axes, affine=None, media_type="application/x-npy")


def _read_picture(path: Path) -> Image:
    pil = need("PIL.Image", extra="report")
    with pil.open(path) as picture:
        array = np.asarray(picture.convert("RGB") if picture.mode == "P" else picture)
    axes = "yx" if array.ndim == 2 else "yxc"
    return Image(array=array, axes=axes, affine=None, media_type=_PICTURES[path.suffix.lower()])
