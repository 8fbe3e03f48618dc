# SPDX-License-Identifier: Apache-2.0
"""Digests of the images of a set, by their values."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monai_ethics.synthesis.data.image_set import ImageSet

__all__ = ["image_digests"]


def image_digests(found: ImageSet) -> tuple[str | None, ...] | None:
    """`voxel_v1` of each image, ``None`` for a constant one; ``None`` where there are neither files nor digests."""
    if found.digests is not None or not found.files:
        return found.digests
    return tuple(_digest(files) for files in found.files)


def _digest(files: tuple[Path, ...]) -> str | None:
    """Digest of one image; that of a series is the digest of those of its slices in order."""
    from monai_ethics.provenance.images.digest import digest_file

    each = [digest_file(file, slices=False).voxel_v1 for file in files]
    if len(each) == 1 or not any(each):
        return each[0]
    return hashlib.sha256("\n".join(("series/1", *(digest or "-" for digest in each))).encode()).hexdigest()
