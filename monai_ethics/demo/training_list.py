# SPDX-License-Identifier: Apache-2.0
"""Synthetic images lose their marks, one by being saved again, one by an edit, and are offered to a training list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from monai_ethics.cohort import Subject, write_cohort
from monai_ethics.evidence import Finding
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.registry.guard import admit
from monai_ethics.provenance.registry.stamp import stamp_files

__all__ = ["offer_unmarked_copies"]

OFFERED = 12  # reference images among which the synthetic ones hide
MARGIN = 0.06  # share of each side that the edit cuts off


def offer_unmarked_copies(
    synthetic: Sequence[Path], reference: Sequence[Subject], offered: Path, *, log: EvidenceLog, training: str
) -> Finding:
    """Register synthetic files, strip two of their marks, and let the guard look at a list that holds both.

    Args:
        synthetic: files of a generator's images.
        reference: subjects whose images make up the list.
        offered: folder for the files of the list.
        log: open log, to which registrations and the finding are appended.
        training: id of the record of the generator's training.

    Returns:
        The guard's finding: one image refused by its voxels, one listed for review, since it was edited.
    """
    parents = [{"id": training, "role": "model"}]
    stamp_files(synthetic, log, record={"type": "synthesis", "parents": parents, "intended_use": "demonstration only"})
    log.seal()
    write_cohort(reference[:OFFERED], offered)
    _resave(synthetic[0], offered / "scan-0001_image.nii.gz")
    _edit(synthetic[1], offered / "scan-0002_image.nii.gz")
    listed = sorted(offered.glob("*_image.nii.gz"))
    finding = admit(listed, log.folder, "deny-list").finding
    log.add_findings([finding])
    return finding


def _resave(source: Path, target: Path) -> None:
    """Save the same voxels under another name with a fresh header, as many tools do: every mark is gone."""
    image = nib.Nifti1Image.from_filename(source)
    voxels = np.asarray(image.dataobj)
    nib.save(nib.Nifti1Image(voxels, image.affine), target)  # type: ignore[no-untyped-call]


def _edit(source: Path, target: Path) -> None:
    """Cut a margin off and scale the values, as a careless export does: no digest fits any more."""
    image = nib.Nifti1Image.from_filename(source)
    voxels = np.asarray(image.dataobj)
    inner = tuple(slice(round(MARGIN * size), size - round(MARGIN * size)) for size in voxels.shape[:2])
    nib.save(nib.Nifti1Image(np.round(voxels[inner] * 0.5, 1), image.affine), target)  # type: ignore[no-untyped-call]
