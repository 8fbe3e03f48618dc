# SPDX-License-Identifier: Apache-2.0
"""Marks of NIfTI files: extension and description, what each survives, and what a mark of other values says."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
from marks_files import AFFINE, volume, write_nifti

from monai_ethics.provenance.images.digest import digest_file
from monai_ethics.provenance.marks.nifti import mark_nifti
from monai_ethics.provenance.marks.sidecar import sidecar_path
from monai_ethics.provenance.registry.stamp import stamp_file

RECORD = "sha256:" + "ab" * 32


@pytest.mark.parametrize("state", ["yes", "partial"])
def test_both_places_say_how_synthetic_it_is(tmp_path, state):
    path = write_nifti(tmp_path / "a.nii")
    mark_nifti(path, synthetic=state, record=RECORD, voxel_v1="cd" * 32)
    layers = digest_file(path).marks.layers
    assert layers == {
        "extension": {"synthetic": state, "record": RECORD, "voxel_v1": "cd" * 32},
        "descrip": {"synthetic": state, "record": RECORD[:23]},
    }


@pytest.mark.parametrize("old", [b"", b"a scanner", b"x" * 79, "\u00e4\u00f6".encode("latin-1")])
@pytest.mark.parametrize("state", ["yes", "partial"])
def test_the_description_that_stood_there_is_kept_as_far_as_it_fits(tmp_path, old, state):
    image = nib.Nifti1Image(volume(), AFFINE)
    image.header["descrip"] = old
    nib.save(image, tmp_path / "a.nii")
    for _ in range(2):  # the second time our own word is not kept twice
        mark_nifti(tmp_path / "a.nii", synthetic=state, record=RECORD, voxel_v1=None)
    text = bytes(nib.load(tmp_path / "a.nii").header["descrip"]).rstrip(b"\0")
    word = b"SYNTHETIC me1:abababababababab" + (b" partial" if state == "partial" else b"")
    assert text == (word + b"; " + old)[:79] if old else text == word


def test_extensions_of_other_kinds_stay_in_their_order(tmp_path):
    image = nib.Nifti1Image(volume(), AFFINE)
    for code, content in ((4, b"<AFNI/>"), (6, b"{}"), (44, b"\1\2\3"), (6, b"words")):
        image.header.extensions.append(nib.nifti1.Nifti1Extension(code, content))
    nib.save(image, tmp_path / "a.nii.gz")
    mark_nifti(tmp_path / "a.nii.gz", synthetic="yes", record=RECORD, voxel_v1=None)
    found = nib.load(tmp_path / "a.nii.gz").header.extensions
    assert [item.get_code() for item in found] == [4, 6, 44, 6, 6]
    assert digest_file(tmp_path / "a.nii.gz").marks.record == RECORD


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("endian", ["<", ">"])
def test_every_header_stays_readable_for_other_software(tmp_path, kind, endian):
    path = write_nifti(tmp_path / "a.nii", kind=kind, endian=endian)
    before = nib.load(path).get_fdata()
    mark_nifti(path, synthetic="yes", record=RECORD, voxel_v1=None)
    assert np.array_equal(nib.load(path).get_fdata(), before)
    assert int(nib.load(path).header["vox_offset"]) % 16 == 0


def test_a_mark_of_other_values_is_not_the_mark_of_this_image(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz")
    stamp_file(path)
    image = nib.load(path)
    nib.save(nib.Nifti1Image(image.get_fdata() + 1, image.affine, image.header), path)
    digests = digest_file(path)
    assert digests.marks.synthetic == "yes"  # what was made of it is synthetic still
    assert digests.marks.voxel_v1 not in (None, digests.voxel_v1)


def test_a_pair_of_files_is_left_alone_and_has_a_sidecar(tmp_path):
    nib.save(nib.Nifti1Pair(volume(), AFFINE), tmp_path / "a.hdr")
    before = {name: (tmp_path / name).read_bytes() for name in ("a.hdr", "a.img")}
    assert stamp_file(tmp_path / "a.hdr") == ("sidecar",)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert sidecar_path(tmp_path / "a.hdr").exists()


@pytest.mark.parametrize("data", [b"", b"short", bytes(400), b"\x5c\x01\0\0" + bytes(400)])
def test_what_is_no_nifti_is_not_marked(tmp_path, data):
    path = tmp_path / "a.nii"
    path.write_bytes(data)
    assert not mark_nifti(path, synthetic="yes", record=RECORD, voxel_v1=None)
    assert path.read_bytes() == data
    path.write_bytes(gzip.compress(data))
    assert not mark_nifti(path, synthetic="yes", record=RECORD, voxel_v1=None)
