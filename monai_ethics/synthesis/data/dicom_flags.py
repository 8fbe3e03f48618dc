# SPDX-License-Identifier: Apache-2.0
"""What DICOM headers say of burned-in text and recognizable features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monai_ethics._quiet import quiet_dicom
from monai_ethics.errors import InputError

__all__ = ["dicom_flags"]

TAGS = ("BurnedInAnnotation", "RecognizableVisualFeatures")


@quiet_dicom()
def dicom_flags(files: Sequence[Path]) -> list[tuple[str | None, str | None]]:
    """Values of BurnedInAnnotation (0028,0301) and RecognizableVisualFeatures (0028,0302) of each file.

    Args:
        files: DICOM files.

    Returns:
        ``"YES"``, ``"NO"`` or ``None`` where the header is silent or says something else.

    Raises:
        InputError: if a file cannot be read; it is named by its position.
    """
    import pydicom

    found = []
    for position, file in enumerate(files):
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(TAGS))
        except Exception as error:  # the reader of damaged files raises what it likes
            raise InputError(
                f"Expected DICOM files that can be read: number {position + 1} is damaged or of another format. "
                "Replace or remove it."
            ) from error
        values = [str(header.get(tag, "")).strip().upper() for tag in TAGS]
        burned, visible = (value if value in ("YES", "NO") else None for value in values)
        found.append((burned, visible))
    return found
