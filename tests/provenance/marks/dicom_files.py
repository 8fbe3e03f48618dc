# SPDX-License-Identifier: Apache-2.0
"""DICOM objects for the tests of marks."""

import copy
import io
from datetime import UTC, datetime

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)

from monai_ethics.provenance.marks.dicom import mark_dataset
from monai_ethics.provenance.records.record import Record

MR, SC = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RECORD = Record(type="synthesis", synthetic="yes", model={"name": "brain generator"}).to_dict()
PARTIAL = Record(type="synthesis", synthetic="partial").to_dict()
ANALYSIS = Record(type="inference", synthetic="unknown", model={"name": "segmenter"}).to_dict()
REAL = Record(type="import", synthetic="no").to_dict()
PIXELS = np.random.default_rng(0).integers(0, 4000, (40, 60)).astype(np.uint16)


def scan(*, sop_class=MR, pixels=PIXELS, **further):
    """An image as a scanner sends it, full of what tells of a person."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.SourceApplicationEntityTitle = "DOE-SCANNER"
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.FrameOfReferenceUID = generate_uid()
    dataset.Modality, dataset.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M"]
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "DOE^JANE", "DOE-4711", "19600102"
    dataset.InstitutionName, dataset.StudyDescription, dataset.ProtocolName = "DOE clinic", "DOE study", "DOE head"
    dataset.ReferringPhysicianName, dataset.AccessionNumber, dataset.StudyDate = "DOE^REF", "DOE-1", "20200304"
    dataset.SeriesDescription, dataset.DeviceSerialNumber, dataset.ImageComments = "t1 DOE", "DOE-7", "of DOE"
    dataset.RepetitionTime, dataset.ScanningSequence = 500, "SE"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class, generate_uid()
    dataset.ReferencedImageSequence = [reference]
    dataset.private_block(0x0011, "DOE VENDOR", create=True).add_new(1, "LO", "DOE private")
    dataset.add_new((0x6000, 0x4000), "LT", "DOE overlay comment")
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelData = pixels.tobytes()
    for name, value in further.items():
        setattr(dataset, name, value)
    return dataset


def written(dataset, path, *, syntax=ExplicitVRLittleEndian):
    dataset = copy.deepcopy(dataset)
    if syntax == RLELossless:
        dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    elif syntax == ExplicitVRBigEndian:
        dataset.PixelData = dataset.pixel_array.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        dataset["PixelData"].VR = "OW"
    pydicom.dcmwrite(
        path,
        dataset,
        enforce_file_format=True,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
    )
    return path


def whole(dataset):
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def marked(dataset, record=RECORD, **further):
    mark_dataset(dataset, record, **further)
    return dataset
