# SPDX-License-Identifier: Apache-2.0
"""Marking NIfTI files in place without touching a single voxel byte."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_ethics.provenance.images.nifti import COMMENT, WORD
from monai_ethics.provenance.images.read import parse_mark
from monai_ethics.provenance.log.files.storage import write_atomically
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.marks.statement import mark_of

__all__ = ["mark_nifti"]

# place of: descrip, vox_offset with its format, end of the header; by sizeof_hdr
_LAYOUT = {348: (148, 108, "f", 348), 540: (240, 168, "q", 540)}


def mark_nifti(path: Path, *, synthetic: str, record: str, voxel_v1: str | None) -> bool:
    """Write the mark into a single-file NIfTI: a header extension (code 6, JSON) and `descrip`.

    The bytes of the voxels are copied as they are, and so are other extensions. The extension is the full pointer;
    `descrip` is what tools built on ITK carry on.

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
    if len(raw) < 348:
        return False
    order = "<" if struct.unpack("<i", raw[:4])[0] in _LAYOUT else ">"
    layout = _LAYOUT.get(struct.unpack(order + "i", raw[:4])[0])
    single = raw[344:347] == b"n+1" or raw[4:7] == b"n+2"
    if layout is None or not single or struct.unpack_from(order + layout[2], raw, layout[1])[0] < layout[3] + 4:
        return False
    mark = mark_of({"synthetic": synthetic, "id": record}, voxel_v1=voxel_v1)
    marked = _insert(raw, mark, order=order, layout=layout)
    write_atomically(
        path,
        gzip.compress(marked, compresslevel=1, mtime=0) if compressed else marked,
        mode=path.stat().st_mode & 0o777,
    )
    return True


def _insert(raw: bytes, mark: Mapping[str, Any], *, order: str, layout: tuple[int, int, str, int]) -> bytes:
    at_text, at_offset, kind, end = layout
    offset = int(struct.unpack_from(order + kind, raw, at_offset)[0])
    kept = b"".join(_other_extensions(raw[end + 4 : offset], order=order)) if raw[end : end + 1] != b"\0" else b""
    content = canonical(mark)
    size = -(-(len(content) + 8) // 16) * 16
    added = struct.pack(order + "ii", size, COMMENT) + content.ljust(size - 8, b"\0")
    start = -(-(end + 4 + len(kept) + size) // 16) * 16
    header = bytearray(raw[:end])
    header[at_text : at_text + 80] = _description(mark, bytes(header[at_text : at_text + 80]).split(b"\0")[0])
    struct.pack_into(order + kind, header, at_offset, start)
    middle = b"\1\0\0\0" + kept + added
    return bytes(header) + middle.ljust(start - end, b"\0") + raw[offset:]


def _description(mark: Mapping[str, Any], old: bytes) -> bytes:
    """The 80 bytes of `descrip`: our word, then as much as fits of what stood there and was not ours."""
    kept = WORD.sub("", old.decode("latin-1"), count=1)
    word = "SYNTHETIC me1:" + mark["record"].removeprefix("sha256:")[:16]
    word += " partial" if mark["synthetic"] == "partial" else ""
    return (f"{word}; {kept}" if kept else word).encode("latin-1")[:79].ljust(80, b"\0")


def _other_extensions(area: bytes, *, order: str) -> list[bytes]:
    """Extensions but our own earlier mark."""
    kept, place = [], 0
    while place + 8 <= len(area):
        size, code = struct.unpack_from(order + "ii", area, place)
        if size < 16 or place + size > len(area):
            break
        item = area[place : place + size]
        if code != COMMENT or parse_mark(item[8:].rstrip(b"\0 ")) is None:
            kept.append(item)
        place += size
    return kept
