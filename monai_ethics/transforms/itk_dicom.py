# SPDX-License-Identifier: Apache-2.0
"""Writing DICOM with ITK although it cannot write the flag of synthetic data: the marks are put back afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monai_ethics._quiet import quiet_dicom
from monai_ethics.provenance.marks.dicom import IdentityCase, copy_marks, mark_dataset, write_dataset

__all__ = ["itk_safe", "write_dicom_with_itk"]

_FLAG = "0008|001c"


@contextmanager
def itk_safe(image: Any) -> Iterator[str | None]:
    """Take the flag of synthetic data out of an ITK image for as long as it is written; yields what it said.

    The writers of ITK 5.4 and earlier end with "An invalid logic behavior occurred" where a tag of the standard is
    younger than their dictionary, as (0008,001C) is. Later ones drop it in silence. What is written meanwhile bears no
    flag: put it back, as `write_dicom_with_itk` does.

    Args:
        image: an ``itk.Image``, as ``itk.imread`` returns it.
    """
    dictionary = image.GetMetaDataDictionary()
    flag = str(dictionary[_FLAG]).strip() if dictionary.HasKey(_FLAG) else None
    if flag is None:
        yield None
        return
    dictionary.Erase(_FLAG)
    try:
        yield flag
    finally:
        dictionary[_FLAG] = flag


@quiet_dicom()
def write_dicom_with_itk(
    image: Any,
    path: Path,
    *,
    source: Path | None = None,
    record: Mapping[str, Any] | None = None,
    identity: IdentityCase | None = None,
) -> None:
    """Write an ITK image as DICOM and put back the marks that ITK cannot write; no unmarked file is ever at `path`.

    Args:
        image: an ``itk.Image``.
        path: file to write, of a name that ends in ``.dcm``.
        source: the file that the image was read from: its marks are carried over, sequences and private block too.
        record: provenance record of what was made of it, marked besides.
        identity: identity case for that record.

    Raises:
        InputError, GateError: as `mark_dataset` does.
    """
    import itk
    import pydicom

    path = Path(path)
    temporary = path.parent / f".{os.urandom(6).hex()}.tmp.dcm"
    try:
        with itk_safe(image) as flag:
            itk.imwrite(image, str(temporary))
        dataset = pydicom.dcmread(temporary)
        if flag:
            dataset.SyntheticData = flag
        if source is not None:
            copy_marks(pydicom.dcmread(source, stop_before_pixels=True), dataset)
        if record is not None:
            mark_dataset(dataset, record, identity=identity)
        write_dataset(dataset, path)
    finally:
        temporary.unlink(missing_ok=True)
