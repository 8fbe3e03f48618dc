# SPDX-License-Identifier: Apache-2.0
"""Check `provenance.data_origin`: is it recorded of every training item where it comes from?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from monai_ethics.evidence import Source, Stage
from monai_ethics.provenance.records.field_coverage import FieldCoverage

__all__ = ["ORIGIN_FIELDS", "DataOrigin"]

ORIGIN_FIELDS = ("source", "license", "consent", "digest", "acquisition", "deidentification")


@dataclass(frozen=True, kw_only=True)
class DataOrigin(FieldCoverage):
    """Of how many training items source, license, basis of consent, digest, acquisition and de-identification stand.

    Args:
        listed: most items without a field that the finding lists.

    Notes:
        A field counts as recorded of an item if its own record has it, or the record of the whole set. `digest` is the
        `voxel_v1` of its values: an image without one (constant, or unreadable) cannot be recognized again.

    References:
        Requirement FMF-01, data provenance for all training data.
    """

    id: ClassVar[str] = "provenance.data_origin"
    title: ClassVar[str] = "Is it recorded where every training item comes from?"
    stage: ClassVar[Stage] = Stage.COLLECTION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-01", "GEN-09")
    fields: ClassVar[tuple[str, ...]] = ORIGIN_FIELDS
    things: ClassVar[str] = "training items"
    source: ClassVar[Source] = Source(
        title="Ethical Framework for Responsible Foundational Models in Medical Imaging", locator="FMF-01"
    )
