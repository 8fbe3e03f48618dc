# SPDX-License-Identifier: Apache-2.0
"""Marking PNG files in place: an XMP packet and a text chunk; the chunks of the pixels stay as they are."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

from monai_ethics.provenance.images.picture_marks import KEYWORD, PNG_START, PNG_XMP, png_chunks
from monai_ethics.provenance.log.files.storage import write_atomically
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.marks.statement import mark_of
from monai_ethics.provenance.marks.xmp import packet_with

__all__ = ["mark_png"]


def mark_png(path: Path, *, synthetic: str, record: str, voxel_v1: str | None) -> bool:
    """Write the mark into a PNG: ``iTXt`` with the keyword ``XML:com.adobe.xmp``, and ``tEXt`` of our own.

    An XMP packet of the picture is kept and added to; where it states a digital source type of its own, only the text
    chunk is written. Software that saves the picture anew may drop both.

    Args:
        path: the file; replaced atomically.
        synthetic: ``"yes"`` or ``"partial"``.
        record: id of the record.
        voxel_v1: digest of the image.

    Returns:
        Whether it was marked: a damaged file is not.

    References:
        PNG (Third Edition) 11.3.3; XMP Specification Part 3, 1.1.5; IPTC Photo Metadata, Digital Source Type.
    """
    data = path.read_bytes()
    chunks = png_chunks(data) if data.startswith(PNG_START) else None
    if chunks is None:
        return False
    end = len(PNG_START) + sum(12 + len(body) for _, body in chunks)
    mark = mark_of({"synthetic": synthetic, "id": record}, voxel_v1=voxel_v1)
    kept, packet = _other_chunks(chunks, mark)
    added = [(b"tEXt", KEYWORD + b"\0" + canonical(mark))]
    if packet is not None:
        added.insert(0, (b"iTXt", PNG_XMP + b"\0\0\0\0\0" + packet))
    marked = PNG_START + b"".join(_chunk(*chunk) for chunk in [kept[0], *added, *kept[1:]])
    write_atomically(path, marked + data[end:], mode=path.stat().st_mode & 0o777)
    return True


def _other_chunks(
    chunks: list[tuple[bytes, bytes]], mark: Mapping[str, str | None]
) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
    """Chunks without our earlier mark, and the packet to write; one that cannot be added to stays."""
    kept, old = [], []
    for kind, body in chunks:
        name, _, rest = body.partition(b"\0")
        if kind == b"iTXt" and name == PNG_XMP:
            old.append((kind, body, rest))
        elif not (kind == b"tEXt" and name == KEYWORD):
            kept.append((kind, body))
    if not old:
        return kept, packet_with(mark, None)
    plain = len(old) == 1 and old[0][2].startswith(b"\0\0\0\0")
    packet = packet_with(mark, old[0][2][4:]) if plain else None
    if packet is None:
        kept[1:1] = [(kind, body) for kind, body, _ in old]
    return kept, packet


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
