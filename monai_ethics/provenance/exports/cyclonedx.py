# SPDX-License-Identifier: Apache-2.0
"""CycloneDX 1.6: a bill of materials of models, the files with their weights, and the sets that they learned from."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from monai_ethics.provenance.exports.material import Material, Told, as_bytes
from monai_ethics.provenance.exports.reduced import Checkpoint, Made, counted
from monai_ethics.provenance.exports.words import (
    license_of,
    limits_of,
    model_limits,
    set_told,
    source_types,
    statement,
    uses_of,
    without_blanks,
)
from monai_ethics.provenance.records.licenses import terms_of

__all__ = ["cyclonedx"]

_SPACE = uuid.UUID("6f1f8d4a-3a3b-5c19-9a5e-6b0b8f0f1d02")  # namespace of the serial numbers of this package


def cyclonedx(material: Material, told: Told) -> dict[str, Any]:
    """The bill as JSON.

    Args:
        material: what may leave.
        told: name and version of the model, license of its weights, creator.

    References:
        CycloneDX 1.6 (ECMA-424), `component` of type `machine-learning-model`, `modelCard`.
    """
    trained, others = material.of_kind("model"), _others(material)
    material.needs_some([*trained, *others], "a model")
    sets = material.of_kind("set")
    name, version = material.tool_version
    components = [
        *(_model(one, material, told) for one in trained),
        *(_other(weights, made) for weights, made in others.items()),
        *(_data(one) for one in sets),
        *_images(material),
        *(_package(package, number) for package, number in material.packages.items()),
    ]
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": material.time,
            "tools": {"components": [_named("application", name, version)]},
            **({"authors": [{"name": told.creator}]} if told.creator else {}),
            "properties": [
                _property("statement", statement(material)),
                _property("head", material.head),
                _property("signer", material.signer),
                *(_property("marking_layers", text) for text in material.layers_told),
            ],
        },
        "components": components,
        "dependencies": _dependencies(trained, {one.id for one in [*sets, *trained]}),
    }
    return {**bill, "serialNumber": f"urn:uuid:{uuid.uuid5(_SPACE, as_bytes(bill).decode())}"}


def _others(material: Material) -> dict[str, Made]:
    """Weights that results were made with and no training of this log wrote."""
    known = {one.model.get("weights_sha256") for one in material.of_kind("model")}
    known |= {digest for file in material.checkpoints for digest in file.weights}
    used = {one.model.get("weights_sha256", ""): one for one in material.of_kind("run", "image")}
    return {weights: one for weights, one in sorted(used.items()) if weights and weights not in known}


def _model(one: Made, material: Material, told: Told) -> dict[str, Any]:
    files = [file for file in material.checkpoints if file.record == one.id]
    sets = [{"ref": _ref(name)} for name, _ in one.parents if name in material.by_id]
    uses = uses_of([one])
    card: dict[str, Any] = {
        "modelParameters": {"datasets": sets} if sets else {},
        "considerations": {
            **({"useCases": uses} if uses else {}),
            "technicalLimitations": model_limits(one) or ["No limit is recorded."],
            "ethicalConsiderations": [_audit(check, found) for check, found in material.audits.items()],
        },
    }
    version = told.version or one.model.get("version", "")
    component: dict[str, Any] = {
        **_named("machine-learning-model", told.name or one.model.get("generator") or "model", version),
        "bom-ref": _ref(one.id),
        "licenses": _licenses(license_of([one], told)),
        "hashes": [_hash(files[0].sha256)] if len(files) == 1 else [],
        "components": [_weights(file) for file in files],
        "modelCard": without_blanks(card),
        "properties": [
            _property("record", one.id),
            _property("learned_from_synthetic_images", one.synthetic),
            *(_property(name, value) for name, value in one.model.items()),
        ],
    }
    return without_blanks(component)


def _other(weights: str, one: Made) -> dict[str, Any]:
    """A model of which only the weights are known; its training stands in another log, or nowhere."""
    unknown = one.model.get("unknown_origin") == "true"
    origin = "" if unknown else next((name for name, role in one.parents if role == "model"), "")
    told = "Its training is recorded in another log." if origin else "It is not known what it was trained on."
    return {
        **_named("machine-learning-model", one.model.get("generator") or "model", one.model.get("version", "")),
        "bom-ref": f"weights-{uuid.uuid5(_SPACE, weights)}",
        "modelCard": {"considerations": {"technicalLimitations": [told]}},
        "properties": [_property("weights_sha256", weights), *([_property("record", origin)] if origin else [])],
    }


def _data(one: Made) -> dict[str, Any]:
    return {
        **_named("data", one.label, ""),
        "bom-ref": _ref(one.id),
        "description": set_told(one),
        "data": [
            {
                "type": "dataset",
                "name": one.label,
                "description": set_told(one),
                "sensitiveData": ["Images of people, or files whose patient is not known."]
                if one.synthetic != "yes"
                else ["None: the images are synthetic; what their generator learned from is another matter."],
            }
        ],
        **({"licenses": _licenses(one.license)} if one.license else {}),
        "properties": [
            _property("record", one.id),
            _property("synthetic", one.synthetic),
            *(_property(name, str(value)) for name, value in one.set.items()),
            *(_property("limit", limit) for limit in one.limits),
        ],
    }


def _images(material: Material) -> list[dict[str, Any]]:
    """The synthetic images, as one component: their number, marks and limits."""
    images = material.synthetic_images
    if not images:
        return []
    partly = sum(one.synthetic == "partial" for one in images)
    said = f"{counted(len(images) - partly, 'generated image')}, which show nobody"
    said += f", and {counted(partly, 'image')} made in part from images of people." if partly else "."
    return [
        {
            **_named("data", "SYNTHETIC images", ""),
            "bom-ref": "synthetic-images",
            "description": said,
            "data": [{"type": "dataset", "name": "SYNTHETIC images", "description": said}],
            "properties": [
                _property("images", str(len(images))),
                *(_property("digital_source_type", url) for url in source_types(images)),
                *(_property("marking_layers", text) for text in material.layers_told),
                *(_property("intended_use", text) for text in uses_of(images)),
                *(_property("limit", text) for text in limits_of(images)),
            ],
        }
    ]


def _dependencies(trained: Sequence[Made], known: set[str]) -> list[dict[str, Any]]:
    found = []
    for one in trained:
        parents = [_ref(name) for name in dict.fromkeys(name for name, _ in one.parents) if name in known]
        found.append({"ref": _ref(one.id), **({"dependsOn": parents} if parents else {})})
    return found


def _weights(file: Checkpoint) -> dict[str, Any]:
    return {
        **_named("file", "weights", ""),
        "bom-ref": f"file-{file.sha256}",
        "hashes": [_hash(file.sha256)],
        "properties": [_property("size", str(file.size)), *(_property("weights_sha256", one) for one in file.weights)],
    }


def _package(name: str, version: str) -> dict[str, Any]:
    return {**_named("library", name, version), "bom-ref": f"package-{uuid.uuid5(_SPACE, f'{name} {version}')}"}


def _audit(check: str, verdicts: Sequence[str]) -> dict[str, str]:
    return {"name": f"audit {check}: {', '.join(verdicts)}"}


def _licenses(expression: str) -> list[dict[str, Any]]:
    """SPDX where every part is known; any other text is a name, which no reader takes for an identifier."""
    if not expression:
        return []
    terms = terms_of(expression)
    if not terms or any(item is None for item in terms):
        return [{"license": {"name": expression}}]
    names = [item.spdx for item in terms if item is not None]
    return [{"license": {"id": names[0]}}] if len(names) == 1 else [{"expression": " AND ".join(names)}]


def _named(kind: str, name: str, version: str) -> dict[str, Any]:
    return {"type": kind, "name": name, **({"version": version} if version else {})}


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": f"monai_ethics:{name}", "value": value}


def _hash(sha256: str) -> Mapping[str, str]:
    return {"alg": "SHA-256", "content": sha256}


def _ref(identity: str) -> str:
    return f"record-{identity.removeprefix('sha256:')}"
