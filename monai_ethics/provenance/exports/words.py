# SPDX-License-Identifier: Apache-2.0
"""Sentences and small parts that the exports share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_ethics.evidence import INTRINSIC_LIMITS
from monai_ethics.provenance.exports.material import NO_CLAIM, Material, Told
from monai_ethics.provenance.exports.reduced import Made, counted
from monai_ethics.provenance.marks.statement import source_type
from monai_ethics.provenance.marks.taint import carries_synthetic
from monai_ethics.provenance.records.licenses import terms_of
from monai_ethics.provenance.records.record import SYNTHETIC_LIMITS, SYNTHETIC_USE

__all__ = [
    "generators",
    "learned_from",
    "license_of",
    "limits_of",
    "model_limits",
    "set_told",
    "source_types",
    "spdx_url",
    "statement",
    "uses_of",
    "without_blanks",
]


def without_blanks(content: Mapping[str, Any]) -> dict[str, Any]:
    """What is said; texts, lists and objects that are empty say nothing and are left out."""
    return {name: value for name, value in content.items() if value not in ("", [], (), {})}


def statement(material: Material) -> str:
    """What a file says of itself: evidence, what is synthetic, which marks, what is left out."""
    images = material.synthetic_images
    said = [
        f"Provenance as noted in the evidence log {material.log_id}, signed head {material.head}.",
        f"It records {counted(len(images), 'image')} with a synthetic part." if images else "",
        *(f"{told[0].upper()}{told[1:]}." for told in material.layers_told),
        material.left_out_told,
        NO_CLAIM,
    ]
    return " ".join(filter(None, said))


def limits_of(made: Sequence[Made]) -> list[str]:
    """Limits of records, each once; those of every synthetic image first where one is among them."""
    synthetic = any(one.is_synthetic_image for one in made)
    own = [text for one in made for text in one.limits]
    return list(dict.fromkeys([*(SYNTHETIC_LIMITS if synthetic else ()), *own]))


def uses_of(made: Sequence[Made]) -> list[str]:
    """Intended uses of records, each once; that of synthetic images where they state none."""
    own = list(dict.fromkeys(one.intended_use for one in made if one.intended_use))
    synthetic = any(one.is_synthetic_image for one in made)
    return own or ([SYNTHETIC_USE] if synthetic else [])


def model_limits(model: Made) -> list[str]:
    """Limits of a model: its own, and those of its images where it was trained on synthetic ones."""
    intrinsic = INTRINSIC_LIMITS if carries_synthetic(model.synthetic) else ()
    return list(dict.fromkeys([*model.limits, *intrinsic]))


def set_told(one: Made) -> str:
    """A set in words: sizes only."""
    sizes = one.set
    told = f"{one.label}, of {counted(sizes.get('subjects', '?'), 'patient')} or files"
    told += f", Merkle root {sizes.get('root', '?')}"
    told += f", {sizes['unattributed']} without a known patient" if sizes.get("unattributed") else ""
    where = [f"{name}: {one.activity[name]}" for name in ("source", "acquisition", "deidentification")
             if one.activity.get(name)]  # fmt: skip
    where += [f"basis of consent: {one.consent}"] if one.consent else []
    return "; ".join([f"{told}; synthetic images in it: {one.synthetic}", *where]) + "."


def generators(images: Sequence[Made]) -> list[tuple[str, str]]:
    """Names and versions of what generated images, each once."""
    found = [(one.model.get("generator", ""), one.model.get("version", "")) for one in images]
    return list(dict.fromkeys(pair for pair in found if pair[0]))


def learned_from(images: Sequence[Made], material: Material) -> list[str]:
    """Roots of the sets that generators learned from, or that it is not known."""
    known = material.by_id
    models = [known[name] for one in images for name, role in one.parents if role == "model" and name in known]
    sets = {name for model in models for name, role in model.parents if role == "training set" and name in known}
    roots = {str(known[name].set.get("root")) for name in sets}
    roots |= {one.model["training_set"] for one in images if one.model.get("training_set")}
    dark = sum(one.model.get("unknown_origin") == "true" for one in images)
    told = [f"The generator learned from the set with Merkle root {root}." for root in sorted(roots)]
    return told + ([f"Of {counted(dark, 'image')} it is not known what their generator learned from."] if dark else [])


def source_types(made: Sequence[Made]) -> list[str]:
    """IPTC digital source types of images, each once."""
    return sorted({found for one in made if one.kind == "image" and (found := source_type(one.synthetic))})


def license_of(made: Sequence[Made], told: Told) -> str:
    """The license that was told, or the one that all records agree on; empty otherwise."""
    found = {one.license for one in made if one.license}
    return told.license or (found.pop() if len(found) == 1 else "")


def spdx_url(expression: str) -> str:
    """Address of a license of the SPDX list that is known here; the text itself otherwise."""
    terms = terms_of(expression)
    known = terms[0] if len(terms) == 1 else None
    return f"https://spdx.org/licenses/{known.spdx}" if known else expression
