# SPDX-License-Identifier: Apache-2.0
"""Groups of real and of synthetic images: who is in which, and which are large enough to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monai_ethics.errors import NotAssessableError
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.methods.labels import why_no_grouping

__all__ = ["ImageGroup", "image_groups", "label_of"]

UNRECORDED = "not recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageGroup:
    """One label of an attribute.

    Args:
        label: the label; ``None`` = not recorded.
        real: rows of held-out images, int64.
        synthetic: rows of synthetic images of which it was requested, int64.
        patients: held-out patients.
        units: synthetic units.
    """

    label: str | None
    real: np.ndarray
    synthetic: np.ndarray
    patients: int
    units: int

    def lacks(self, least: int) -> str | None:
        """Why it is too small to be compared; ``None`` if it is not."""
        if self.patients < least:
            return f"{self.patients} held-out patients, fewer than {least}"
        if self.units < least // 2:
            return f"{self.units} synthetic units, fewer than {least // 2}"
        return None


def image_groups(sets: FeatureSets, attribute: str) -> list[ImageGroup]:
    """Groups in the order of their labels, those not recorded last.

    Args:
        sets: features with attributes of held-out and synthetic images.
        attribute: name of the attribute.

    Raises:
        NotAssessableError: if held-out or synthetic images do not have it, or it names patients.
    """
    columns: dict[str, Sequence[str | None]] = {}
    for role, who in (("holdout", "held-out"), ("synthetic", "synthetic")):
        if attribute not in sets.attributes(role):
            raise NotAssessableError(f"The {who} images have no attribute {attribute}.")
        columns[role] = sets.attributes(role)[attribute]
        if reason := why_no_grouping(attribute, columns[role], sets.units(role)):
            raise NotAssessableError(reason)
    labels = sorted({*columns["holdout"], *columns["synthetic"]}, key=lambda label: (label is None, label or ""))
    patients, units = np.array(sets.units("holdout"), dtype=object), np.array(sets.units("synthetic"), dtype=object)
    found = []
    for label in labels:
        real, made = (
            np.array([i for i, own in enumerate(columns[role]) if own == label], dtype=np.int64)
            for role in ("holdout", "synthetic")
        )
        found.append(
            ImageGroup(
                label=label,
                real=real,
                synthetic=made,
                patients=len(set(patients[real])),
                units=len(set(units[made])),
            )
        )
    return found


def label_of(group: ImageGroup) -> str:
    """The label in words."""
    return UNRECORDED if group.label is None else group.label
