# SPDX-License-Identifier: Apache-2.0
"""Files whose values cannot be read here, but which others read: their marks are still believed."""

import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1, generate_uid

from monai_ethics.errors import InputError
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.marks.dicom import mark_dataset
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.registry.admission import RegistryJudge
from monai_ethics.provenance.registry.guard import admit
from monai_ethics.provenance.registry.stamp import stamp_file, stamp_files

RECORD = Record(type="synthesis", synthetic="yes").to_dict()


def dicom(path, *, marked, pixels):
    """A file of a compression that nothing here decodes, or one without pixels."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1 if pixels else ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", generate_uid()
    dataset.Modality = "OT"
    dataset.Rows = dataset.Columns = 8
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    if pixels:
        dataset.PixelData = encapsulate([b"\xff\xd8\xff\xc3" + bytes(60)])
    if marked:
        mark_dataset(dataset, RECORD)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def site(tmp_path):
    np.save(tmp_path / "other.npy", np.random.default_rng(0).normal(size=(8, 8, 8)))
    with EvidenceLog.open(tmp_path / "site", run_id="stamp") as log:
        stamp_files([tmp_path / "other.npy"], log)
    return tmp_path / "site"


@pytest.mark.parametrize("pixels", [True, False], ids=["undecodable", "no pixels"])
def test_a_marked_file_is_refused_although_its_values_cannot_be_read(tmp_path, site, pixels):
    path = dicom(tmp_path / "a.dcm", marked=True, pixels=pixels)
    (row,) = admit([path], site, "deny-list").rows
    assert (row.kind, row.refused, row.record) == ("synthetic-declared", True, RECORD["id"])
    found = RegistryJudge("deny-list", site=site).judge([{"image": str(path)}])
    assert [refusal.kind for refusal in found.refusals] == ["synthetic-declared"]


@pytest.mark.parametrize(("pixels", "why"), [(True, "a decoder here"), (False, "without pixels")])
def test_an_unmarked_file_that_cannot_be_read_ends_the_guard(tmp_path, site, pixels, why):
    path = dicom(tmp_path / "a.dcm", marked=False, pixels=pixels)
    with pytest.raises(InputError, match=why):
        admit([path], site, "deny-list")
    assert RegistryJudge("allow-list", site=site).judge([{"image": str(path)}]).positions == (1,)


def test_a_truncated_file_still_says_what_it_is(tmp_path, site):
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(np.random.default_rng(0).normal(size=(8, 8, 8)), np.eye(4)), path)
    stamp_file(path)
    (tmp_path / "b.nii").write_bytes(path.read_bytes()[:2000])
    assert admit([tmp_path / "b.nii"], site, "deny-list").rows[0].refused
    assert RegistryJudge("deny-list", site=site).judge([{"image": str(tmp_path / "b.nii")}]).positions == (1,)
