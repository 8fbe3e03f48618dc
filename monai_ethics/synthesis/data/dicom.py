# SPDX-License-Identifier: Apache-2.0
"""DICOM files as images: series become volumes, values are rescaled, and bright is always high."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_ethics._quiet import quiet_dicom
from monai_ethics.errors import InputError

__all__ = ["DICOM_ENDINGS", "is_dicom", "read_slices", "series_of"]

DICOM_ENDINGS = (".dcm", ".dicom", ".ima")
TAGS = (
    "PatientID",
    "SeriesInstanceUID",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "InstanceNumber",
    "NumberOfFrames",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What a header says of the series, of the place along its normal in millimeters, and of the patient."""

    key: tuple[str, ...]
    place: float | None
    patient: str | None


def is_dicom(file: Path) -> bool:
    """Whether a file is DICOM, by its ending or, if it has none, by its content."""
    if file.name.lower().endswith(DICOM_ENDINGS):
        return True
    if (file.suffix and not file.suffix[1:].isdigit()) or file.name.upper() == "DICOMDIR":
        return False
    with file.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


@quiet_dicom()
def series_of(files: Sequence[Path]) -> list[tuple[str | None, tuple[Path, ...]]]:
    """Files of one folder by image.

    Args:
        files: DICOM files.

    Returns:
        Patient and files of each image: single-frame files of one series, size and orientation at different places
        are one volume, in the order of their places; every other file stands alone.

    Raises:
        InputError: if a file is damaged; it is named by its position.
    """
    headers = [_header(file, position) for position, file in enumerate(files)]
    grouped: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for position, header in enumerate(headers):
        grouped[header.key].append(position)
    found = []
    for members in grouped.values():
        places = [headers[position].place for position in members]
        known = [place for place in places if place is not None]
        if len(members) > 1 and len(set(known)) == len(members):
            ordered = [position for _, position in sorted(zip(known, members, strict=True))]
            found.append((headers[ordered[0]].patient, tuple(files[position] for position in ordered)))
        else:
            found += [(headers[position].patient, (files[position],)) for position in members]
    return found


@quiet_dicom()
def read_slices(files: Sequence[Path]) -> np.ndarray:
    """Values of one DICOM image.

    Args:
        files: one file, or the slices of a series in order.

    Returns:
        Shape ``(C, H, W)`` or ``(C, D, H, W)``: after rescale slope and intercept; inverted where low values are shown
        bright (``MONOCHROME1``).

    Raises:
        InputError: if the slices are of different sizes.
    """
    slices = [_values(file) for file in files]
    if len(slices) == 1:
        return slices[0]
    if len({part.shape for part in slices}) > 1:
        raise InputError("Expected slices of one size in a DICOM series: got different ones. Separate them.")
    return np.stack(slices, axis=1)


def _header(file: Path, position: int) -> _Header:
    import pydicom

    try:  # values are converted when they are asked for, so that damage shows late
        found = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=[*TAGS, "Rows", "Columns"])
        return _Header(key=_key(found, position), place=_place(found), patient=_patient(found))
    except Exception as error:  # the reader of damaged files raises what it likes
        raise InputError(
            f"Expected DICOM files that can be read: number {position + 1} of a folder is damaged or of another "
            "format. Replace or remove it."
        ) from error


def _key(header: Any, position: int) -> tuple[str, ...]:
    series, orientation = header.get("SeriesInstanceUID"), header.get("ImageOrientationPatient")
    if not series or orientation is None or int(header.get("NumberOfFrames") or 1) > 1:
        return (f"alone {position}",)
    turned = ",".join(f"{float(part):.3f}" for part in orientation)
    return (str(header.get("PatientID", "")), str(series), str(header.get("Rows")), str(header.get("Columns")), turned)


def _place(header: Any) -> float | None:
    """Where a slice stands along its normal, in millimeters."""
    orientation, position = header.get("ImageOrientationPatient"), header.get("ImagePositionPatient")
    if orientation is None or position is None or len(orientation) != 6 or len(position) != 3:
        return None
    normal = np.cross(np.array(orientation[:3], float), np.array(orientation[3:], float))
    return round(float(np.array(position, float) @ normal), 3)


def _patient(header: Any) -> str | None:
    return str(header.get("PatientID", "")).strip() or None


def _values(file: Path) -> np.ndarray:
    import pydicom
    from pydicom.pixels.processing import apply_modality_lut

    dataset = pydicom.dcmread(file)
    values: np.ndarray = np.asarray(apply_modality_lut(dataset.pixel_array, dataset), dtype=np.float64)
    if str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        values = values.max() + values.min() - values
    if int(dataset.get("SamplesPerPixel", 1)) > 1:
        return np.moveaxis(values, -1, 0)
    return values[None]
