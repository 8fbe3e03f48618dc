# SPDX-License-Identifier: Apache-2.0
"""Check `provenance.generation_record`: is it recorded of every synthetic item how it was generated?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from monai_ethics.evidence import Source, Stage
from monai_ethics.provenance.records.field_coverage import FieldCoverage

__all__ = ["GENERATION_FIELDS", "GenerationRecord"]

GENERATION_FIELDS = ("generator", "version", "conditioning", "seed", "sampler", "training_set")


@dataclass(frozen=True, kw_only=True)
class GenerationRecord(FieldCoverage):
    """Of how many synthetic items generator, version, conditioning, seed, sampler and training set stand.

    Args:
        listed: most items without a field that the finding lists.

    Notes:
        `version` may be the digest of the weights; `conditioning` may say ``"none"``; `training_set` is its root or
        a parent record of the training. What is not recorded is missing, whatever could be guessed from the files.

    References:
        Requirement TRU-11, transparency of generation; MIS-04.
    """

    id: ClassVar[str] = "provenance.generation_record"
    title: ClassVar[str] = "Is it recorded how every synthetic item was generated?"
    stage: ClassVar[Stage] = Stage.DEPLOYMENT
    requirements: ClassVar[tuple[str, ...]] = ("TRU-11", "MIS-04")
    fields: ClassVar[tuple[str, ...]] = GENERATION_FIELDS
    things: ClassVar[str] = "synthetic items"
    source: ClassVar[Source] = Source(
        title="Building Trust in Synthetic Data for Clinical AI, arXiv 2502.02076", locator="TRU-11"
    )
