# SPDX-License-Identifier: Apache-2.0
"""Marks in PNG and JPEG files, read by other software as well; the pixels stay byte for byte."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

from monai_ethics.provenance.images.digest import digest_file
from monai_ethics.provenance.images.picture_marks import picture_marks, png_chunks
from monai_ethics.provenance.marks.jpeg import mark_jpeg
from monai_ethics.provenance.marks.png import mark_png
from monai_ethics.provenance.registry.stamp import stamp_file

pil = pytest.importorskip("PIL.Image")
png_info = pytest.importorskip("PIL.PngImagePlugin")
RECORD = "sha256:" + "ab" * 32
VOXEL = "cd" * 32
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
MARKERS = {"png": mark_png, "jpg": mark_jpeg}


def picture(path, **options):
    array = np.random.default_rng(1).integers(0, 255, size=(30, 40)).astype(np.uint8)
    pil.fromarray(array).save(path, **options)
    return path


def mark(path, **options):
    said = {"synthetic": "yes", "record": RECORD, "voxel_v1": VOXEL} | options
    return MARKERS[path.suffix[1:]](path, **said)


def xmp_of(path):
    """The packet as Pillow finds it, parsed by itself."""
    with pil.open(path) as image:
        packet = image.info["XML:com.adobe.xmp"] if path.suffix == ".png" else image.info["xmp"]
    return ElementTree.fromstring(packet.strip("\0") if isinstance(packet, str) else packet)


def stated(root):
    return [value for element in root.iter() for name, value in element.attrib.items() if name == IPTC]


@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.parametrize(
    ("state", "term"), [("yes", "trainedAlgorithmicMedia"), ("partial", "compositeWithTrainedAlgorithmicMedia")]
)
def test_another_reader_finds_the_source_type_and_the_record(tmp_path, ending, state, term):
    path = picture(tmp_path / f"a.{ending}")
    assert mark(path, synthetic=state)
    root = xmp_of(path)
    assert stated(root) == [SOURCE + term]
    assert RECORD in [value for element in root.iter() for value in element.attrib.values()]
    if ending == "png":
        with pil.open(path) as image:
            assert json.loads(image.info["monai_ethics"])["record"] == RECORD
    marks = digest_file(path).marks
    assert (marks.synthetic, marks.record, marks.voxel_v1, marks.contradiction) == (state, RECORD, VOXEL, "")


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_the_pixels_are_untouched_byte_for_byte(tmp_path, ending):
    path = picture(tmp_path / f"a.{ending}")
    before, digest = path.read_bytes(), digest_file(path).voxel_v1
    mark(path)
    after = path.read_bytes()
    if ending == "png":
        data = [[body for kind, body in png_chunks(raw) if kind == b"IDAT"] for raw in (before, after)]
        assert data[0] == data[1]
    else:
        assert after.endswith(before[before.index(b"\xff\xda") :])
    assert digest_file(path).voxel_v1 == digest


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_marking_again_replaces_the_mark(tmp_path, ending):
    path = picture(tmp_path / f"a.{ending}")
    for record in (RECORD, "sha256:" + "ef" * 32, RECORD):
        mark(path, record=record)
    once = path.read_bytes()
    mark(path)
    assert path.read_bytes() == once
    assert stated(xmp_of(path)) == [SOURCE + "trainedAlgorithmicMedia"]


OTHER = (
    b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/png"/>%s'
    b'</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
THEIRS = (
    b'<rdf:Description rdf:about="" xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
    b"<i:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/%s</i:DigitalSourceType></rdf:Description>"
)


def with_packet(path, packet):
    if path.suffix == ".png":
        info = png_info.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        info.add_text("Comment", "kept")
        return picture(path, pnginfo=info)
    return picture(path, xmp=packet)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_packet_of_other_software_is_added_to(tmp_path, ending):
    path = with_packet(tmp_path / f"a.{ending}", OTHER % b"")
    assert mark(path)
    root = xmp_of(path)
    assert "image/png" in [value for element in root.iter() for value in element.attrib.values()]
    assert len(stated(root)) == 1
    if ending == "png":
        with pil.open(path) as image:
            assert image.info["Comment"] == "kept"


@pytest.mark.parametrize(
    ("term", "state"),
    [
        (b"trainedAlgorithmicMedia", "yes"),
        (b"algorithmicMedia", "yes"),
        (b"compositeSynthetic", "partial"),
        (b"digitalCapture", None),
    ],
)
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_source_type_that_others_stated_is_read_and_never_given_a_second_value(tmp_path, ending, term, state):
    path = with_packet(tmp_path / f"a.{ending}", OTHER % (THEIRS % term))
    assert digest_file(path).marks.synthetic == state
    assert mark(path) == (ending == "png")  # a PNG has room for our own text besides
    root = xmp_of(path)
    assert stated(root) == []
    assert [element.text for element in root.iter() if element.tag == IPTC] == [SOURCE + term.decode()]
    if ending == "png":
        assert digest_file(path).marks.synthetic == "yes"


def test_a_compressed_packet_is_read(tmp_path):
    info = png_info.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", (OTHER % (THEIRS % b"trainedAlgorithmicMedia")).decode(), zip=True)
    path = picture(tmp_path / "a.png", pnginfo=info)
    assert digest_file(path).marks.synthetic == "yes"
    assert mark(path)
    assert set(digest_file(path).marks.layers) == {"text", "xmp"}


def test_places_that_contradict_are_synthetic_and_say_so(tmp_path):
    path = picture(tmp_path / "a.png")
    mark(path)
    data = path.read_bytes()
    for kind, body in png_chunks(data):
        if kind == b"tEXt":
            changed = body.replace(b'"yes"', b'"no" ')
            data = data.replace(
                body + struct.pack(">I", zlib.crc32(kind + body)),
                changed + struct.pack(">I", zlib.crc32(kind + changed)),
            )
    marks = picture_marks(data)
    assert marks.layers["text"]["synthetic"] == "no"
    assert marks.synthetic == "yes"
    assert "in another that it is not" in marks.contradiction


@pytest.mark.parametrize(
    "packet",
    [
        b"no XML",
        b"<a>" * 20,
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<rdf/>",
        b"\xff\xfe",
    ],
)
def test_damaged_packets_say_nothing_and_stop_nothing(tmp_path, packet):
    path = picture(tmp_path / "a.jpg", xmp=packet)
    assert digest_file(path).marks.synthetic is None
    assert not mark(path)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_damaged_files_are_not_marked_and_stay_as_they_are(tmp_path, ending):
    path = picture(tmp_path / f"a.{ending}")
    whole = path.read_bytes()
    for data in (b"", b"text", whole[:25], whole[:1], whole[:8] + b"\xff" * 30):
        path.write_bytes(data)
        assert not mark(path)
        assert path.read_bytes() == data
        assert picture_marks(data).synthetic is None


def test_bytes_behind_the_end_of_a_png_stay(tmp_path):
    path = picture(tmp_path / "a.png")
    path.write_bytes(path.read_bytes() + b"more")
    assert mark(path)
    assert path.read_bytes().endswith(b"more")


def test_exif_and_icc_of_a_jpeg_stay_and_come_first(tmp_path):
    exif = pil.Exif()
    exif[0x010E] = "a description"
    path = picture(tmp_path / "a.jpg", exif=exif, icc_profile=b"profile")
    assert mark(path)
    with pil.open(path) as image:
        assert image.getexif()[0x010E] == "a description"
        assert image.info["icc_profile"] == b"profile"


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16"])
def test_every_kind_of_png_keeps_its_pixels(tmp_path, mode):
    rng = np.random.default_rng(0)
    size = (9, 7)
    image = (
        pil.fromarray(rng.integers(0, 60000, size=size).astype(np.uint16))
        if mode == "I;16"
        else pil.fromarray(rng.integers(0, 255, size=(*size, 3)).astype(np.uint8)).convert(mode)
    )
    path = tmp_path / "a.png"
    image.save(path)
    stamp_file(path)
    with pil.open(path) as again:
        assert again.mode == image.mode
        assert hashlib.sha256(again.tobytes()).digest() == hashlib.sha256(image.tobytes()).digest()


@pytest.mark.parametrize("ending", ["bmp", "tif"])
def test_pictures_without_a_place_for_a_mark_get_a_sidecar(tmp_path, ending):
    assert stamp_file(picture(tmp_path / f"a.{ending}")) == ("sidecar",)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_stamping_marks_the_picture_and_keeps_its_permissions(tmp_path, ending):
    path = picture(tmp_path / f"a.{ending}")
    path.chmod(0o600)
    assert stamp_file(path) == ("header", "sidecar")
    assert path.stat().st_mode & 0o777 == 0o600


def test_entities_are_not_read_in_utf_16_either(tmp_path):
    path = picture(tmp_path / "a.jpg")
    space, name = IPTC[1:].split("}")
    text = f'<!DOCTYPE a [<!ENTITY b "x/algorithmicMedia">]><a xmlns:i="{space}"><i:{name}>&b;</i:{name}></a>'
    packet = b"http://ns.adobe.com/xap/1.0/\0\xfe\xff" + text.encode("utf-16-be")
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(packet) + 2) + packet + data[2:])
    assert picture_marks(path.read_bytes()).synthetic is None
