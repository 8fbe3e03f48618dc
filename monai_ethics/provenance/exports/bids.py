# SPDX-License-Identifier: Apache-2.0
"""BIDS: the `dataset_description.json` of a derivative data set, and the sidecar of one synthetic image in it."""

from __future__ import annotations

from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.provenance.exports.material import Material, Told
from monai_ethics.provenance.exports.reduced import Made
from monai_ethics.provenance.exports.words import (
    generators,
    license_of,
    limits_of,
    source_types,
    statement,
    uses_of,
    without_blanks,
)

__all__ = ["bids_description", "bids_sidecar"]

BIDS_VERSION = "1.10.0"
_LINK = "evidence"


def bids_description(material: Material, told: Told) -> dict[str, Any]:
    """The `dataset_description.json` of the synthetic images, or of the results of a run.

    Args:
        material: what may leave.
        told: name, license and creator.

    References:
        BIDS 1.10.0, sections Dataset description and Derived dataset and pipeline description.
    """
    made = material.of_kind("image") or material.of_kind("run", "model")
    material.needs_some(made, "images, runs or models")
    name, version = material.tool_version
    images = material.of_kind("image")
    sets = [one.set for one in material.of_kind("set") if not images or one.set.get("role") == "training set"]
    roots = {str(one["root"]) for one in sets if one.get("root")}
    description = {
        "Name": told.name or ("Synthetic images" if images else "Results of models"),
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "License": license_of(made, told),
        "Authors": [told.creator] if told.creator else [],
        "GeneratedBy": [
            *({"Name": generator, **({"Version": number} if number else {}), "Description": "Generator of the images."}
              for generator, number in generators(images)),
            {"Name": name, **({"Version": version} if version else {}), "Description": "Wrote the provenance."},
        ],
        "SourceDatasets": [
            {"URL": f"tag:monai_ethics,2026:set/{root}", "Version": f"Merkle root {root}"} for root in sorted(roots)
        ],
        "DatasetLinks": {_LINK: f"tag:monai_ethics,2026:log/{material.log_id}"},
        "Keywords": ["SYNTHETIC"] if images else [],
        **_stated(made),
        "MarkingLayers": material.layers_told,
        "Provenance": {"Statement": statement(material), "Head": material.head, "Signer": material.signer},
    }  # fmt: skip
    return without_blanks(description)


def bids_sidecar(material: Material, image: Made) -> dict[str, Any]:
    """Fields of the JSON file beside one image.

    Args:
        material: what may leave.
        image: the record of the image.

    Raises:
        InputError: if it is of no image.
    """
    if image.kind != "image":
        raise InputError("Expected the record of a synthetic image: got another. Give an image of this evidence.")
    said = {
        "yes": "SYNTHETIC image: it shows nobody.",
        "partial": "PARTLY SYNTHETIC image, made from images of people.",
    }
    fields: dict[str, Any] = {
        "Description": said.get(image.synthetic, "Image."),
        "Sources": [f"bids:{_LINK}:records/{name.removeprefix('sha256:')}" for name, _ in image.parents],
        **_stated([image]),
        "MarkingLayers": list(image.layers),
        "Generator": {name: value for name, value in image.model.items() if value},
        "Generation": {**image.activity, **({"conditioning": image.conditioning} if image.conditioning else {})},
        "Digests": dict(image.digests),
        "Provenance": {"Record": image.id, "Head": material.head, "Signer": material.signer},
    }
    unnamed = sum(image.unnamed.values())
    fields |= {"SourcesNotNamed": unnamed} if unnamed else {}
    return without_blanks(fields)


def _stated(made: list[Made]) -> dict[str, Any]:
    states = {one.synthetic for one in made if one.kind == "image"}
    state = "partial" if "partial" in states or ("yes" in states and len(states) > 1) else "yes" if states else ""
    stated = {
        "SyntheticData": state,
        "DigitalSourceType": source_types(made),
        "IntendedUse": uses_of(made),
        "Limitations": limits_of(made),
    }
    return without_blanks(stated)
