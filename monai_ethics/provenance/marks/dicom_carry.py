# SPDX-License-Identifier: Apache-2.0
"""Carrying marks from one DICOM dataset to what was made of it, where a tool in between drops them."""

from __future__ import annotations

import copy

from pydicom import Dataset

from monai_ethics.provenance.images.dicom_marks import CREATOR, GROUP, MARK, STATEMENT, marks_of, text_of

__all__ = ["copy_marks", "derive_type"]

_CARRIED = (
    "SyntheticData",
    "ContributingEquipmentSequence",
    "ConsentForClinicalTrialUseSequence",
    "ClinicalTrialTimePointID",
    "DerivationDescription",
    "SeriesDescription",
    "SourceImageSequence",
    "ConversionType",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "BurnedInAnnotation",
    "RecognizableVisualFeatures",
)


def copy_marks(source: Dataset, target: Dataset) -> None:
    """Carry marks from a dataset to what a tool that drops them made of it, in place.

    What the target says itself stays where the source says nothing; a YES of either stays.
    """
    tainted = "YES" in (str(source.get("SyntheticData")), str(target.get("SyntheticData")))
    for name in _CARRIED:
        if name in source:
            target[name] = copy.deepcopy(source[name])
    if tainted:
        target.SyntheticData = "YES"
    if marks_of(source).derived and "ImageType" in target:
        derive_type(target)
    try:
        block = source.private_block(GROUP, CREATOR)
    except KeyError:
        return
    held = target.private_block(GROUP, CREATOR, create=True)
    for element in (MARK, STATEMENT):
        if element in block:
            held.add_new(element, "UT", text_of(block[element].value))


def derive_type(dataset: Dataset) -> None:
    """Value 1 of Image Type, and of the type of each frame, becomes DERIVED; the other values stay."""
    holders = [dataset] if "ImageType" in dataset or "SharedFunctionalGroupsSequence" not in dataset else []
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in dataset.get(name) or ():
            for element in group:
                if element.VR == "SQ":
                    holders += [item for item in element.value if "FrameType" in item]
    for holder in holders:
        name = "FrameType" if "FrameType" in holder else "ImageType"
        kinds = holder.get(name) or ["", "SECONDARY"]
        kinds = [kinds, "SECONDARY"] if isinstance(kinds, str) else list(kinds)
        setattr(holder, name, ["DERIVED", *kinds[1:]])
