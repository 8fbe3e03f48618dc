# SPDX-License-Identifier: Apache-2.0
"""Looking for text in training, held-out and synthetic images: reading, static marks, masks and headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from monai_ethics.evidence import Finding
from monai_ethics.synthesis.data.dicom import is_dicom
from monai_ethics.synthesis.data.dicom_flags import dicom_flags
from monai_ethics.synthesis.data.feature_sets import ROLES
from monai_ethics.synthesis.data.image_set import ImageSet
from monai_ethics.synthesis.data.images import read_image
from monai_ethics.synthesis.data.text_scan import Box, Flags, StaticMarks, TextHit, TextScan
from monai_ethics.synthesis.methods.static_marks import blank_boxes, static_marks

__all__ = ["Reader", "drawn_only", "scan_text"]

SLICES = 8  # of a volume that are read: a volume counts as so many pictures
LARGEST = 512  # pixels of the longer side at which static marks are looked for

Progress = Callable[[str, int, int], None]


class Reader(Protocol):
    """What reads text, such as `TextReader`."""

    @property
    def name(self) -> str:
        """Name and version."""

    def __call__(self, images: Sequence[np.ndarray], /) -> Sequence[tuple[TextHit, ...]]:
        """Text-like regions of each image of shape ``(H, W)`` or ``(D, H, W)``."""


def scan_text(
    sets: Mapping[str, ImageSet],
    *,
    reader: Reader | None,
    most: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
) -> TextScan:
    """Look for text in the images of three sets.

    Colors are averaged. NIfTI volumes are read as axial slices, seen from the feet. Static marks and masks are looked
    for in images, or in the middle slice of volumes, shrunk by a whole number to at most 512 pixels for the former.

    Args:
        sets: training, held-out and synthetic images of folders, by role.
        reader: what reads; without one, static marks, masks and headers are looked at all the same.
        most: pictures of a set that are looked at, drawn at random; a volume counts as eight.
        seed: of the draw and of the halves of static marks.
        progress: called with a text, the images done and their number.

    Returns:
        What was found; synthetic images are named ``synthetic/<name>``.

    Raises:
        InputError: if an image cannot be read; it is named by its position.
    """
    hits: dict[str, list[tuple[TextHit, ...]]] = {}
    planes: dict[str, list[np.ndarray]] = {"holdout": [], "synthetic": []}
    masks: set[Box] = set()
    rows = {role: _drawn(sets[role], most=most, seed=seed) for role in ROLES}
    for role in ROLES:
        hits[role] = []
        for done, row in enumerate(rows[role]):
            picture = _upright(sets[role], row)
            hits[role].append(tuple(reader([picture])[0]) if reader is not None else ())
            middle = picture if picture.ndim == 2 else picture[len(picture) // 2]
            if role == "train":
                masks.update(blank_boxes(middle))
            else:
                planes[role].append(_shrunk(middle))
            if progress is not None:
                progress(f"text in {role} images", done + 1, len(rows[role]))
    units = {role: [sets[role].patients[row] for row in rows[role]] for role in ROLES}
    return TextScan(
        hits=hits,
        units=units,
        reader=None if reader is None else reader.name,
        masks=sorted(masks),
        marks=_marks(planes, units["holdout"], seed=seed),
        flags={role: found for role in ROLES if (found := _flags(sets[role], rows[role])) is not None},
        items=[f"synthetic/{sets['synthetic'].names[row]}" for row in rows["synthetic"]],
    )


def drawn_only(finding: Finding, sets: Mapping[str, ImageSet], *, most: int, seed: int) -> Finding:
    """The finding with the images that were not looked at in its account, and how the others were drawn.

    Args:
        finding: of `BurnedInText`, on what `scan_text` found.
        sets: as given to `scan_text`.
        most: as given to `scan_text`.
        seed: as given to `scan_text`.
    """
    left = {role: len(sets[role]) - finding.accounting[f"{role}_images"] for role in ROLES}
    told = (
        f"At most {most} pictures of a set were looked at, drawn at random; a text in a training image that was not "
        "drawn reads as an invention.",
    )
    return replace(
        finding,
        accounting={**finding.accounting, **{f"{role}_images_not_drawn": number for role, number in left.items()}},
        parameters={**finding.parameters, "pictures_of_a_set": most, "slices_of_a_volume": SLICES},
        limitations=(*finding.limitations, *(told if any(left.values()) else ())),
        seed=seed,
    )


def _drawn(found: ImageSet, *, most: int, seed: int) -> list[int]:
    """Positions of the images that are looked at, in order."""
    if not found.files:
        return []
    flat = read_image(found.files[0], called="number 1 in sorted order").ndim == 3
    number = most if flat else max(1, most // SLICES)
    return sorted(np.random.default_rng(seed).permutation(len(found))[:number].tolist())


def _upright(found: ImageSet, row: int) -> np.ndarray:
    """One image as a reader sees it, shape ``(H, W)`` or ``(D, H, W)``."""
    files = found.files[row]
    gray: np.ndarray = read_image(files, called=f"number {row + 1} in sorted order").mean(axis=0)
    # axes of NIfTI run to the right, to the front and up; those of a picture down and right, as in DICOM
    return np.flip(gray, (0, 1)).T if files[0].name.lower().endswith((".nii", ".nii.gz")) else gray


def _shrunk(plane: np.ndarray) -> np.ndarray:
    """Means of blocks of a whole number of pixels, so that the longer side has at most `LARGEST`."""
    by = -(-max(plane.shape) // LARGEST)
    height, width = max(1, plane.shape[0] // by), max(1, plane.shape[1] // by)
    if by == 1 or min(plane.shape) < by:
        return plane
    blocks = plane[: height * by, : width * by].reshape(height, by, width, by)
    means: np.ndarray = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


def _marks(planes: Mapping[str, Sequence[np.ndarray]], patients: Sequence[str], *, seed: int) -> StaticMarks | None:
    """Static marks, where there are images and all are of one size."""
    if not all(planes.values()) or len({plane.shape for found in planes.values() for plane in found}) != 1:
        return None
    return static_marks(np.stack(planes["synthetic"]), np.stack(planes["holdout"]), patients, seed=seed)


def _flags(found: ImageSet, rows: Sequence[int]) -> Flags | None:
    """What headers declare, where all images of the set are DICOM."""
    first: list[Path] = [found.files[row][0] for row in rows]
    return dicom_flags(first) if first and all(is_dicom(file) for file in first) else None
