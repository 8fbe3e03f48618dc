# SPDX-License-Identifier: Apache-2.0
import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from monai_ethics.synthesis.data.dicom_flags import dicom_flags


def written(path, **tags):
    dataset = pydicom.Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid(entropy_srcs=[path.name])
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_what_headers_declare_is_read(tmp_path):
    files = [
        written(tmp_path / "a.dcm", BurnedInAnnotation="YES", RecognizableVisualFeatures="NO"),
        written(tmp_path / "b.dcm", BurnedInAnnotation="NO"),
        written(tmp_path / "c.dcm"),
    ]
    assert dicom_flags(files) == [("YES", "NO"), ("NO", None), (None, None)]


def test_a_damaged_file_is_named_by_its_position(tmp_path):
    damaged = tmp_path / "secret-name.dcm"
    damaged.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="number 1 is damaged") as raised:
        dicom_flags([damaged])
    assert "secret" not in str(raised.value)
