# SPDX-License-Identifier: Apache-2.0
"""NRRD and MetaImage files of one piece, and FreeSurfer's MGH: volumes that MONAI's writers and others leave."""

from __future__ import annotations

import math
import re
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.nifti import described_layer
from monai_ethics.provenance.images.read import Image, Marks

__all__ = ["described_marks", "read_metaimage", "read_mgh", "read_nrrd"]

_LONGEST = 1 << 16  # a header is longer than this in no file that holds an image only
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_SPACES = {
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
}
_NRRD = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1",
    "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1",
    "short": "i2", "int16": "i2", "int16_t": "i2", "signed short": "i2",
    "ushort": "u2", "unsigned short": "u2", "uint16": "u2", "uint16_t": "u2",
    "int": "i4", "int32": "i4", "int32_t": "i4", "signed int": "i4",
    "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
    "longlong": "i8", "long long": "i8", "int64": "i8", "int64_t": "i8",
    "ulonglong": "u8", "unsigned long long": "u8", "uint64": "u8", "uint64_t": "u8",
    "float": "f4", "double": "f8",
}  # fmt: skip
_META = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_DESCRIBED = re.compile(rb"^descrip ?:?= ?(SYNTHETIC me1:[^\n]*)$", re.M)
_DOMAIN = ("domain", "space")


def _other() -> InputError:
    return InputError("Expected an image file of one piece and a common encoding: got another. Convert it to NIfTI.")


def read_nrrd(path: Path) -> Image:
    """Read an NRRD file with its data attached, raw or compressed by gzip.

    References:
        NRRD format definition, http://teem.sourceforge.net/nrrd/format.html.
    """
    data = path.read_bytes()
    head, separator, body = data[:_LONGEST].partition(b"\n\n")
    if not separator or not head.startswith(b"NRRD"):
        raise _other()
    lines = [line.partition(b":") for line in head.split(b"\n")[1:] if not line.startswith(b"#")]
    fields = {key.decode().strip().lower(): value.decode("utf-8", "replace").strip() for key, _, value in lines}
    if {"data file", "datafile", "byte skip", "line skip"} & set(fields) or fields["type"] not in _NRRD:
        raise _other()
    body = data[len(head) + 2 :]
    encoding = fields["encoding"].lower()
    sizes = [int(size) for size in fields["sizes"].split()]
    if encoding in ("gzip", "gz"):
        body = _unpacked(body, _NRRD[fields["type"]], sizes, wbits=31)
    elif encoding != "raw":
        raise _other()
    order = ">" if fields.get("endian", "little") == "big" else "<"
    array = _filled(body, order + _NRRD[fields["type"]], sizes)
    axes, affine = _nrrd_axes(fields, len(sizes))
    marks = described_marks(path)
    return Image(array=array, axes=axes, affine=affine, media_type="application/x-nrrd", marks=marks)


def _nrrd_axes(fields: dict[str, str], dims: int) -> tuple[str, np.ndarray | None]:
    """Roles of the axes, fastest first, and the affine where the file has directions of three axes."""
    vectors = [text.strip("() ") for text in fields.get("space directions", "").replace(", ", ",").split()]
    kinds = fields.get("kinds", "").lower().split() or ["domain"] * dims
    spatial = [number for number in range(dims) if (vectors[number] != "none" if vectors else kinds[number] in _DOMAIN)]
    rest = [number for number in range(dims) if number not in spatial]
    axes = [""] * dims
    for role, number in zip("xyzt", spatial, strict=False):
        axes[number] = role
    free = [role for role in ("tc" if len(rest) > 1 else "c") if role not in axes]
    for role, number in zip(free, rest, strict=False):
        axes[number] = "t" if kinds[number] in ("time", "list") else role
    if "" in axes or len(set(axes)) != dims:
        raise _other()
    space = fields.get("space", "").lower()
    if len(spatial) == 4 and space in ("", "left-posterior-superior-time"):  # ITK names no space in four dimensions
        space, spatial = "lps", spatial[:3]
    if len(spatial) != 3 or not vectors or space not in _SPACES:
        return "".join(axes), None
    affine = np.eye(4)
    for column, number in enumerate(spatial):
        affine[:3, column] = [float(part) for part in vectors[number].split(",")[:3]]
    if "space origin" in fields:
        affine[:3, 3] = [float(part) for part in fields["space origin"].strip("() ").split(",")[:3]]
    return "".join(axes), np.diag([*_SPACES[space], 1.0]) @ affine


def described_marks(path: Path) -> Marks:
    """What the description in the header says, which ITK carries from a NIfTI file into either format."""
    with path.open("rb") as file:
        found = _DESCRIBED.search(file.read(_LONGEST))
    layer = described_layer(found[1].decode("latin-1").strip()) if found else None
    return Marks.from_layers({"descrip": layer} if layer else {})


def read_metaimage(path: Path) -> Image:
    """Read a MetaImage file (``.mha``) with its data in the same file, raw or compressed.

    References:
        ITK, MetaIO documentation, "MetaImage".
    """
    data = path.read_bytes()
    start = data[:_LONGEST].find(b"ElementDataFile")
    end = data.find(b"\n", start)
    if start < 0 or end < 0:
        raise _other()
    lines = [line.partition("=") for line in data[:end].decode("utf-8", "replace").splitlines()]
    fields = {key.strip(): value.strip() for key, _, value in lines}
    binary = fields.get("BinaryData", "False").lower() == "true"
    if fields["ElementDataFile"] != "LOCAL" or not binary or fields["ElementType"] not in _META:
        raise _other()
    body = data[end + 1 :]
    sizes = [int(size) for size in fields["DimSize"].split()]
    channels = int(fields.get("ElementNumberOfChannels", 1))
    axes = "xyzt"[: len(sizes)]
    if channels > 1:
        sizes, axes = [channels, *sizes], "c" + axes
    if fields.get("CompressedData", "False").lower() == "true":
        body = _unpacked(body, _META[fields["ElementType"]], sizes, wbits=15)
    big = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False")).lower() == "true"
    array = _filled(body, (">" if big else "<") + _META[fields["ElementType"]], sizes)
    affine, marks = _meta_affine(fields), described_marks(path)
    return Image(array=array, axes=axes, affine=affine, media_type="application/x-metaimage", marks=marks)


def _meta_affine(fields: dict[str, str]) -> np.ndarray | None:
    dims = int(fields["NDims"])
    if dims < 3:
        return None
    matrix = fields.get("TransformMatrix", " ".join(map(str, np.eye(dims).ravel())))
    directions = np.array(matrix.split(), dtype=float).reshape(dims, dims).T  # a row for each axis
    spacing = np.array(fields.get("ElementSpacing", "1 " * dims).split(), dtype=float)
    offset = np.array(fields.get("Offset", fields.get("Position", "0 " * dims)).split(), dtype=float)
    affine = np.eye(4)
    affine[:3, :3] = _LPS_TO_RAS @ directions[:3, :3] @ np.diag(spacing[:3])
    affine[:3, 3] = _LPS_TO_RAS @ offset[:3]
    return affine


def _unpacked(body: bytes, form: str, sizes: list[int], *, wbits: int) -> bytes:
    """As many bytes as the header asks for, and no more than such a body can hold: a few may claim to be many."""
    needed = math.prod(sizes) * np.dtype(form).itemsize
    if not 0 < needed <= 1032 * len(body):  # the most that deflate can do
        raise InputError("Expected a readable image: got a truncated or damaged file. Restore it.")
    return zlib.decompressobj(wbits).decompress(body, needed)


def _filled(body: bytes, form: str, sizes: list[int]) -> np.ndarray:
    """Array of an image whose first axis is the fastest."""
    count = math.prod(sizes)
    if len(body) < count * np.dtype(form).itemsize:
        raise InputError("Expected a readable image: got a truncated or damaged file. Restore it.")
    return np.frombuffer(body, dtype=form, count=count).reshape(sizes, order="F")


def read_mgh(path: Path) -> Image:
    """Read a file of FreeSurfer (``.mgh``, ``.mgz``) with nibabel."""
    stored: Any = nib.load(path)
    array = np.asanyarray(stored.dataobj)
    axes = "xyzt"[: array.ndim]
    return Image(array=array, axes=axes, affine=np.asarray(stored.affine), media_type="application/x-mgh")
