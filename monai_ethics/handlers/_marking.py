# SPDX-License-Identifier: Apache-2.0
"""Marks of synthetic images that a run wrote: a sidecar beside each file, and its registration in the evidence."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ethics.errors import EthicsError, InputError
from monai_ethics.provenance.marks.sidecar import sidecar_path, write_least
from monai_ethics.provenance.registry.stamp import stamp_file, stamp_files

if TYPE_CHECKING:
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["is_image", "mark_image", "mark_images"]

IMAGES = (".nii", ".nii.gz", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".dcm", ".mha", ".nrrd")
CONTRARY = "A saved image is registered as an acquired one: the evidence has the finding."


def is_image(path: Path) -> bool:
    """Whether a file is an image by its name and has no sidecar that is as new as itself."""
    if not path.name.lower().endswith(IMAGES):
        return False
    sidecar = sidecar_path(path)
    return not (sidecar.is_file() and sidecar.stat().st_mtime_ns >= path.stat().st_mtime_ns)


def mark_image(
    path: Path, *, log: EvidenceLog | None, stamp: bool, synthetic: str, record: Mapping[str, Any] | None = None
) -> None:
    """Say of one image what is known of it.

    Args:
        path: the written file.
        log: evidence in which it is registered.
        stamp: whether the file itself is marked, which changes its bytes.
        synthetic: ``"yes"``, ``"partial"`` or ``"unknown"``.
        record: further fields of its record.
    """
    if synthetic == "unknown" or not _marked(path, log=log, stamp=stamp, synthetic=synthetic, record=record):
        _write_sidecar(path, synthetic)


def mark_images(paths: Sequence[Path], *, log: EvidenceLog, record: Mapping[str, Any] | None = None) -> int:
    """Register images as synthetic and mark them in sidecars only; returns how many.

    Args:
        paths: files that `is_image` holds of.
        log: evidence in which they are registered.
        record: fields that their records share.
    """
    try:
        refused = set(stamp_files(paths, log, record=record, header=False).refused) if paths else set()
    except InputError:  # one that cannot be read: each on its own
        for path in paths:
            mark_image(path, log=log, stamp=False, synthetic="yes", record=record)
        return len(paths)
    except EthicsError:  # evidence that was altered registers nothing more
        refused = set(range(1, len(paths) + 1))
    if refused:
        rest = [path for place, path in enumerate(paths, start=1) if place not in refused]
        for place in refused:
            _write_sidecar(paths[place - 1], "yes")
        mark_images(rest, log=log, record=record)
    return len(paths)


def _marked(path: Path, *, log: Any, stamp: bool, synthetic: str, record: Mapping[str, Any] | None) -> bool:
    """Register and mark a synthetic file; ``False`` if its format cannot be read."""
    try:
        if log is None:
            return bool(stamp_file(path, record=record, synthetic=synthetic, header=stamp))
        result = stamp_files([path], log, record=record, synthetic=synthetic, header=stamp)
    except EthicsError:
        return False
    if result.refused:
        warnings.warn(CONTRARY, stacklevel=2)
    return not result.refused and bool(result.items[0].marks or result.items[0].already)


def _write_sidecar(path: Path, synthetic: str) -> None:
    """The least that can be said of any file."""
    write_least(path, synthetic)
