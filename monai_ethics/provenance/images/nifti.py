# SPDX-License-Identifier: Apache-2.0
"""NIfTI files: read with nibabel; marked in place without touching a single voxel byte."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.provenance.images.read import Image, Marks
from monai_ethics.provenance.log.canonical import canonical, strict_loads
from monai_ethics.provenance.log.storage import write_atomically

__all__ = ["MARK_SCHEMA", "mark_nifti", "read_nifti"]

MARK_SCHEMA = "monai_ethics.mark/1"
_COMMENT = 6  # registered extension code for text
_WORD = "SYNTHETIC me1:"
# place of: descrip, vox_offset with its format, end of the header; by sizeof_hdr
_LAYOUT = {348: (148, 108, "f", 348), 540: (240, 168, "q", 540)}


def read_nifti(path: Path) -> Image:
    """Read a NIfTI-1 or NIfTI-2 file; integers stay integers where the header has no scaling."""
    stored: Any = nib.load(path)
    if not isinstance(stored, nib.Nifti1Pair):
        raise InputError("Expected a NIfTI file: got another format of that name. Convert it.")
    array = np.asanyarray(stored.dataobj)
    if array.dtype.names:  # RGB24 and RGBA32
        array = np.stack([array[name] for name in array.dtype.names], axis=-1)
        axes = "xyzt"[: array.ndim - 1] + "c"
    else:
        while array.ndim > 5 and array.shape[-1] == 1:
            array = array[..., 0]
        axes = "xyztc"[: array.ndim]
    marks = _marks(stored.header)
    attributes = {"SyntheticData": {"yes": "YES", "no": "NO"}.get(marks.synthetic or "")}
    media_type = "application/x-nifti+gzip" if path.name.lower().endswith(".gz") else "application/x-nifti"
    return Image(
        array=array,
        axes=axes,
        affine=np.asarray(stored.affine),
        media_type=media_type,
        marks=marks,
        attributes={name: value for name, value in attributes.items() if value},
    )


def _marks(header: Any) -> Marks:
    for extension in header.extensions:
        if extension.get_code() != _COMMENT:
            continue
        mark = _read_mark(extension)
        if mark is not None:
            return mark
    text = bytes(header["descrip"]).split(b"\0")[0].decode("latin-1")
    if text.startswith(_WORD):
        return Marks(synthetic="yes", record="sha256:" + text[len(_WORD) :][:16])
    return Marks()


def _read_mark(extension: Any) -> Marks | None:
    content = extension.get_content()
    data = content.encode() if isinstance(content, str) else bytes(content)
    try:
        mark = strict_loads(data.rstrip(b"\0 "))
    except SchemaError:
        return None
    if not isinstance(mark, dict) or mark.get("schema") != MARK_SCHEMA:
        return None
    synthetic, record, voxel = (mark.get(name) for name in ("synthetic", "record", "voxel_v1"))
    return Marks(
        synthetic=synthetic if synthetic in ("yes", "no", "partial") else None,
        record=record if isinstance(record, str) else None,
        voxel_v1=voxel if isinstance(voxel, str) else None,
    )


def mark_nifti(path: Path, *, synthetic: str, record: str, voxel_v1: str | None) -> bool:
    """Write the mark into a single-file NIfTI: a header extension (code 6, JSON) and `descrip`.

    The bytes of the voxels are copied as they are. The extension is the full pointer; `descrip` is what tools built
    on ITK carry on.

    Args:
        path: ``.nii`` or ``.nii.gz``; replaced atomically.
        synthetic: ``"yes"`` or ``"partial"``.
        record: id of the record.
        voxel_v1: digest of the image.

    Returns:
        Whether the format could be marked: a pair of files cannot.
    """
    data = path.read_bytes()
    compressed = data[:2] == b"\x1f\x8b"
    raw = gzip.decompress(data) if compressed else data
    order = "<" if struct.unpack("<i", raw[:4])[0] in _LAYOUT else ">"
    layout = _LAYOUT.get(struct.unpack(order + "i", raw[:4])[0])
    single = raw[344:347] == b"n+1" or raw[4:7] == b"n+2"
    if layout is None or not single or struct.unpack_from(order + layout[2], raw, layout[1])[0] < layout[3] + 4:
        return False
    mark = {"schema": MARK_SCHEMA, "synthetic": synthetic, "record": record, "voxel_v1": voxel_v1}
    marked = _insert(raw, canonical(mark), order=order, layout=layout, word=_WORD + record.removeprefix("sha256:")[:16])
    write_atomically(
        path,
        gzip.compress(marked, compresslevel=1, mtime=0) if compressed else marked,
        mode=path.stat().st_mode & 0o777,
    )
    return True


def _insert(raw: bytes, mark: bytes, *, order: str, layout: tuple[int, int, str, int], word: str) -> bytes:
    at_text, at_offset, kind, end = layout
    offset = int(struct.unpack_from(order + kind, raw, at_offset)[0])
    kept = b"".join(_other_extensions(raw[end + 4 : offset], order=order)) if raw[end : end + 1] != b"\0" else b""
    size = -(-(len(mark) + 8) // 16) * 16
    added = struct.pack(order + "ii", size, _COMMENT) + mark.ljust(size - 8, b"\0")
    start = -(-(end + 4 + len(kept) + size) // 16) * 16
    header = bytearray(raw[:end])
    old = bytes(header[at_text : at_text + 80]).split(b"\0")[0]
    text = word.encode() if old.startswith(_WORD.encode()) or not old else word.encode() + b"; " + old
    header[at_text : at_text + 80] = text[:79].ljust(80, b"\0")
    struct.pack_into(order + kind, header, at_offset, start)
    middle = b"\1\0\0\0" + kept + added
    return bytes(header) + middle.ljust(start - end, b"\0") + raw[offset:]


def _other_extensions(area: bytes, *, order: str) -> list[bytes]:
    """Extensions but our own earlier mark."""
    kept, place = [], 0
    while place + 8 <= len(area):
        size, code = struct.unpack_from(order + "ii", area, place)
        if size < 16 or place + size > len(area):
            break
        item = area[place : place + size]
        if not (code == _COMMENT and f'"schema":{json.dumps(MARK_SCHEMA)}'.encode() in item):
            kept.append(item)
        place += size
    return kept
