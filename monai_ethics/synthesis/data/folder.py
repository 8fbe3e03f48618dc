# SPDX-License-Identifier: Apache-2.0
"""Images or stored features of one set, read from a folder or an ``.npz`` file."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import error as zlib_error

import nibabel as nib
import numpy as np

from monai_ethics._optional import need
from monai_ethics.errors import InputError
from monai_ethics.synthesis.features.pixels import raw_pixels

__all__ = ["ImageSet", "read_image_set"]

ENDINGS = (".nii.gz", ".nii", ".png", ".npy")
PIXELS = "raw pixels {size}"
FEATURES = "features"


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """One set of images, as features.

    Args:
        features: shape ``(N, d)``, float.
        space: name of the features' space.
        patients: patient of each row.
        names: what the row is called where it comes from: a file's path in its folder, or a position; private.
        files: the file of each row; empty for stored features.
        sites: site of each row; ``None`` if none is given.
    """

    features: np.ndarray
    space: str
    patients: tuple[str, ...]
    names: tuple[str, ...]
    files: tuple[Path, ...] = ()
    sites: tuple[str, ...] | None = None


def read_image_set(path: Path, *, pattern: str = "*", size: int = 16) -> ImageSet:
    """Read one set.

    A folder holds NIfTI, PNG (``pip install "monai_ethics[report]"``) or npy files, also in folders below it. The
    patient is the ``participant_id`` of its ``participants.tsv`` with which the file's name begins; without that
    table it is the file's name up to the first underscore, or all of it before the ending. A column ``site`` of the
    table gives the site.
    An ``.npz`` file holds ``features`` of shape ``(N, d)``, ``patient`` of length ``N`` (each row its own patient if
    it is missing) and possibly ``groups``, the site of each row.

    Args:
        path: folder or ``.npz`` file.
        pattern: which files of a folder are images, such as ``"*_image.nii.gz"``.
        size: pixels a side of the features computed from images.

    Raises:
        InputError: if there is no image, or one cannot be read; it is named by its position in sorted order.
    """
    if path.suffix == ".npz" and path.is_file():
        return _read_features(path)
    if not path.is_dir():
        raise InputError("Expected a folder of images or an .npz file of features: got neither. Check the path.")
    try:
        files = sorted(file for file in path.rglob(pattern) if file.is_file() and _is_image(file.name))
    except (ValueError, NotImplementedError) as error:
        raise InputError(
            "Expected `--pattern` to be a pattern such as '*_image.nii.gz': got another. Give one."
        ) from error
    if not files:
        raise InputError(
            f"Expected images ({', '.join(ENDINGS)}) in the folder: got none that the pattern names. "
            "Check the folder and `--pattern`."
        )
    patients, sites = _patients(path, [file.name for file in files])
    images = [_shrunk(file, position, size=size) for position, file in enumerate(files)]
    if len({image.shape for image in images}) > 1:
        raise InputError("Expected images that are all 2D or all 3D: got both. Compare them apart.")
    return ImageSet(
        features=np.concatenate(images),
        space=PIXELS.format(size="x".join([str(size)] * (2 if images[0].shape[1] == size**2 else 3))),
        patients=patients,
        names=tuple(file.relative_to(path).as_posix() for file in files),
        files=tuple(files),
        sites=sites,
    )


def _is_image(name: str) -> bool:
    return name.lower().endswith(ENDINGS) and not name.startswith(".")


def _shrunk(file: Path, position: int, *, size: int) -> np.ndarray:
    try:
        image = _read(file)
    except InputError:
        raise
    except Exception as error:  # readers of damaged files raise what they like
        raise InputError(
            f"Expected an image that can be read: number {position + 1} in sorted order is damaged or of another "
            "format. Replace or remove it."
        ) from error
    try:
        return raw_pixels([image], size=size)
    except InputError as error:
        raise InputError(
            f"Expected a 2D or 3D image of finite numbers: number {position + 1} in sorted order is none. "
            "Replace or remove it."
        ) from error


def _read(file: Path) -> np.ndarray:
    name = file.name.lower()
    if name.endswith(".npy"):
        return _without_unit_axes(np.load(file, allow_pickle=False))
    if name.endswith(".png"):
        with need("PIL.Image", extra="report").open(file) as image:
            pixels = np.asarray(image.convert("RGB") if image.mode in ("P", "RGBA", "LA") else image)
        return pixels.mean(axis=2) if pixels.ndim == 3 else pixels
    volume: Any = nib.as_closest_canonical(nib.load(file))  # type: ignore[no-untyped-call]
    return _without_unit_axes(np.asarray(volume.dataobj))


def _without_unit_axes(array: np.ndarray) -> np.ndarray:
    for axis in reversed(range(array.ndim)):
        if array.ndim > 2 and array.shape[axis] == 1:
            array = array.squeeze(axis)
    return array


def _patients(folder: Path, names: list[str]) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    table = folder / "participants.tsv"
    if not table.is_file():
        return tuple(_stem(name).split("_")[0] for name in names), None
    with table.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, delimiter="\t")
        try:
            rows = list(reader)
        except csv.Error as error:
            raise InputError(
                "Expected participants.tsv with cells below 128 kB: got a longer one. Check it."
            ) from error
        columns = reader.fieldnames or ()
    if "participant_id" not in columns:
        raise InputError("Expected a column `participant_id` in participants.tsv: got none. Name the column so.")
    site = {row["participant_id"]: row.get("site") for row in rows}
    longest_first = sorted(site, key=len, reverse=True)
    found = [next((patient for patient in longest_first if _begins(name, patient)), None) for name in names]
    unknown = sum(patient is None for patient in found)
    if unknown:
        raise InputError(
            f"Expected a row of participants.tsv for each image: got none for {unknown} of {len(names)}. "
            "Begin each file's name with its participant_id."
        )
    patients = tuple(str(patient) for patient in found)
    sites = tuple(site[patient] for patient in patients)
    return patients, tuple(str(value) for value in sites) if all(sites) else None


def _begins(name: str, patient: str) -> bool:
    return bool(patient) and name.startswith(patient) and not name[len(patient) : len(patient) + 1].isalnum()


def _stem(name: str) -> str:
    return next((name[: -len(ending)] for ending in ENDINGS if name.lower().endswith(ending)), name)


def _read_features(path: Path) -> ImageSet:
    try:
        with np.load(path, allow_pickle=False) as stored:
            content = {name: stored[name] for name in ("features", "patient", "groups") if name in stored.files}
    except (ValueError, zipfile.BadZipFile, EOFError, zlib_error) as error:
        raise InputError(
            "Expected an .npz file without pickled objects: got another. Save it with np.savez."
        ) from error
    features = content.get("features")
    if features is None or features.ndim != 2 or not len(features):
        raise InputError("Expected an array `features` of shape (images, features) in the .npz file: got none. Add it.")
    if any(len(np.atleast_1d(content[name])) != len(features) for name in ("patient", "groups") if name in content):
        raise InputError("Expected `patient` and `groups` of the .npz file to have a value for each row: got others.")
    if features.dtype.kind not in "fiub":
        raise InputError("Expected `features` of the .npz file to be real numbers: got another type. Convert them.")
    if features.dtype.kind != "f":
        features = features.astype(np.float64)
    numbered = tuple(f"row {i + 1}" for i in range(len(features)))
    patients = tuple(str(value) for value in content["patient"]) if "patient" in content else numbered
    sites = tuple(str(value) for value in content["groups"]) if "groups" in content else None
    return ImageSet(features=features, space=FEATURES, patients=patients, names=numbered, sites=sites)
