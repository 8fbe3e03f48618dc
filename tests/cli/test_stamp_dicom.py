# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pydicom
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.images.read import read_image
from monai_ethics.provenance.marks.dicom_writer import write_synthetic_dicom
from monai_ethics.provenance.records.record import Record

RECORD = Record(type="synthesis", synthetic="yes").to_dict()


@pytest.fixture
def unmarked(tmp_path, monkeypatch):
    """A slice that lost every mark, of somebody's."""
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    path = tmp_path / "images" / "x.dcm"
    path.parent.mkdir()
    values = np.random.default_rng(0).integers(0, 900, (30, 20))
    write_synthetic_dicom(values, np.eye(4), path, modality="CT", record=RECORD)
    dataset = pydicom.dcmread(path)
    dataset.remove_private_tags()
    for name in ("SyntheticData", "ContributingEquipmentSequence", "DerivationDescription"):
        del dataset[name]
    dataset.PatientID, dataset.ImageType = "4711", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.save_as(path)
    return path


def test_stamp_marks_a_dicom_file_in_place_and_the_guard_refuses_it(unmarked, tmp_path, capsys):
    before, evidence = pydicom.dcmread(unmarked), str(tmp_path / "evidence")
    assert read_image(unmarked).marks.synthetic is None
    assert main(["stamp", str(unmarked), "--synthetic", "--out", evidence]) == 0
    assert "marked: 1 headers, 1 sidecars" in capsys.readouterr().out
    after = pydicom.dcmread(unmarked)
    assert after.PixelData == before.PixelData
    assert (after.SyntheticData, after.ImageType[0], after.PatientID) == ("YES", "DERIVED", "4711")
    assert after.SOPInstanceUID == before.SOPInstanceUID
    assert read_image(unmarked).marks.statement
    assert main(["guard", str(unmarked.parent), "--policy", "deny-list", "--evidence", evidence]) == 1
    assert "synthetic-declared" in capsys.readouterr().out
    assert main(["verify", evidence]) == 0


def test_an_acquired_file_is_registered_and_not_touched(unmarked, tmp_path):
    before = unmarked.read_bytes()
    assert main(["stamp", str(unmarked), "--real", "--out", str(tmp_path / "evidence")]) == 0
    assert unmarked.read_bytes() == before
