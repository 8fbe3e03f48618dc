# SPDX-License-Identifier: Apache-2.0
"""One subject: image, lesion mask and attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Subject"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """One subject of a cohort or of a generated set.

    Args:
        subject_id: such as ``"sub-00100007"``: seed and index.
        image: ``(1, *spatial)`` float32, arbitrary units.
        label: ``(1, *spatial)`` uint8, 1 in the lesion.
        affine: ``(4, 4)``, pixel index to MNI millimeters.
        attributes: ``sex, age, age_band, site, vendor, field_t, founder, lesion, lesion_voxels``.
        source: ``"reference"``, or ``"synthetic"`` for the output of a generator; never "real".
        copy_of: the truth about a planted copy: the id of the subject it repeats; a generator would not tell.
    """

    subject_id: str
    image: np.ndarray
    label: np.ndarray
    affine: np.ndarray
    attributes: Mapping[str, str | int | float]
    source: str = "reference"
    copy_of: str | None = None
