# SPDX-License-Identifier: Apache-2.0
"""How near real brains are to each other by the robust hash, which flags what is near and refuses nothing."""

import itertools

import nibabel as nib
import numpy as np
import pytest

from monai_ethics.provenance.images.robust import NEAR, distance, robust_v1

pytestmark = pytest.mark.real
CONTRASTS = ("T1", "T1POST", "T2", "FLAIR")
PATIENTS = ("07", "19")
HEIGHTS = range(50, 131, 8)


@pytest.fixture(scope="module")
def images(open_ms):
    """Registered volumes of two patients in four contrasts, with their affines."""
    found = {}
    for patient, contrast in itertools.product(PATIENTS, CONTRASTS):
        image = nib.load(open_ms / f"patient{patient}" / f"{contrast}.nii.gz")
        found[patient, contrast] = (np.asanyarray(image.dataobj), image.affine)
    return found


def told(name, pairs):
    pairs = np.array(pairs)
    below = ", ".join(f"<= {most:.2f}: {np.sum(pairs <= most)}" for most in (0.05, NEAR, 0.15, 0.20))
    print(f"{name}: n {len(pairs)} pairs, min {pairs.min():.3f}, median {np.median(pairs):.3f}, flagged at {below}")
    return pairs


def test_distances_between_real_brains_and_between_contrasts_of_one(images):
    hashes = {key: robust_v1(array, axes="xyz", affine=affine) for key, (array, affine) in images.items()}
    same, other = [], []
    for a, b in itertools.combinations(hashes, 2):
        (same if a[0] == b[0] else other).append(distance(hashes[a], hashes[b]))
    print()
    told("volumes, two patients", other)
    told("volumes, other contrast of one patient", same)
    assert min(other) > NEAR
    assert min(same) <= NEAR  # another contrast of a patient looks like a copy: this is why a near copy is for review


def test_distances_between_slices_of_real_brains(images):
    slices = {
        (*key, z): robust_v1(array[:, :, z], axes="xy", affine=None)
        for key, (array, _) in images.items()
        for z in HEIGHTS
    }
    kinds = {"other patient": [], "other contrast, same height": [], "other height, same contrast": []}
    for a, b in itertools.combinations(slices, 2):
        if a[0] != b[0]:
            kinds["other patient"].append(distance(slices[a], slices[b]))
        elif a[2] == b[2]:
            kinds["other contrast, same height"].append(distance(slices[a], slices[b]))
        elif a[1] == b[1]:
            kinds["other height, same contrast"].append(distance(slices[a], slices[b]))
    print()
    found = {kind: told(f"slices, {kind}", pairs) for kind, pairs in kinds.items()}
    assert np.mean(found["other patient"] <= NEAR) <= 0.01
