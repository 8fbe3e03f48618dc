# SPDX-License-Identifier: Apache-2.0
"""What files say of themselves, from their headers and sidecars alone: no voxel is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from monai_ethics._quiet import quiet_dicom
from monai_ethics.errors import EthicsError
from monai_ethics.provenance.images.digest import FileDigests
from monai_ethics.provenance.images.read import Marks, is_dicom
from monai_ethics.provenance.marks.sidecar import sidecar_marks, sidecar_path
from monai_ethics.provenance.marks.taint import carries_synthetic, combined, state_of

__all__ = ["Told", "peek_all", "peek_marks"]

MOST_IN_SERIES = 5000
_NIFTI = (".nii", ".nii.gz", ".hdr", ".img", ".img.gz")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_Stamp = tuple[int, int] | None


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the files of one image say together.

    Args:
        synthetic: ``"yes"``, ``"no"``, ``"partial"`` or ``"unknown"``.
        records: ids, or beginnings of ids, of the records that they name; sorted, each once.
    """

    synthetic: str = "unknown"
    records: tuple[str, ...] = ()


def peek_all(names: Iterable[str | os.PathLike[str]]) -> Told:
    """What the files of one image say: one file, the channels of an image, or the folder of a series.

    Args:
        names: files, and folders whose DICOM files are one image; what is not there is left out, and says nothing.

    Returns:
        Their states combined, and every record named.
    """
    marks = [peek_marks(path) for name in names for path in _files(Path(name))]
    records = {mark.record for mark in marks if mark.record}
    return Told(synthetic=combined(mark.synthetic for mark in marks), records=tuple(sorted(records)))


def peek_marks(path: Path) -> Marks:
    """Marks of one file, without reading or digesting its values; remembered until file or sidecar change.

    A mark whose image was edited since still says that what it was made of is synthetic. A file that cannot be read
    says nothing: whoever loads it will hear of it.
    """
    found: Marks = _peek(os.fspath(path), _stamp(path), _stamp(sidecar_path(path)))
    return found


@lru_cache(maxsize=65536)
def _peek(name: str, file: _Stamp, sidecar: _Stamp) -> Marks:
    path = Path(name)
    own = Marks()
    if file is not None:
        try:
            own = _own_marks(path)
        except ImportError:
            raise
        except Exception:  # the readers of damaged files raise whatever their parsers stumble over
            own = Marks()
    if sidecar is None or carries_synthetic(own.synthetic):
        return own
    # only what the sidecar says is asked, not whether it is this image's: so no digest is needed
    unsaid = Marks(derived=own.derived)
    try:
        said = sidecar_marks(path, FileDigests(file_sha256="", voxel_v1=None, geometry_v1="", marks=unsaid))
    except (EthicsError, OSError):
        return own
    return said if state_of(said.synthetic) != "unknown" else own


def _stamp(path: Path) -> _Stamp:
    try:
        info = path.stat()
    except (OSError, ValueError):
        return None
    return (info.st_mtime_ns, info.st_size)


def _files(path: Path) -> Iterator[Path]:
    try:
        if path.is_dir():
            inside = (Path(entry.path) for entry in os.scandir(path) if entry.is_file() and entry.name != "DICOMDIR")
            yield from sorted(one for one in islice(inside, MOST_IN_SERIES) if is_dicom(one))
        elif path.is_file():
            yield path
    except (OSError, ValueError):
        return


def _own_marks(path: Path) -> Marks:
    name = path.name.lower()
    if name.endswith(_NIFTI):
        return _nifti(path)
    if name.endswith(_PICTURES):
        return _picture(path)
    if name.endswith((".nrrd", ".mha")):
        from monai_ethics.provenance.images.volumes import described_marks

        return described_marks(path)
    with path.open("rb") as file:
        start = file.read(132)
    if start[128:132] == b"DICM" or name.endswith((".dcm", ".dicom")):
        return _dicom(path)
    return Marks()


def _nifti(path: Path) -> Marks:
    import nibabel

    from monai_ethics.provenance.images.nifti import header_marks

    header: Any = nibabel.load(path).header
    return header_marks(header)


@quiet_dicom()
def _dicom(path: Path) -> Marks:
    import pydicom

    from monai_ethics.provenance.images.dicom_marks import marks_of

    # the private block of our mark may stand at any place of its group: the whole header is read
    return marks_of(pydicom.dcmread(path, stop_before_pixels=True))


def _picture(path: Path) -> Marks:
    from monai_ethics.provenance.images.picture_marks import picture_marks

    return picture_marks(path.read_bytes())
