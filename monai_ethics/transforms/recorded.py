# SPDX-License-Identifier: Apache-2.0
"""A recorded attribute as text: item keys, image meta and DICOM elements as MONAI's two DICOM readers leave them.

`PydicomReader(prune_metadata=False)` has ``meta["00100040"] == {"vr": "CS", "Value": ["F"]}``, `ITKReader` has
``meta["0010|0040"] == "F "``. Nothing here reads a pixel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch

__all__ = ["SEPARATOR", "is_tag", "label_text", "look_up", "tag_of"]

SEPARATOR = " + "  # between the values of a multi-valued element
AGE_TAG = "00101010"
_TAG = re.compile(r"\(?([0-9A-Fa-f]{4})[,|]?\s?([0-9A-Fa-f]{4})\)?")
_AGE = re.compile(r"(\d{1,3})([YMWD])")
_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


@lru_cache(maxsize=512)
def tag_of(name: str) -> str | None:
    """DICOM tag as eight hexadecimal digits from ``PatientSex``, ``0010,0040``, ``0010|0040`` or ``00100040``."""
    if match := _TAG.fullmatch(name):
        return (match[1] + match[2]).upper()
    if not (name.isalnum() and name[:1].isupper()):
        return None
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(name)
    return None if tag is None else f"{tag:08X}"


def is_tag(name: Any) -> bool:
    """Whether a meta key is the tag of a DICOM element, as either reader writes it."""
    return isinstance(name, str) and _TAG.fullmatch(name) is not None


def look_up(item: Mapping[str, Any], meta: Mapping[str, Any], name: str) -> Any:
    """Raw value of an attribute: the item's own key, then the meta by that name, then the meta by DICOM tag."""
    if name in item:
        return item[name]
    if name in meta:
        return meta[name]
    tag = tag_of(name)
    if tag is None:
        return None
    for key in (tag, tag.lower(), f"{tag[:4]}|{tag[4:]}".lower(), f"{tag[:4]}|{tag[4:]}"):
        if key in meta:
            return _element(meta[key], tag)
    return None


def _element(value: Any, tag: str) -> Any:
    """The value of an element as ITK leaves it in the form of pydicom's: values split, ages told."""
    vr = "AS" if tag == AGE_TAG else None
    if isinstance(value, str):
        return {"vr": vr, "Value": value.split("\\")}
    if isinstance(value, (list, tuple)):  # one text per case of a stacked batch
        return [_element(one, tag) if isinstance(one, str) else one for one in value]
    return value


def label_text(value: Any) -> str | None:
    """Text of a recorded label; ``None`` if it is not recorded.

    Args:
        value: a string, number, bool, 0-dimensional tensor, DICOM element as JSON, or several of them.

    Returns:
        The label without NULs and surrounding blanks; whole numbers without a decimal point; the age of a DICOM element
        in years; several values sorted and joined with `SEPARATOR`; ``None`` for empty and NaN.
    """
    if isinstance(value, Mapping):  # a DICOM element as JSON: {"vr": "CS", "Value": ["F"]}
        values = value.get("Value") or []
        if value.get("vr") == "AS":
            values = [_years(one) for one in values]
        elif value.get("vr") == "PN":
            values = [one.get("Alphabetic") if isinstance(one, Mapping) else one for one in values]
        return label_text(list(values) if isinstance(values, (list, tuple)) else values)
    if isinstance(value, (list, tuple, set, frozenset)):
        texts = {text for one in value if (text := label_text(one)) is not None}
        return SEPARATOR.join(sorted(texts)) or None
    return _one_text(value)


def _one_text(value: Any) -> str | None:
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    elif getattr(value, "size", 0) == 1 or (isinstance(value, torch.Tensor) and value.numel() == 1):
        value = value.reshape(-1)[0].item()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        value = int(value) if value.is_integer() else value
    text = "" if value is None else " ".join(str(value).replace("\x00", " ").split())
    return text or None


def _years(value: Any) -> Any:
    """A DICOM age such as ``061Y`` in years: ``61``; months, weeks and days to two digits behind the point."""
    match = _AGE.fullmatch(str(value).strip().strip("\x00"))
    return value if match is None else round(int(match[1]) * _YEARS[match[2]], 2)
