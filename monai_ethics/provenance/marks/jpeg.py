# SPDX-License-Identifier: Apache-2.0
"""Marking JPEG files in place: an XMP packet in a segment before the image data, which stay as they are."""

from __future__ import annotations

import struct
from pathlib import Path

from monai_ethics.provenance.images.picture_marks import JPEG_XMP, jpeg_segments
from monai_ethics.provenance.log.files.storage import write_atomically
from monai_ethics.provenance.marks.statement import mark_of
from monai_ethics.provenance.marks.xmp import packet_with

__all__ = ["mark_jpeg"]

_APP0, _APP1 = 0xE0, 0xE1
_LARGEST = 0xFFFF - 2


def mark_jpeg(path: Path, *, synthetic: str, record: str, voxel_v1: str | None) -> bool:
    """Write the mark into a JPEG: an APP1 segment with an XMP packet; arguments and result as for `mark_png`.

    References:
        XMP Specification Part 3, 1.1.3.
    """
    data = path.read_bytes()
    segments, rest = jpeg_segments(data) if data.startswith(b"\xff\xd8") else ([], 0)
    old = [body[len(JPEG_XMP) :] for marker, body in segments if _is_xmp(marker, body)]
    if not rest or len(old) > 1:
        return False
    mark = mark_of({"synthetic": synthetic, "id": record}, voxel_v1=voxel_v1)
    packet = packet_with(mark, old[0] if old else None)
    if packet is None or len(JPEG_XMP + packet) > _LARGEST:
        return False
    kept = [(marker, body) for marker, body in segments if not _is_xmp(marker, body)]
    # JFIF and Exif come first
    place = next((at for at, (marker, _) in enumerate(kept) if marker not in (_APP0, _APP1)), len(kept))
    kept.insert(place, (_APP1, JPEG_XMP + packet))
    head = b"".join(bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body for marker, body in kept)
    write_atomically(path, data[:2] + head + data[rest:], mode=path.stat().st_mode & 0o777)
    return True


def _is_xmp(marker: int, body: bytes) -> bool:
    return marker == _APP1 and body.startswith(JPEG_XMP)
