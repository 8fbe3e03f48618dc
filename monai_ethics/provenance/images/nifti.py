# SPDX-License-Identifier: Apache-2.0
"""NIfTI files, read with nibabel, and what they say of themselves."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.read import Image, Marks, parse_mark

__all__ = ["COMMENT", "WORD", "described_layer", "header_marks", "read_nifti"]

COMMENT = 6  # registered extension code for text
WORD = re.compile(r"SYNTHETIC me1:([0-9a-f]{16})( partial)?(?:; |$)")


def read_nifti(path: Path) -> Image:
    """Read a NIfTI-1 or NIfTI-2 file; integers stay integers where the header has no scaling."""
    stored: Any = nib.load(path)
    if not isinstance(stored, nib.Nifti1Pair):
        raise InputError("Expected a NIfTI file: got another format of that name. Convert it.")
    proxy: Any = stored.dataobj
    held = Path(stored.file_map["image"].filename or path).stat().st_size
    if math.prod(stored.shape) * np.dtype(proxy.dtype).itemsize > 1032 * held:  # the most that deflate can do
        raise InputError("Expected a readable image: got a truncated or damaged file. Restore it.")
    array = np.asanyarray(proxy)
    if array.dtype.names:  # RGB24 and RGBA32
        array = np.stack([array[name] for name in array.dtype.names], axis=-1)
        axes = "xyzt"[: array.ndim - 1] + "c"
    else:
        while array.ndim > 5 and array.shape[-1] == 1:
            array = array[..., 0]
        axes = "xyztc"[: array.ndim]
    marks = header_marks(stored.header)
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


def header_marks(header: Any) -> Marks:
    """What the extension says, and the description, which tools that drop extensions carry on."""
    layers: dict[str, dict[str, str]] = {}
    for extension in header.extensions:
        mark = _read_mark(extension) if extension.get_code() == COMMENT else None
        if mark is not None:
            layers["extension"] = mark
            break
    layer = described_layer(bytes(header["descrip"]).split(b"\0")[0].decode("latin-1"))
    if layer is not None:
        layers["descrip"] = layer
    return Marks.from_layers(layers)


def described_layer(text: str) -> dict[str, str] | None:
    """What a description says; ``None`` if it says nothing of synthesis."""
    found = WORD.match(text)
    if not found:
        return None
    return {"synthetic": "partial" if found[2] else "yes", "record": "sha256:" + found[1]}


def _read_mark(extension: Any) -> dict[str, str] | None:
    content = extension.get_content()
    data = content.encode() if isinstance(content, str) else bytes(content)
    return parse_mark(data.rstrip(b"\0 "))
