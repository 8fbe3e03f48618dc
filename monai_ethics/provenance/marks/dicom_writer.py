# SPDX-License-Identifier: Apache-2.0
"""Writing generated arrays as classic MR, CT or Secondary Capture files of a subject that does not exist."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import DSfloat

from monai_ethics._quiet import quiet_dicom
from monai_ethics.errors import InputError
from monai_ethics.provenance.images.dicom import image_of
from monai_ethics.provenance.images.digest import voxel_v1
from monai_ethics.provenance.log.files.storage import write_atomically
from monai_ethics.provenance.marks.dicom import DicomOptions, IdentityCase, Subject, mark_dataset

__all__ = ["MODALITIES", "write_synthetic_dicom"]

MODALITIES = {
    "MR": UID("1.2.840.10008.5.1.4.1.1.4"),
    "CT": UID("1.2.840.10008.5.1.4.1.1.2"),
    "SC": UID("1.2.840.10008.5.1.4.1.1.7"),
}
_TEXTS = {"PatientSex", "PatientAge", "PatientSize", "PatientWeight", "StudyDescription"}
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])
_GREY_LEVELS = 4095  # of MR values without integers of their own: 12 bits, as scanners store


@quiet_dicom()
def write_synthetic_dicom(
    array: np.ndarray,
    affine: np.ndarray | None,
    target: Path,
    *,
    modality: str,
    record: Mapping[str, Any],
    attributes: Mapping[str, Any] | None = None,
    options: DicomOptions | None = None,
) -> list[Path]:
    """Write a generated slice as a file, or a generated volume as a series of files, marked and valid.

    The subject is generated: ``SYN-...``, its own study, series and frame of reference. Whole numbers that fit are
    stored as they are. CT values are Hounsfield units and are rounded to whole ones. Other values of MR are mapped
    linearly to 0 ... 4095 over the volume, those of SC to 0 ... 255: they have no unit.

    Args:
        array: values without a channel axis, shape ``(X, Y)`` or ``(X, Y, Z)``; slices are taken along the last axis.
        affine: voxel index to RAS+ millimeters, shape ``(4, 4)``; SC holds none.
        target: file of a slice, or folder of a volume; neither may hold anything yet.
        modality: ``"MR"``, ``"CT"`` or ``"SC"``.
        record: the provenance record with its `id`.
        attributes: further attributes by keyword: those of group 0018, such as `BodyPartExamined`, and what the
            subject was generated to be, such as `PatientSex`.
        options: see `DicomOptions`; a subject is made if it names none.

    Returns:
        The files, in the order of the slices.

    Raises:
        InputError: if shape, values, affine, attribute or target cannot be written.

    References:
        DICOM PS3.3 A.3 (CT Image), A.4 (MR Image), A.8.1 (Secondary Capture Image), C.7.6.2 (Image Plane).
    """
    values = np.asarray(array)
    _check(values, modality, attributes or {})
    slices = values[..., None] if values.ndim == 2 else values
    stored = _stored(slices, modality)
    plane = None if modality == "SC" else _plane(affine, window=_window(stored))
    at = (options.at if options else None) or datetime.now(UTC)
    chosen = replace(options or DicomOptions(), at=at)
    chosen = replace(chosen, subject=chosen.subject or Subject(), burned_in=bool(chosen.burned_in))
    paths = _targets(Path(target), n=slices.shape[2], folder=values.ndim == 3)
    for number, path in enumerate(paths):
        dataset = _dataset(stored, number, modality, plane=plane, at=at.astimezone(UTC))
        image = image_of(dataset)
        digest = voxel_v1(image.array, affine=image.affine, axes=image.axes)
        mark_dataset(dataset, record, identity=IdentityCase.GENERATED_SUBJECT, voxel_v1=digest, options=chosen)
        for name, value in (attributes or {}).items():
            setattr(dataset, name, value)
        if "BodyPartExamined" not in dataset:
            dataset.Laterality = ""  # whether the part is one of a pair is not known
        file = io.BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        write_atomically(path, file.getvalue(), replace=False)
    return paths


def _check(values: np.ndarray, modality: str, attributes: Mapping[str, Any]) -> None:
    if modality not in MODALITIES:
        raise InputError(f"`modality` must be one of {', '.join(MODALITIES)}: got another. Choose one.")
    if values.ndim not in (2, 3) or not values.size or values.dtype.kind not in "biuf":
        raise InputError(
            f"An image to write must be numbers of shape (X, Y) or (X, Y, Z): got {values.ndim} axes of type "
            f"{values.dtype}. Take the channel axis away."
        )
    if not np.isfinite(values).all():
        raise InputError("An image to write must have finite values: got NaN or infinity. Replace them.")
    for position, name in enumerate(attributes, start=1):
        tag = tag_for_keyword(name)
        if tag is None or (tag >> 16 != 0x0018 and name not in _TEXTS):
            raise InputError(
                f"`attributes` must be keywords of group 0018 or of {', '.join(sorted(_TEXTS))}: got another at "
                f"position {position}. Leave it out."
            )


def _targets(target: Path, *, n: int, folder: bool) -> list[Path]:
    if folder:
        target.mkdir(parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise InputError("A volume must go into an empty folder: got one that holds something. Give another.")
        return [target / f"slice-{number:04d}.dcm" for number in range(1, n + 1)]
    if target.exists():
        raise InputError("A slice must go into a new file: got one that exists. Give another.")
    return [target]


@dataclass(frozen=True)
class _Plane:
    """Where slices lie: directions and first position in LPS, millimeters; and the window of their values."""

    along: np.ndarray
    down: np.ndarray
    step: np.ndarray
    origin: np.ndarray
    spacing: tuple[float, float, float]
    window: tuple[DSfloat, DSfloat]


def _plane(affine: np.ndarray | None, *, window: tuple[DSfloat, DSfloat]) -> _Plane:
    """Geometry of the slices of an affine.

    Raises:
        InputError: if there is none, or rows and columns are not at right angles.
    """
    matrix = np.asarray(affine if affine is not None else np.nan, dtype=np.float64)
    lengths = np.linalg.norm(matrix[:3, :3], axis=0) if matrix.shape == (4, 4) else np.zeros(3)
    if not np.isfinite(matrix).all() or not (lengths > 0).all():
        raise InputError("An affine must be a finite 4 x 4 matrix with three axes: got another. Give the image's.")
    lps = _RAS_TO_LPS @ matrix[:3]
    along, down = lps[:, 0] / lengths[0], lps[:, 1] / lengths[1]
    if abs(float(along @ down)) > 1e-4:
        raise InputError("Rows and columns of a slice must be at right angles: got a sheared affine. Resample it.")
    down = down - along * (along @ down)
    return _Plane(
        along=along,
        down=down / np.linalg.norm(down),
        step=lps[:, 2],
        origin=lps[:, 3],
        spacing=(float(lengths[0]), float(lengths[1]), float(lengths[2])),
        window=window,
    )


def _stored(values: np.ndarray, modality: str) -> np.ndarray:
    """Integers of 8 or 16 bits that stand for the values."""
    numbers = values.astype(np.float64)
    if modality == "CT":
        numbers = np.rint(numbers)
        if numbers.min() < -32768 or numbers.max() > 32767:
            raise InputError("CT values must be Hounsfield units between -32768 and 32767: got others. Rescale them.")
        return numbers.astype(np.int16)
    low, high = float(numbers.min()), float(numbers.max())
    whole = bool((numbers == np.rint(numbers)).all())
    kinds: tuple[type, ...] = (np.uint8, np.uint16) if modality == "SC" else (np.uint16, np.int16)
    for kind in kinds:
        # zeros and ones alone are a picture's black and white, not its gray levels
        if whole and np.iinfo(kind).min <= low and high <= np.iinfo(kind).max and (modality != "SC" or high > 1):
            return numbers.astype(kind)
    most = 255 if modality == "SC" else _GREY_LEVELS
    if modality == "SC" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    scaled = np.rint((numbers - low) / ((high - low) or 1) * most)
    return scaled.astype(np.uint8 if modality == "SC" else np.uint16)


def _dataset(stored: np.ndarray, number: int, modality: str, *, plane: _Plane | None, at: datetime) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = MODALITIES[modality]
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "OT" if modality == "SC" else modality
    dataset.ImageType = ["DERIVED", "SECONDARY", *{"MR": ["OTHER"], "CT": ["AXIAL"]}.get(modality, [])]
    dataset.Manufacturer = "monai_ethics"
    dataset.ContentDate, dataset.ContentTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    dataset.SeriesNumber, dataset.InstanceNumber = 1, number + 1
    _pixels(dataset, stored[:, :, number])
    if plane is not None:
        _place(dataset, plane, number)
        dataset.WindowCenter, dataset.WindowWidth = plane.window
    if modality == "MR":
        dataset.ScanningSequence, dataset.SequenceVariant = "RM", "NONE"  # research mode: no sequence was run
        dataset.MRAcquisitionType = "3D" if stored.shape[2] > 1 else "2D"
        for name in ("ScanOptions", "RepetitionTime", "EchoTime", "EchoTrainLength"):
            setattr(dataset, name, None)
    elif modality == "CT":
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "HU"
        dataset.KVP = dataset.AcquisitionNumber = None
    else:
        dataset.ConversionType = "SYN"
        dataset.PatientOrientation = None
    return dataset


def _pixels(dataset: Dataset, values: np.ndarray) -> None:
    """Rows are the second axis of the array, columns the first."""
    pixels = np.ascontiguousarray(values.T)
    bits = pixels.dtype.itemsize * 8
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    dataset.add_new(0x7FE00010, "OB" if bits == 8 else "OW", data + b"\0" * (len(data) % 2))


def _place(dataset: Dataset, plane: _Plane, number: int) -> None:
    position = plane.origin + number * plane.step
    dataset.PixelSpacing = _decimals([plane.spacing[1], plane.spacing[0]])
    dataset.ImageOrientationPatient = _decimals([*plane.along, *plane.down])
    dataset.ImagePositionPatient = _decimals(position)
    dataset.SliceThickness = _decimals([plane.spacing[2]])[0]
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = generate_uid(), ""
    dataset.PatientPosition = None


def _window(stored: np.ndarray) -> tuple[DSfloat, DSfloat]:
    """Center and width of a window over the volume, the same for all slices."""
    low, high = (float(number) for number in np.percentile(stored, [1, 99]))
    center, width = _decimals([(low + high) / 2, max(high - low, 1)])
    return center, width


def _decimals(numbers: Any) -> list[DSfloat]:
    return [DSfloat(float(number) + 0.0, auto_format=True) for number in numbers]
