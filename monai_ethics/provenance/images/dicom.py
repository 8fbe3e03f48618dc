# SPDX-License-Identifier: Apache-2.0
"""DICOM files: values after the modality rescale, geometry in RAS+, and what the file says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from monai_ethics._quiet import quiet_dicom
from monai_ethics.errors import InputError
from monai_ethics.provenance.images.dicom_marks import marks_of, synthesizing_equipment
from monai_ethics.provenance.images.read import Image
from monai_ethics.provenance.records.patients import patient_identifier

__all__ = ["attributes_of", "image_of", "patient_in", "read_dicom", "read_patient"]

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_COVERED = (
    "SyntheticData",
    "ImageType",
    "SOPClassUID",
    "Modality",
    "RescaleSlope",
    "RescaleIntercept",
    "PixelSpacing",
    "SliceThickness",
    "ImageOrientationPatient",
    "ImagePositionPatient",
)


@quiet_dicom()
def read_dicom(path: Path) -> Image:
    """Read one DICOM file of one or several frames; frames are ordered along their normal where they have positions."""
    return image_of(pydicom.dcmread(path))


@quiet_dicom()
def read_patient(path: Path) -> tuple[str, str]:
    """Patient ID and its issuer of a file, each empty where it has none; pixel data is not read.

    Files without the preamble are read as well, as other readers do.
    """
    tags = ["PatientID", "IssuerOfPatientID"]
    dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags, force=True)
    return str(dataset.get("PatientID") or ""), str(dataset.get("IssuerOfPatientID") or "")


def patient_in(path: Path) -> str | None:
    """What a pseudonym of a file's patient is made of; ``None`` where the file names nobody."""
    try:
        return patient_identifier(*read_patient(path))
    except InputError:
        return None


def image_of(dataset: pydicom.Dataset) -> Image:
    """The image that a dataset holds, as `read_dicom` reads it from a file."""
    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise InputError("Expected a DICOM image: got an object without pixels, such as a report. Leave it out.")
    try:
        stored = dataset.pixel_array
    except (RuntimeError, NotImplementedError) as error:
        raise InputError(
            "Expected pixels that a decoder here can read: got a compression that none can. "
            "Install pylibjpeg with its plugins, or decompress the file."
        ) from error
    channels = "c" if int(dataset.get("SamplesPerPixel", 1)) > 1 else ""
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    array = stored if frames > 1 else stored[None]
    array = _rescaled(dataset, array)
    order, affine = _geometry(dataset, frames)
    array = array[order] if order is not None else array
    axes = "zyx" + channels
    if affine is None and frames == 1:
        array, axes = array[0], axes[1:]
    return Image(
        array=array,
        axes=axes,
        affine=affine,
        media_type="application/dicom",
        marks=marks_of(dataset),
        attributes=attributes_of(dataset),
    )


def _groups(dataset: pydicom.Dataset, frame: int) -> list[pydicom.Dataset]:
    """Where an attribute of a frame may stand: per frame, shared, or in the file itself."""
    found = []
    for name, number in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        sequence = dataset.get(name)
        if sequence is not None and len(sequence) > number:
            found.append(sequence[number])
    return found


def _lookup(dataset: pydicom.Dataset, frame: int, sequence: str, name: str) -> Any:
    for group in _groups(dataset, frame):
        items = group.get(sequence)
        if items:
            return items[0].get(name)
    return dataset.get(name)


def _rescaled(dataset: pydicom.Dataset, array: np.ndarray) -> np.ndarray:
    """Values times slope plus intercept, a frame at a time, in float64; integers stay where nothing is to be done."""
    scales = [
        tuple(
            float(default if value is None else value)
            for value, default in (
                (_lookup(dataset, frame, "PixelValueTransformationSequence", "RescaleSlope"), 1),
                (_lookup(dataset, frame, "PixelValueTransformationSequence", "RescaleIntercept"), 0),
            )
        )
        for frame in range(len(array))
    ]
    if all(scale == (1.0, 0.0) for scale in scales):
        return array
    result = array.astype(np.float64)
    for frame, (slope, intercept) in enumerate(scales):
        result[frame] = result[frame] * slope + intercept
    return result


def _geometry(dataset: pydicom.Dataset, frames: int) -> tuple[list[int] | None, np.ndarray | None]:
    """Order of the frames along their normal and the affine of axes x (column), y (row), z; or nothing."""
    orientation = _lookup(dataset, 0, "PlaneOrientationSequence", "ImageOrientationPatient")
    spacing = _lookup(dataset, 0, "PixelMeasuresSequence", "PixelSpacing")
    positions = [_lookup(dataset, frame, "PlanePositionSequence", "ImagePositionPatient") for frame in range(frames)]
    if orientation is None or spacing is None or any(position is None for position in positions):
        return None, None
    along, down = np.array(orientation[:3], float), np.array(orientation[3:], float)
    normal = np.cross(along, down)
    points = np.array(positions, dtype=float)
    order = np.argsort(points @ normal, kind="stable")
    points = points[order]
    step = normal * float(_lookup(dataset, 0, "PixelMeasuresSequence", "SliceThickness") or 1)
    if frames > 1:
        steps = np.diff(points, axis=0)
        if np.abs(steps - steps[0]).max() > 1e-2 or np.linalg.norm(steps[0]) == 0:
            return None, None
        step = (points[-1] - points[0]) / (frames - 1)
    affine = np.eye(4)
    columns = (along * float(spacing[1]), down * float(spacing[0]), step, points[0])
    for number, column in enumerate(columns):
        affine[:3, number] = _LPS_TO_RAS @ column
    return order.tolist(), affine


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return str(value)


def attributes_of(dataset: pydicom.Dataset) -> dict[str, Any]:
    """What `attrs_v1` covers, as a dataset has it."""
    found = {name: _plain(dataset.get(name)) for name in _COVERED if dataset.get(name) is not None}
    equipment = synthesizing_equipment(dataset)
    if equipment:
        found["ContributingEquipmentSequence"] = equipment
    for name in ("PatientID", "IssuerOfPatientID"):
        if dataset.get(name):
            found[name] = str(dataset.get(name))
    return found
