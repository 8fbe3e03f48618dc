# SPDX-License-Identifier: Apache-2.0
"""Size of the reference as case mix: large structures are easier, and groups may differ in theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

__all__ = ["NO_REFERENCE", "ROI_BAND", "ROI_SIZE", "size_bands"]

ROI_SIZE, ROI_BAND = "roi_size", "roi_size_band"
NO_REFERENCE = "no reference"
FEWEST_PATIENTS = 30


def size_bands(sizes: Sequence[int | None], patients: Sequence[str]) -> Mapping[str, tuple[str | None, ...]]:
    """Size of each case's reference as text, and its third.

    Args:
        sizes: voxels of the reference of each case, over all its foreground classes; ``None`` if not known.
        patients: patient of each case.

    Returns:
        `ROI_SIZE` and `ROI_BAND` to the label of each case; empty with fewer than 30 patients with a reference. Bands
        are thirds of the cases with a reference, their edges printed in voxels; a case without one is in none of them.
    """
    held = [size for size in sizes if size]
    if len({patient for patient, size in zip(patients, sizes, strict=True) if size}) < FEWEST_PATIENTS:
        return {}
    inner = sorted({int(float(f"{edge:.3g}")) for edge in np.quantile(held, (1 / 3, 2 / 3))} - {0})
    names = [_name(low, high) for low, high in pairwise([0, *inner, None])]
    bands = tuple(
        None if size is None else NO_REFERENCE if size == 0 else names[int(np.searchsorted(inner, size, side="right"))]
        for size in sizes
    )
    return {ROI_SIZE: tuple(None if size is None else str(size) for size in sizes), ROI_BAND: bands}


def _name(low: int | None, high: int | None) -> str:
    return f"[{low}, inf) voxels" if high is None else f"{'(' if low == 0 else '['}{low}, {high}) voxels"
