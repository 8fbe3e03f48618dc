# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_ethics.cohort import Lesions, load_lesion_bank
from monai_ethics.cohort.lesions import likely_height
from monai_ethics.errors import InputError


@pytest.fixture
def mask_file(tmp_path):
    """A ball of 20 mm radius around MNI (30, -20, 25), in a left-to-right flipped grid of 3 mm."""
    affine = np.diag([-3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = (90, -126, -72)
    index = np.stack(np.meshgrid(*[np.arange(k) for k in (61, 73, 61)], indexing="ij"), -1)
    world = index @ affine[:3, :3].T + affine[:3, 3]
    mask = (np.linalg.norm(world - (30, -20, 25), axis=-1) < 20).astype(np.uint8)
    nib.save(nib.Nifti1Image(mask, affine), tmp_path / "mask.nii.gz")
    return tmp_path / "mask.nii.gz"


def test_a_mask_from_the_bank_lands_where_it_was_drawn(small_cohort, mask_file):
    bank = load_lesion_bank([mask_file], mm=4.0)
    assert bank.shape == (1, 60, 60, 60)
    cohort = small_cohort(n=6, lesions=Lesions(prevalence=1.0, bank=bank))
    centers = []
    for subject in cohort:
        pixels = np.argwhere(subject.label[0])
        centers.append((np.c_[pixels, np.zeros(len(pixels)), np.ones(len(pixels))] @ subject.affine.T)[:, :3].mean(0))
    assert np.mean(centers, axis=0) == pytest.approx((30, -20, 25), abs=12)


def test_slices_are_drawn_where_the_lesion_is(mask_file):
    bank = load_lesion_bank([mask_file], mm=4.0)
    heights = [likely_height(bank[0], (0.0, 40.0), np.random.default_rng(i)) for i in range(40)]
    assert min(heights) >= 1
    assert 20 < np.mean(heights) < 30


def test_a_range_without_lesion_gives_a_uniform_height():
    assert 0 <= likely_height(torch.zeros(8, 8, 8), (0.0, 10.0), np.random.default_rng(0)) <= 10


def test_the_bank_share_mixes_shapes_and_blobs(small_cohort, mask_file):
    bank = load_lesion_bank([mask_file], mm=4.0)
    blobs = small_cohort(n=8, lesions=Lesions(prevalence=1.0))
    none = small_cohort(n=8, lesions=Lesions(prevalence=1.0, bank=bank, bank_share=0.0))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(blobs, none, strict=True))


def test_larger_loads_are_picked_more_often():
    bank = torch.zeros(2, 4, 4, 4)
    bank[0, 0, 0, 0] = 1
    bank[1, :2, :2, :4] = 1
    lesions = Lesions(bank=bank)
    assert [bool(lesions.from_bank(u)[1, 1, 1]) for u in (0.1, 0.3, 0.9)] == [False, True, True]


def test_unusable_lesions_are_refused():
    with pytest.raises(InputError, match="at least one mask"):
        load_lesion_bank([])
    with pytest.raises(InputError, match="lie in"):
        Lesions(prevalence=1.2)
    with pytest.raises(InputError, match="shape"):
        Lesions(bank=torch.zeros(2, 2))
    with pytest.raises(InputError, match="needs a bank"):
        Lesions().from_bank(0.5)
