# SPDX-License-Identifier: Apache-2.0
"""Files of every format that can be marked."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

AFFINE = np.diag([-1.5, -1.5, 2.0, 1.0])


def volume(seed=0, shape=(12, 11, 6)):
    return np.random.default_rng(seed).integers(0, 900, size=shape).astype(np.int16)


def write_nifti(path, array=None, *, kind=nib.Nifti1Image, endian="<"):
    array = volume() if array is None else array
    header = kind.header_class(endianness=endian)
    image = kind(array, AFFINE, header=header)
    image.set_data_dtype(array.dtype)
    nib.save(image, path)
    return path


def write_png(path, array=None, **options):
    pil = pytest.importorskip("PIL.Image")
    array = np.random.default_rng(5).integers(0, 255, size=(24, 20)).astype(np.uint8) if array is None else array
    pil.fromarray(array).save(path, **options)
    return path


def write_dicom(path, array=None, **attributes):
    array = volume(shape=(16, 14)) if array is None else array
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["n"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.PatientID, dataset.PatientName, dataset.Modality = "DOE-17", "Doe^Jane", "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesDescription = "head"
    dataset.Rows, dataset.Columns = array.shape
    dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.7], 2
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-5, -6, 7.5]
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.PixelData = array.astype(np.int16).tobytes()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def write_numpy(path, array=None):
    np.save(path, volume() if array is None else array)
    return path


WRITERS = {"nii": write_nifti, "nii.gz": write_nifti, "png": write_png, "dcm": write_dicom, "npy": write_numpy}
