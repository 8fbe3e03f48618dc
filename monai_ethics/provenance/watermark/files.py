# SPDX-License-Identifier: Apache-2.0
"""Watermarking files: only of images that a registry or their own mark says are synthetic, into new files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.listing import digests_of, image_files
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.registry.known import load_known
from monai_ethics.provenance.registry.stamp import stamp_files
from monai_ethics.provenance.synthetic_guard import classify
from monai_ethics.provenance.watermark.detect import Detection, detect
from monai_ethics.provenance.watermark.embed import MOST, Watermarked, embed

__all__ = ["WatermarkedFile", "detect_in_files", "watermark_files"]

SYNTHETIC = ("synthetic-declared", "synthetic-by-digest")
FORMATS = (".nii", ".nii.gz", ".npy")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkedFile:
    """One new file.

    Args:
        record: id of its record.
        amplitude: of the pattern, in units of the image.
        noise: of the image, in its units.
    """

    record: str
    amplitude: float
    noise: float


def watermark_files(
    paths: Sequence[Path],
    out: Path,
    log: EvidenceLog,
    *,
    key: bytes,
    strength: float = MOST,
    site: Path | None = None,
    device: str = "cpu",
) -> list[WatermarkedFile]:
    """Write watermarked copies of synthetic images, register them and mark them.

    All images are read and changed before anything is written.

    Args:
        paths: NIfTI or NumPy files, or folders of them, each of one channel.
        out: new folder for the copies, which keep their names.
        log: open evidence that registers the copies as made from the originals.
        key: see `pattern`.
        strength: amplitude over the noise of each image.
        site: a site log that registers further images.
        device: where to compute.

    Raises:
        InputError: if an image is not known to be synthetic, cannot carry a pattern, or a copy exists; it is named by
            its position.
        GateError: if a registry was altered.
    """
    files = image_files(paths)
    if len({path.name for path in files}) != len(files):
        raise InputError("Expected files of different names: got two of one name. Watermark their folders one by one.")
    known = load_known([log.folder, *([site] if site else [])])
    made = []
    for position, (path, digests) in enumerate(zip(files, digests_of(files), strict=True), start=1):
        kind, _, record = classify(digests, known.synthetic, known.real)
        if kind not in SYNTHETIC or digests.marks.synthetic == "partial":
            raise InputError(
                f"Image {position} must be known to be synthetic, by mark or registry: got {kind}. Stamp it first."
            )
        try:
            stored = _read(path)
            made.append(
                (path, stored, embed(stored[0], key, synthetic="yes", strength=strength, device=device), record)
            )
        except InputError as error:
            raise InputError(f"Image {position}: {error}") from error
    out.mkdir(parents=True, exist_ok=True)
    if any((out / path.name).exists() for path in files):
        raise InputError("Expected a folder without these files: got one that has some. Choose another `--out`.")
    return [_written(out / path.name, stored[1], found, parent, log=log) for path, stored, found, parent in made]


def _written(target: Path, like: Any, found: Watermarked, parent: str | None, *, log: EvidenceLog) -> WatermarkedFile:
    if like is None:
        np.save(target, found.image)
    else:
        nib.save(type(like)(found.image, like.affine, _header(like, found.image)), target)
    template: dict[str, Any] = {"type": "transform", "activity": {"watermark": found.record}}
    if parent is not None and len(parent) == len("sha256:") + 64:
        template["parents"] = [{"id": parent, "role": "source image"}]
    result = stamp_files([target], log, record=template)
    if result.refused:
        raise InputError("A watermarked image must not be registered as acquired: got one that is. See the evidence.")
    return WatermarkedFile(record=result.items[0].record, amplitude=found.amplitude, noise=found.noise)


def _read(path: Path) -> tuple[np.ndarray, Any]:
    name = path.name.lower()
    if name.endswith(".npy"):
        return np.load(path, allow_pickle=False), None
    if not name.endswith(FORMATS):
        raise InputError(f"Files to watermark must be {', '.join(FORMATS)}: got another format. Convert it.")
    stored: Any = nib.load(path)
    array = np.asanyarray(stored.dataobj)
    while array.ndim > 2 and array.shape[-1] == 1:
        array = array[..., 0]
    return (array if np.issubdtype(array.dtype, np.integer) else array.astype(np.float32)), stored


def _header(stored: Any, image: np.ndarray) -> Any:
    header = stored.header.copy()
    header.extensions.clear()  # the mark in them is of the original's values
    header.set_data_dtype(image.dtype)
    header.set_slope_inter(1, 0)
    return header


def detect_in_files(paths: Sequence[Path], *, key: bytes, device: str = "cpu") -> list[Detection]:
    """Look for the pattern in each file, in the order of the list.

    Raises:
        InputError: if an image cannot be read or is too small; it is named by its position.
    """
    found = []
    for position, path in enumerate(image_files(paths), start=1):
        try:
            found.append(detect(_read(path)[0], key, device=device))
        except InputError as error:
            raise InputError(f"Image {position}: {error}") from error
    return found
