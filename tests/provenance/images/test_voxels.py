# SPDX-License-Identifier: Apache-2.0
import hashlib

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import from_matvec
from nibabel.eulerangles import euler2mat

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.digest import (
    geometry_v1,
    slice_digests,
    slice_v1,
    voxel_v1,
)

RNG = np.random.default_rng(0)
VOLUME = RNG.integers(-500, 3000, size=(12, 10, 8)).astype(np.int16)
AFFINE = from_matvec(np.diag([1.5, 2.0, 2.5]), [-10, 20, 5])
OBLIQUE = from_matvec(euler2mat(0.2, -0.3, 0.4) @ np.diag([1.5, 2.0, 2.5]), [-10, 20, 5])


def save(path, array, affine, *, kind=nib.Nifti1Image, dtype=None):
    nib.save(kind(array, affine, dtype=dtype or array.dtype), path)
    return path


def turned(array, affine, code):
    """The same image stored in other axis directions."""
    image = nib.Nifti1Image(array, affine, dtype=array.dtype)
    start = nib.io_orientation(affine)
    other = image.as_reoriented(nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt(code)))
    return np.asanyarray(other.dataobj), other.affine


# the definition -------------------------------------------------------------------------------------------------------


def test_voxel_v1_is_the_documented_digest():
    array = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.int16)
    expected = hashlib.sha256(b"vox/1\nf4\n2,3\n" + array.astype("<f4").tobytes()).hexdigest()
    assert voxel_v1(array, affine=None, axes="xy") == expected
    assert voxel_v1(array.T, affine=None, axes="yx") == expected


def test_geometry_v1_is_the_documented_digest():
    text = "geo/1\n12,10,8\n15000,0,0,-100000,0,20000,0,200000,0,0,25000,50000"
    assert geometry_v1((12, 10, 8), AFFINE) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("affine", [AFFINE, OBLIQUE], ids=["straight", "oblique"])
@pytest.mark.parametrize("code", ["RAS", "LPS", "PIR", "SRA", "ILA"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64, np.int32, ">i2"])
def test_type_and_order_of_axes_do_not_matter(affine, code, dtype):
    array, turned_affine = turned(VOLUME, affine, code)
    stored = array.astype(dtype)
    assert voxel_v1(stored, affine=turned_affine, axes="xyz") == voxel_v1(VOLUME, affine=affine, axes="xyz")
    assert geometry_v1(stored.shape, turned_affine) == geometry_v1(VOLUME.shape, affine)
    moved = stored.transpose(2, 0, 1)[None]
    assert voxel_v1(moved, affine=turned_affine, axes="czxy") == voxel_v1(VOLUME, affine=affine, axes="xyz")


@pytest.mark.parametrize("degrees", [0, 10, 44.9, 44.99, 45, 45.00001, 45.01, 60, 90])
@pytest.mark.parametrize("noise", [0, 1e-7, -1e-7])
def test_near_45_degrees_every_stored_order_gives_one_digest(degrees, noise):
    rotation = euler2mat(np.deg2rad(degrees), 0, 0)
    affine = from_matvec(rotation @ np.diag([1, 1, 2.0]), [0, 0, 0])
    expected = voxel_v1(VOLUME, affine=affine, axes="xyz")
    for code in ("RAS", "LAS", "ARS", "PIR", "SLP"):
        array, other = turned(VOLUME, affine, code)
        other[:3, :3] += noise
        assert voxel_v1(array, affine=other, axes="xyz") == expected, code


def test_values_shape_flips_and_moves_do_matter():
    base = voxel_v1(VOLUME, affine=AFFINE, axes="xyz")
    changed = VOLUME.copy()
    changed[3, 3, 3] += 1
    assert voxel_v1(changed, affine=AFFINE, axes="xyz") != base
    assert voxel_v1(VOLUME[::-1], affine=AFFINE, axes="xyz") != base
    assert voxel_v1(VOLUME.reshape(10, 12, 8), affine=AFFINE, axes="xyz") != base
    moved = AFFINE.copy()
    moved[0, 3] += 0.01
    assert voxel_v1(VOLUME, affine=moved, axes="xyz") == base
    assert geometry_v1(VOLUME.shape, moved) != geometry_v1(VOLUME.shape, AFFINE)


def test_integers_beyond_single_precision_do_not_collide():
    labels = np.array([[0, 2**24], [1, 5]])
    other = labels + np.array([[0, 1], [0, 0]])
    assert voxel_v1(labels, affine=None, axes="xy") != voxel_v1(other, affine=None, axes="xy")
    for dtype in (np.int32, np.uint32, np.float64, np.int64):
        assert voxel_v1(other.astype(dtype), affine=None, axes="xy") == voxel_v1(other, affine=None, axes="xy")


@pytest.mark.parametrize("value", [np.inf, 1e300, 2.0**24 + 0.5, 1.8e19])
def test_large_and_infinite_numbers_have_a_digest(value):
    array = np.array([[0.5, 1.0], [2.0, value]])
    other = np.array([[0.5, 1.0], [2.0, 3.0]])
    assert voxel_v1(array, affine=None, axes="xy") != voxel_v1(other, affine=None, axes="xy")


def test_there_is_one_nan_and_one_zero():
    array = np.array([[0.0, np.nan], [1.0, 2.0]], dtype=np.float32)
    other = np.array([[-0.0, 0], [1.0, 2.0]], dtype=np.float32)
    other.view(np.uint32)[0, 1] = 0xFFC00123  # another NaN
    assert voxel_v1(array, affine=None, axes="xy") == voxel_v1(other, affine=None, axes="xy")


@pytest.mark.parametrize("value", [0, 7, -0.0, np.nan, np.inf])
def test_constant_images_have_no_identity(value):
    array = np.full((6, 5, 4), value, dtype=np.float32)
    assert voxel_v1(array, affine=AFFINE, axes="xyz") is None
    assert slice_digests(array, affine=AFFINE, axes="xyz") == ()


@pytest.mark.parametrize(
    ("array", "axes"),
    [
        (VOLUME, "xy"),
        (VOLUME, "xxy"),
        (VOLUME, "abc"),
        (VOLUME[:0], "xyz"),
        (VOLUME.astype(complex), "xyz"),
        (VOLUME.astype(str), "xyz"),
    ],
)
def test_what_is_no_image_is_refused(array, axes):
    with pytest.raises(InputError, match=r"`axes` must|An image must hold"):
        voxel_v1(array, affine=None, axes=axes)


@pytest.mark.parametrize("affine", [np.eye(3), np.zeros((4, 4)), np.full((4, 4), np.nan)])
def test_what_is_no_affine_is_refused(affine):
    with pytest.raises(InputError, match="affine must be"):
        voxel_v1(VOLUME, affine=affine, axes="xyz")


# slices ---------------------------------------------------------------------------------------------------------------

PICTURE = RNG.normal(size=(21, 34)).astype(np.float32)


def test_a_slice_keeps_its_digest_under_flips_and_quarter_turns():
    expected = slice_v1(PICTURE)
    for image in (PICTURE, PICTURE.T):
        for turned_image in (image, image[::-1], image[:, ::-1], image[::-1, ::-1]):
            assert slice_v1(turned_image.astype(np.float64)) == expected
    assert slice_v1(np.roll(PICTURE, 1)) != expected


def test_a_symmetric_slice_has_one_digest_too():
    half = RNG.normal(size=(8, 40)).astype(np.float32)
    mirrored = np.concatenate([half, half[::-1]])
    assert slice_v1(mirrored) == slice_v1(mirrored.T) == slice_v1(mirrored[:, ::-1])


def test_every_slice_of_a_volume_is_found_again_however_it_was_cut():
    volume = RNG.normal(size=(40, 36, 34)).astype(np.float32)
    known = slice_digests(volume, affine=OBLIQUE, axes="xyz")
    assert len(known) == 40 + 36 + 34
    for plane in (volume[7], volume[:, 9, ::-1], volume[:, :, 33].T):
        assert slice_v1(plane) in known
    assert set(slice_digests(volume[..., None], affine=None, axes="xyzc")) == set(known)


def test_time_points_and_channels_have_slices_of_their_own():
    volume = RNG.normal(size=(12, 11, 10, 2)).astype(np.float32)
    assert len(slice_digests(volume, affine=AFFINE, axes="xyzt")) == 2 * 33


def test_slices_of_few_levels_are_too_common_to_identify():
    assert slice_v1((PICTURE > 0).astype(np.uint8)) is None
    assert slice_v1(np.arange(64).reshape(1, 64)) is None
