# SPDX-License-Identifier: Apache-2.0
"""RO-Crate 1.1: a `ro-crate-metadata.json` whose actions say what was made of what."""

from __future__ import annotations

from typing import Any

from monai_ethics.provenance.exports.material import NAMESPACE, Material, Told
from monai_ethics.provenance.exports.reduced import Made
from monai_ethics.provenance.exports.words import (
    license_of,
    limits_of,
    set_told,
    source_types,
    spdx_url,
    statement,
    uses_of,
    without_blanks,
)
from monai_ethics.provenance.log.tree.canonical import sha256_hex

__all__ = ["ro_crate"]

_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
#: terms that RO-Crate 1.1 does not define
_MORE = {
    "digitalSourceType": "https://schema.org/digitalSourceType",
    "sha256": "https://schema.org/sha256",
    "intendedUse": f"{NAMESPACE}intendedUse",
    "limit": f"{NAMESPACE}limit",
    "markingLayer": f"{NAMESPACE}markingLayer",
    "synthetic": f"{NAMESPACE}synthetic",
}
_KINDS = {"set": "Dataset", "model": "CreativeWork", "run": "CreativeWork", "image": "ImageObject"}
_TOOL = "#monai_ethics"


def ro_crate(material: Material, told: Told) -> dict[str, Any]:
    """The metadata file of a crate that describes, and holds no file.

    Args:
        material: what may leave.
        told: name, license, creator and address.

    References:
        RO-Crate 1.1.1, sections Root Data Entity and Provenance of entities.
    """
    material.needs_some(material.made, "sets, models, runs or synthetic images")
    name, version = material.tool_version
    things: list[dict[str, Any]] = [
        {"@id": _TOOL, "@type": "SoftwareApplication", "name": name, "version": version},
        {"@id": f"#key-{_hex(material.signer)}", "@type": "PropertyValue", "name": "fingerprint of the signing key",
         "value": material.signer},
        {"@id": "#head", "@type": "PropertyValue", "name": "fingerprint of the signed head of the evidence log",
         "value": material.head},
    ]  # fmt: skip
    known = set(material.by_id)
    for one in material.made:
        things.append(_thing(one, known))
        things += _elsewhere(one, known)
        if one.type not in ("import", "acquisition"):
            things.append(_action(one, told))
    for file in material.checkpoints:
        things.append(_weights(file.record, file.sha256, known=known))
    actions = [{"@id": thing["@id"]} for thing in things if thing["@type"] == "CreateAction"]
    made = [{"@id": _id(one.id)} for one in material.made]
    made += [{"@id": f"#file-{file.sha256}"} for file in material.checkpoints]
    extra = _people(told) + _licenses(material, told)
    graph = [_descriptor(), _root(material, told, mentions=[*made, *actions, *_ids(extra)]), *things, *extra]
    once = {thing["@id"]: {key: _single(value) for key, value in thing.items()} for thing in graph}
    return {"@context": [_CONTEXT, _MORE], "@graph": list(once.values())}


def _descriptor() -> dict[str, Any]:
    return {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }


def _root(material: Material, told: Told, *, mentions: list[dict[str, str]]) -> dict[str, Any]:
    license_ = license_of(material.made, told)
    root: dict[str, Any] = {
        "@id": "./",
        "@type": "Dataset",
        "name": told.name or "Provenance of images and models",
        "description": statement(material),
        "datePublished": material.time,
        "identifier": [{"@id": "#head"}, {"@id": f"#key-{_hex(material.signer)}"}],
        "license": {"@id": _license_id(license_)} if license_ else "No license of the whole is recorded.",
        "mentions": mentions,
        "markingLayer": material.layers_told,
        "limit": limits_of(material.made),
        "intendedUse": uses_of(material.made),
        "url": told.url,
        "version": told.version,
    }
    root |= {"author": {"@id": "#creator"}, "publisher": {"@id": "#creator"}} if told.creator else {}
    return without_blanks(root)


def _thing(one: Made, known: set[str]) -> dict[str, Any]:
    thing: dict[str, Any] = {
        "@id": _id(one.id),
        "@type": _KINDS[one.kind],
        "name": one.label,
        "identifier": one.id,
        "synthetic": one.synthetic,
        "description": set_told(one) if one.kind == "set" else "",
        "digitalSourceType": [{"@id": url} for url in source_types([one])],
        "encodingFormat": one.media_type,
        "license": {"@id": _license_id(one.license)} if one.license else "",
        "intendedUse": uses_of([one]),
        "limit": limits_of([one]),
        "markingLayer": list(one.layers),
        "isBasedOn": [{"@id": _id(name)} for name, _ in one.parents if name in known],
        "dateCreated": one.time,
        "version": one.model.get("version", "") if one.kind == "model" else "",
    }
    return without_blanks(thing)


def _elsewhere(one: Made, known: set[str]) -> list[dict[str, Any]]:
    """Records of other logs that are named, and the number of those that are not."""
    named = [name for name, _ in one.parents if name not in known]
    found = [{"@id": _id(name), "@type": "CreativeWork", "name": "a record of another log", "identifier": name}
             for name in dict.fromkeys(named)]  # fmt: skip
    return found + [
        {"@id": f"#unnamed-{one.hex}-{place}", "@type": "CreativeWork", "name": f"{count} things that are not named"}
        for place, count in enumerate(one.unnamed.values())
    ]


def _action(one: Made, told: Told) -> dict[str, Any]:
    models = [name for name, role in one.parents if role == "model"]
    inputs = [{"@id": _id(name)} for name, role in one.parents if role != "model"]
    inputs += [{"@id": f"#unnamed-{one.hex}-{place}"} for place in range(len(one.unnamed))]
    settings = {**one.activity, **({"conditioning": one.conditioning} if one.conditioning else {})}
    action: dict[str, Any] = {
        "@id": f"#action-{one.hex}",
        "@type": "CreateAction",
        "name": f"{one.type} that made: {one.label}",
        "instrument": [{"@id": _TOOL}, *({"@id": _id(name)} for name in models)],
        "object": inputs,
        "result": {"@id": _id(one.id)},
        "endTime": one.time,
        "description": "; ".join(f"{name}: {value}" for name, value in settings.items()),
    }
    action |= {"agent": {"@id": "#creator"}} if told.creator else {}
    return without_blanks(action)


def _weights(record: str, sha256: str, *, known: set[str]) -> dict[str, Any]:
    thing = {"@id": f"#file-{sha256}", "@type": "CreativeWork", "name": "file with weights", "sha256": sha256}
    return {**thing, "isBasedOn": {"@id": _id(record)}} if record in known else thing


def _single(value: Any) -> Any:
    """RO-Crate 1.1 asks for a value rather than a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _people(told: Told) -> list[dict[str, Any]]:
    return [{"@id": "#creator", "@type": "Organization", "name": told.creator}] if told.creator else []


def _licenses(material: Material, told: Told) -> list[dict[str, Any]]:
    names = sorted({one.license for one in material.made if one.license} | {told.license or ""} - {""})
    return [{"@id": _license_id(name), "@type": "CreativeWork", "name": name} for name in names if name]


def _license_id(name: str) -> str:
    """An address of the SPDX list; other texts never become an address."""
    url = spdx_url(name)
    return url if url.startswith("https://spdx.org/licenses/") and url != name else f"#license-{_digest(name)}"


def _digest(text: str) -> str:
    return sha256_hex(text.encode())[:16]


def _ids(things: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"@id": thing["@id"]} for thing in things]


def _id(identity: str) -> str:
    return f"#record-{_hex(identity)}"


def _hex(text: str) -> str:
    return text.removeprefix("sha256:")
