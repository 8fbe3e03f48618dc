# SPDX-License-Identifier: Apache-2.0
"""Small DICOM files as two scanners write them."""

import warnings

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

with warnings.catch_warnings():  # ITK's modules warn while they are loaded, and crash where a warning is an error
    warnings.simplefilter("ignore")
    import itk

    itk.ImageFileReader  # noqa: B018 - loads them


def write_dicom(path, *, seed=0, **elements):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    file.StudyInstanceUID, file.SeriesInstanceUID = generate_uid(), generate_uid()
    file.Modality = "CT"
    file.Rows = file.Columns = 8
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated = file.BitsStored = 16
    file.HighBit, file.PixelRepresentation = 15, 0
    file.PixelSpacing, file.ImagePositionPatient = [1, 1], [0, 0, 0]
    file.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    for keyword, value in elements.items():
        setattr(file, keyword, value)
    file.PixelData = np.random.default_rng(seed).integers(0, 99, (8, 8), dtype=np.uint16).tobytes()
    pydicom.dcmwrite(path, file, enforce_file_format=True)
    return str(path)


@pytest.fixture
def series(tmp_path):
    """Four files: all is known, one value unusual, some missing, nothing known."""
    known = [
        {"PatientSex": "F", "PatientAge": "061Y", "EthnicGroup": "A", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]},
        {"PatientSex": "M", "PatientAge": "018M", "ImageType": ["DERIVED", "PRIMARY"]},
        {"PatientSex": "", "PatientAge": "004D"},
        {},
    ]
    return [write_dicom(tmp_path / f"{i}.dcm", seed=i, **elements) for i, elements in enumerate(known)]


@pytest.fixture
def alike(tmp_path):
    """Two files with the same elements, which can be put into a batch as they are."""
    known = [
        {"PatientSex": "F", "PatientAge": "061Y", "ImageType": ["ORIGINAL", "PRIMARY"]},
        {"PatientSex": "M", "PatientAge": "018M", "ImageType": ["DERIVED", "PRIMARY"]},
    ]
    return [write_dicom(tmp_path / f"{i}.dcm", seed=i, **elements) for i, elements in enumerate(known)]
