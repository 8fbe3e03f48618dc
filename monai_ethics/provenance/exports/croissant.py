# SPDX-License-Identifier: Apache-2.0
"""Croissant 1.0 with the responsible-AI fields: the synthetic images of an evidence folder, or a set learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.evidence import INTRINSIC_LIMITS
from monai_ethics.provenance.exports.material import NAMESPACE, Material, Told
from monai_ethics.provenance.exports.reduced import Made, counted
from monai_ethics.provenance.exports.words import (
    generators,
    learned_from,
    license_of,
    limits_of,
    set_told,
    source_types,
    spdx_url,
    statement,
    uses_of,
    without_blanks,
)

__all__ = ["ABOUT", "croissant"]

ABOUT = ("synthetic", "training")
_SETS = ("training set", "validation set")
_MEDIA = {".nii": "application/x-nifti", ".nii.gz": "application/x-nifti", ".png": "image/png", ".dcm":
          "application/dicom", ".jpg": "image/jpeg"}  # fmt: skip
# the context that Croissant's validator and its examples call standard, with our terms behind it
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "me": NAMESPACE,
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        name: f"cr:{name}"
        for name in (
            "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet",
            "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet",
            "references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField",
            "transform",
        )
    },
}  # fmt: skip


def croissant(material: Material, told: Told, *, about: str = "") -> dict[str, Any]:
    """The description of one data set.

    Args:
        material: what may leave.
        told: name, license, creator, address, version, and the files that are handed on.
        about: ``"synthetic"`` or ``"training"``; by default the synthetic images where there are any.

    Raises:
        InputError: if there is no such data set.

    References:
        Croissant Format Specification 1.0; Croissant RAI Specification 1.0.
    """
    images = material.synthetic_images
    sets = [one for one in material.of_kind("set") if one.set.get("role") in _SETS]
    about = about or ("synthetic" if images else "training")
    if about not in ABOUT:
        raise InputError("Expected a description of `synthetic` or `training`: got another word. Choose one.")
    made: Sequence[Made] = images if about == "synthetic" else sets
    material.needs_some(made, "synthetic images" if about == "synthetic" else "a training set")
    if told.files and about != "synthetic":
        raise InputError("Expected files of synthetic images only: got files of a training set. Leave them out.")
    if told.files:  # the data set is what is handed on
        handed = {file.record for file in told.files}
        made = [one for one in images if one.id in handed]
    said = _of_images(made, material) if about == "synthetic" else _of_sets(sets)
    license_ = license_of(made, told)
    document: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": told.name or ("Synthetic images" if about == "synthetic" else "Training set"),
        "description": f"{said['what']} {statement(material)}",
        "license": spdx_url(license_) if license_ else "",
        "creator": {"@type": "sc:Organization", "name": told.creator} if told.creator else "",
        "url": told.url,
        "version": told.version,
        "datePublished": material.time[:10],
        "isLiveDataset": False,
        "distribution": [_file(file, place) for place, file in enumerate(told.files)],
        **_responsible(said, made, material),
    }
    return without_blanks(document)


def _responsible(said: dict[str, Any], made: Sequence[Made], material: Material) -> dict[str, Any]:
    states = {one.synthetic for one in made}
    return {
        "rai:dataCollection": " ".join(said["collection"]),
        "rai:dataCollectionType": ["Others"],
        "rai:dataBiases": said["biases"],
        "rai:personalSensitiveInformation": said["personal"],
        "rai:dataLimitations": limits_of(made) or ["No limit is recorded."],
        "rai:dataUseCases": uses_of(made) or ["No intended use is recorded."],
        # RAI 1.0 has no such field; repositories ask for this one
        "rai:hasSyntheticData": bool(states & {"yes", "partial"}),
        "me:synthetic": "yes" if states == {"yes"} else "no" if states == {"no"} else _mixed(states),
        "me:digitalSourceType": [{"@id": url} for url in source_types(made)],
        "me:markingLayers": material.layers_told,
        "me:head": material.head,
        "me:signer": material.signer,
    }


def _mixed(states: set[str]) -> str:
    return "partial" if states & {"yes", "partial"} else "unknown"


def _of_images(images: Sequence[Made], material: Material) -> dict[str, Any]:
    partly = sum(one.synthetic == "partial" for one in images)
    whole = counted(len(images) - partly, "generated image")
    from_people = f"{counted(partly, 'image')} made in part from images of people" if partly else ""
    made_by = [f"{name}{f', version {version}' if version else ''}" for name, version in generators(images)]
    audits = [f"{check} ({', '.join(verdicts)})" for check, verdicts in material.audits.items()]
    looked = f"Audits that ran: {'; '.join(audits)}." if audits else "No audit of memorization is recorded."
    return {
        "what": f"SYNTHETIC: {' and '.join(filter(None, [whole, from_people]))}.",
        "collection": [
            "The images were computed, not acquired." + (f" Among them: {from_people}." if partly else ""),
            *(f"Generator: {one}." for one in made_by),
            *learned_from(images, material),
        ],
        "biases": [*INTRINSIC_LIMITS[1:], "Whether groups are shown and served alike is in the evidence, not here."],
        "personal": [
            f"{from_people[:1].upper()}{from_people[1:]} may show them." if partly else "The images show nobody.",
            "A generator that learned from images of people can repeat what it learned.",
            looked,
        ],
    }


def _of_sets(sets: Sequence[Made]) -> dict[str, Any]:
    told = [set_told(one) for one in sets]
    return {
        "what": f"{counted(len(sets), 'set')} of images that models learned from; no image is named.",
        "collection": told,
        "biases": ["Whether groups are represented and served alike is in the evidence, not here."],
        "personal": [
            "Images of people: which ones, and whose, is not in this file. The root of a set lets its holder prove who "
            "is in it.",
            *(f"De-identification: {one.activity['deidentification']}." for one in sets
              if one.activity.get("deidentification")),
        ],
    }  # fmt: skip


def _file(file: Any, place: int) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": f"image-{place + 1}",
        "name": f"image-{place + 1}",
        "contentUrl": file.name,
        "contentSize": f"{file.size} B",
        "encodingFormat": _MEDIA.get(file.suffix, "application/octet-stream"),
        "sha256": file.sha256,
        "me:synthetic": "yes",
    }
