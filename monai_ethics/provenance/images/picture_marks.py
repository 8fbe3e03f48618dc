# SPDX-License-Identifier: Apache-2.0
"""What PNG and JPEG files say of their origin: our own mark, and the IPTC digital source type of anybody's XMP."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree

from monai_ethics.provenance.images.read import Marks, parse_mark

__all__ = [
    "IPTC",
    "JPEG_XMP",
    "KEYWORD",
    "OURS",
    "PNG_START",
    "PNG_XMP",
    "jpeg_segments",
    "picture_marks",
    "png_chunks",
]

PNG_START = b"\x89PNG\r\n\x1a\n"
KEYWORD = b"monai_ethics"  # of our tEXt chunk
PNG_XMP = b"XML:com.adobe.xmp"
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
OURS = "tag:monai_ethics,2026:mark/1/"
# what IPTC's terms for content that no camera made say in our words; a term for an acquisition proves nothing
_TERMS = {
    "trainedAlgorithmicMedia": "yes",
    "algorithmicMedia": "yes",
    "compositeWithTrainedAlgorithmicMedia": "partial",
    "compositeSynthetic": "partial",
}


def picture_marks(data: bytes) -> Marks:
    """Marks in the bytes of a PNG or JPEG file, in chunks that are whole; nothing for other formats."""
    layers: dict[str, dict[str, str]] = {}
    if data.startswith(PNG_START):
        for kind, body, holds in _chunks(data):
            name, _, rest = body.partition(b"\0")
            if not holds:
                continue
            if kind == b"tEXt" and name == KEYWORD:
                layers["text"] = parse_mark(rest) or {}
            elif kind == b"iTXt" and name == PNG_XMP:
                layers["xmp"] = _xmp(_itxt(rest))
    elif data.startswith(b"\xff\xd8"):
        for marker, body in jpeg_segments(data)[0]:
            if marker == 0xE1 and body.startswith(JPEG_XMP):
                layers["xmp"] = _xmp(body[len(JPEG_XMP) :])
    return Marks.from_layers({name: layers[name] for name in ("text", "xmp") if layers.get(name)})


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]] | None:
    """Type and body of each chunk up to the last; ``None`` if the lengths or checksums are damaged."""
    found = list(_chunks(data))
    whole = bool(found) and found[-1][0] == b"IEND" and all(holds for *_, holds in found)
    return [(kind, body) for kind, body, _ in found] if whole else None


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Type and body of each chunk, and whether its checksum holds, as far as the lengths lead."""
    place = len(PNG_START)
    while place + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, place)
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        check = data[place + 8 + size : place + 12 + size]
        if len(check) != 4:
            return
        yield kind, body, zlib.crc32(kind + body) == struct.unpack(">I", check)[0]
        place += 12 + size
        if kind == b"IEND":
            return


def jpeg_segments(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Marker and body of each segment before the image data, and where those begin (0 if the structure is damaged)."""
    segments: list[tuple[int, bytes]] = []
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # filling
            place += 1
            continue
        (size,) = struct.unpack_from(">H", data, place + 2)
        if size < 2 or place + 2 + size > len(data):
            return segments, 0
        if marker in (0xDA, 0xD9):
            return segments, place
        segments.append((marker, data[place + 4 : place + 2 + size]))
        place += 2 + size
    return segments, 0


def _itxt(rest: bytes) -> bytes:
    """Text of an iTXt chunk after its keyword: compression flag and method, language, translated keyword, text."""
    flag, method, parts = rest[:1], rest[1:2], rest[2:].split(b"\0", 2)
    text = parts[-1] if len(parts) == 3 else b""
    try:
        if flag == b"\1" and method == b"\0":
            text = zlib.decompressobj().decompress(text, 1_000_000)
        elif flag != b"\0":  # no reader knows another
            return b""
        text.decode()  # the standard asks for UTF-8, and readers drop what is not
    except (zlib.error, UnicodeDecodeError):
        return b""
    return text


def _xmp(packet: bytes) -> dict[str, str]:
    """What a packet says; one with entities of its own is not read, nor one in UTF-16, which could hide them."""
    packet = packet.strip(b"\0 \n\r\t")
    if b"<!" in packet or b"\0" in packet or len(packet) > 1_000_000:
        return {}
    try:
        root = ElementTree.fromstring(packet)
    except (ElementTree.ParseError, ValueError):
        return {}
    said: dict[str, str] = {}
    for name, text in _properties(root):
        if name == f"{{{IPTC}}}DigitalSourceType":
            said["digital_source_type"] = text
        elif name.startswith(f"{{{OURS}}}"):
            said[name.rpartition("}")[2]] = text
    if set(said) == {"digital_source_type"}:  # of other software: there the term alone says it
        said["synthetic"] = _TERMS.get(said["digital_source_type"].rstrip("/").rpartition("/")[2], "")
    if said.get("synthetic") not in ("yes", "no", "partial"):
        said.pop("synthetic", None)
    return {name: text for name, text in said.items() if name in _FIELDS}


_FIELDS = ("synthetic", "record", "voxel_v1", "digital_source_type")


def _properties(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """Properties in either of XMP's two spellings: attributes of a description, or elements."""
    for element in root.iter():
        yield from element.attrib.items()
        yield element.tag, (element.text or "").strip()
