# SPDX-License-Identifier: Apache-2.0
"""What other software reads of a marked file: the judge of what a mutation changed. Nothing of the package is used."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import nibabel as nib
import numpy as np
import PIL.Image
import pydicom

#: covered by the statement of a DICOM file, beside equipment
KEYWORDS = (
    "SyntheticData",
    "ImageType",
    "SOPClassUID",
    "Modality",
    "RescaleSlope",
    "RescaleIntercept",
    "PixelSpacing",
    "SliceThickness",
    "ImageOrientationPatient",
    "ImagePositionPatient",
)
SAID = ("synthetic", "record", "voxel_v1")
PROPERTIES = (
    "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType",
    *(f"{{tag:monai_ethics,2026:mark/1/}}{name}" for name in SAID),
)


def observe(path):
    """Fields of a file by the names that a verification gives them; raises what the other software raises."""
    name = path.name
    return nifti(path) if ".nii" in name else png(path) if name.endswith(".png") else dicom(path)


def _single(array):
    array = np.asarray(array, np.float64).astype(np.float32)
    return array.shape, (array + np.float32(0)).tobytes()


def _json(data):
    """A mark of ours in the bytes, or nothing."""
    try:
        text = data.decode() if isinstance(data, bytes) else data
        found = json.loads(text.rstrip("\0 "))
    except (ValueError, UnicodeDecodeError):
        return None
    if not isinstance(found, dict) or found.get("schema") != "monai_ethics.mark/1":
        return None
    return {part: found.get(part) for part in SAID}


def nifti(path):
    image = nib.load(path)
    array = np.asarray(image.get_fdata())
    canonical = nib.as_closest_canonical(nib.Nifti1Image(array, image.affine))
    seen = {"values": _single(np.asarray(canonical.dataobj)), "geometry": (canonical.shape, canonical.affine)}
    marks = [_json(item.get_content()) for item in image.header.extensions if item.get_code() == 6]
    seen["mark.extension"] = next((mark for mark in marks if mark), None)
    text = bytes(image.header["descrip"]).split(b"\0")[0]
    word = text[: len("SYNTHETIC me1:") + 16]
    rest = text[len(word) :]
    told = word.startswith(b"SYNTHETIC me1:") and len(word) == 30 and not set(word[14:]) - set(b"0123456789abcdef")
    partial, rest = rest.startswith(b" partial"), rest.removeprefix(b" partial")
    ended = not rest or rest.startswith(b"; ")
    seen["mark.descrip"] = (word, partial) if told and ended else None
    return seen


def png(path):
    with PIL.Image.open(path) as image:
        image.load()
        array, info = np.asarray(image), dict(image.info)
    seen = {"values": _single(array), "geometry": (array.shape, None)}
    seen["mark.text"] = _json(info.get("monai_ethics", ""))
    seen["mark.xmp"] = None
    packet = info.get("XML:com.adobe.xmp")
    if packet:
        root = ElementTree.fromstring(packet)
        found = {key: value for element in root.iter() for key, value in element.attrib.items()}
        seen["mark.xmp"] = {name: found.get(name) for name in PROPERTIES}
    return seen


def dicom(path):
    dataset = pydicom.dcmread(path)
    array = dataset.pixel_array.astype(np.float64)
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    seen = {"values": _single(array * slope + intercept)}
    for name in KEYWORDS:
        element = dataset.get(name)
        several = isinstance(element, (list, tuple, pydicom.multival.MultiValue))
        seen[f"attribute.{name}"] = None if element is None else [*map(str, element)] if several else str(element)
    seen["attribute.ContributingEquipmentSequence"] = [
        made for item in dataset.get("ContributingEquipmentSequence") or () if (made := _equipment(item))
    ] or None
    for name, element in (("mark.private", 0x01), ("mark.statement", 0x02)):
        try:
            value = dataset.private_block(0x0067, "MONAI_ETHICS 1.0")[element].value
        except KeyError:
            value = ""
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        seen[name] = _json(value) if element == 1 else value.rstrip(" \0") or None
    return seen


def _equipment(item):
    purposes = [
        (str(p.get("CodeValue")), str(p.get("CodingSchemeDesignator")))
        for p in item.get("PurposeOfReferenceCodeSequence") or ()
    ]
    versions = item.get("SoftwareVersions") or ()
    versions = [versions] if isinstance(versions, str) else list(versions)
    if ("109100", "DCM") not in purposes and not any(word.startswith("me1:") for word in versions):
        return None
    return str(item.get("Manufacturer")), str(item.get("ManufacturerModelName")), tuple(versions), tuple(purposes)


def differences(before, after):
    """Names of the fields that differ, and of those that differ by less than what a digest rounds to."""
    names, close = set(), set()
    for name in {*before, *after}:
        old, new = before.get(name), after.get(name)
        if name == "geometry":
            same, near = _places(old, new)
            (close if near else names).update(() if same else {name})
        elif old != new:
            names.add(name)
    return names, close


def _places(old, new):
    if old[0] != new[0] or old[1] is None:
        return old[0] == new[0], False
    gap = np.abs(old[1] - new[1]).max()
    return gap == 0, gap < 2e-4
