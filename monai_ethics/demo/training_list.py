# SPDX-License-Identifier: Apache-2.0
"""A synthetic image loses its mark by being saved again, and is offered to a training list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from monai_ethics.cohort import Subject, write_cohort
from monai_ethics.evidence import Finding
from monai_ethics.provenance.log.writer import EvidenceLog
from monai_ethics.provenance.registry.guard import admit
from monai_ethics.provenance.registry.stamp import stamp_files

__all__ = ["offer_unmarked_copy"]

OFFERED = 12  # reference images among which the synthetic one hides


def offer_unmarked_copy(
    synthetic: Sequence[Path], reference: Sequence[Subject], offered: Path, *, log: EvidenceLog
) -> Finding:
    """Register synthetic files, strip one of its mark, and let the guard look at a list that holds it.

    Args:
        synthetic: files of a generator's images.
        reference: subjects whose images make up the list.
        offered: folder for the files of the list.
        log: open log, to which registrations and the finding are appended.

    Returns:
        The guard's finding: one image refused by its voxels.
    """
    stamp_files(synthetic, log, record={"type": "synthesis", "intended_use": "demonstration only"})
    log.seal()
    write_cohort(reference[:OFFERED], offered)
    unmarked = offered / "scan-0001_image.nii.gz"
    _resave(synthetic[0], unmarked)
    listed = sorted(offered.glob("*_image.nii.gz"))
    finding = admit(listed, log.folder, "deny-list").finding
    log.add_findings([finding])
    return finding


def _resave(source: Path, target: Path) -> None:
    """Save the same voxels under another name with a fresh header, as many tools do: every mark is gone."""
    image = nib.Nifti1Image.from_filename(source)
    voxels = np.asarray(image.dataobj)
    nib.save(nib.Nifti1Image(voxels, image.affine), target)  # type: ignore[no-untyped-call]
