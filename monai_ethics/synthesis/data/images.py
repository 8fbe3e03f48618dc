# SPDX-License-Identifier: Apache-2.0
"""Images of a folder: which there are, and the values of one at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_ethics._optional import need
from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.dicom import DICOM_ENDINGS, is_dicom, read_slices, series_of

__all__ = ["ENDINGS", "ImageFiles", "find_images", "read_image", "stem"]

PLAIN = (".nii.gz", ".nii", ".png", ".npy")
ENDINGS = (*PLAIN, *DICOM_ENDINGS)


@dataclass(frozen=True, kw_only=True)
class ImageFiles:
    """One image of a folder.

    Args:
        files: its files, in order; several for a DICOM series.
        name: its path in the folder; the folder of a series of its own.
        patient: patient named in the file; ``None`` if none is.
    """

    files: tuple[Path, ...]
    name: str
    patient: str | None = None


def find_images(folder: Path, *, pattern: str = "*") -> list[ImageFiles]:
    """Images of a folder and of those below it, sorted by name.

    Files of one DICOM series in one folder that stand one behind the other are one volume; every other file is an
    image. DICOM files are known by their ending or, without one, by their content.

    Args:
        folder: where they are.
        pattern: which files are images, such as ``"*_image.nii.gz"``.

    Raises:
        InputError: if there is none, or the pattern is not one.
    """
    try:
        if ".." in Path(pattern).parts:
            raise ValueError("a pattern that leaves the folder")
        files = sorted(file for file in folder.rglob(pattern) if _is_image(file))
    except (ValueError, NotImplementedError) as error:
        raise InputError(
            "Expected `--pattern` to be a pattern such as '*_image.nii.gz': got another. Give one."
        ) from error
    if not files:
        raise InputError(
            f"Expected images ({', '.join(ENDINGS)}) in the folder: got none that the pattern names. "
            "Check the folder and `--pattern`."
        )
    plain = [ImageFiles(files=(file,), name=_below(file, folder)) for file in files if not is_dicom(file)]
    by_folder: defaultdict[Path, list[Path]] = defaultdict(list)
    for file in files:
        if is_dicom(file):
            by_folder[file.parent].append(file)
    found = plain + [image for place, members in by_folder.items() for image in _series(place, members, folder)]
    return sorted(found, key=lambda image: (image.files[0].parent, image.name))


def read_image(files: Path | Sequence[Path], *, called: str = "it") -> np.ndarray:
    """Values of one image.

    Args:
        files: a file, or those of a DICOM series in order.
        called: what the image is called in a message, such as its position.

    Returns:
        Shape ``(C, H, W)`` or ``(C, D, H, W)``, float32; intensities as the file gives them, DICOM after its rescale,
        color as three channels. NIfTI volumes are turned to R, A, S; a fourth axis becomes channels.

    Raises:
        InputError: if it cannot be read or is no 2D or 3D image of finite numbers; it is not named.
    """
    paths = (files,) if isinstance(files, Path) else tuple(files)
    try:
        image = _read(paths)
    except (InputError, ImportError):
        raise
    except MemoryError as error:
        raise InputError(f"Expected images that fit into memory: {called} is larger. Replace or remove it.") from error
    except Exception as error:  # readers of damaged files raise what they like
        raise InputError(
            f"Expected an image that can be read: {called} is damaged or of another format. Replace or remove it."
        ) from error
    usable = image.ndim in (3, 4) and image.size > 0 and image.dtype.kind in "fiub"
    with np.errstate(over="ignore"):  # what float32 cannot hold is told below
        values = image.astype(np.float32) if usable else image
    if not usable or not np.isfinite(values).all():
        raise InputError(f"Expected a 2D or 3D image of finite numbers: {called} is none. Replace or remove it.")
    return values


def stem(name: str) -> str:
    """A file's name without the ending of an image."""
    return next((name[: -len(ending)] for ending in ENDINGS if name.lower().endswith(ending)), name)


def _is_image(file: Path) -> bool:
    if file.name.startswith(".") or not file.is_file():
        return False
    return file.name.lower().endswith(PLAIN) or is_dicom(file)


def _below(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def _series(place: Path, members: list[Path], folder: Path) -> Iterable[ImageFiles]:
    grouped = series_of(members)
    alone = len(grouped) == 1 and place != folder
    for patient, files in grouped:
        name = _below(place, folder) if alone and len(files) > 1 else _below(files[0], folder)
        yield ImageFiles(files=files, name=name, patient=patient)


def _read(paths: tuple[Path, ...]) -> np.ndarray:
    file = paths[0]
    name = file.name.lower()
    if name.endswith(".npy"):
        return _first_channel(_without_unit_axes(np.load(file, allow_pickle=False)))
    if name.endswith(".png"):
        return _picture(file)
    if is_dicom(file):
        return read_slices(paths)
    import nibabel as nib

    volume: Any = nib.as_closest_canonical(nib.load(file))  # type: ignore[no-untyped-call]
    values = _without_unit_axes(np.asarray(volume.dataobj))
    return np.moveaxis(values, -1, 0) if values.ndim == 4 else values[None]


def _first_channel(array: np.ndarray) -> np.ndarray:
    """An array of two or three axes gets a channel; one of four has its channels first, as in MONAI."""
    return array if array.ndim == 4 else array[None]


def _picture(file: Path) -> np.ndarray:
    with need("PIL.Image", extra="report").open(file) as image:
        pixels = np.asarray(image.convert("RGB") if image.mode in ("P", "RGBA", "LA", "CMYK") else image)
    if pixels.ndim == 2:
        return pixels[None]
    gray = bool((pixels == pixels[..., :1]).all())
    return pixels[None, ..., 0] if gray else np.moveaxis(pixels, -1, 0)


def _without_unit_axes(array: np.ndarray) -> np.ndarray:
    for axis in reversed(range(array.ndim)):
        if array.ndim > 2 and array.shape[axis] == 1:
            array = array.squeeze(axis)
    return array
