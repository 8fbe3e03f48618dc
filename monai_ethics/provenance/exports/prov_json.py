# SPDX-License-Identifier: Apache-2.0
"""W3C PROV-JSON: what was made of what, by which activity, with which software, under whose key."""

from __future__ import annotations

from typing import Any

from monai_ethics.provenance.exports.material import NAMESPACE, Material, Told
from monai_ethics.provenance.exports.reduced import Made
from monai_ethics.provenance.exports.words import limits_of, source_types, statement, uses_of, without_blanks

__all__ = ["prov_json"]

_PREFIX = {
    "me": NAMESPACE,
    "rec": "tag:monai_ethics,2026:record/",
    "act": "tag:monai_ethics,2026:activity/",
    "agent": "tag:monai_ethics,2026:agent/",
    "file": "tag:monai_ethics,2026:sha256/",
    "unnamed": "tag:monai_ethics,2026:unnamed/",
}
_TYPES = {"set": "me:ImageSet", "model": "me:Model", "run": "me:Result", "image": "me:Image"}
_FOUND = ("import", "acquisition")


def prov_json(material: Material, told: Told) -> dict[str, Any]:
    """The graph as PROV-JSON.

    Each record is an entity; each but the finding of a set is made by an activity that used its parents. Parents that
    are not named are one entity with their number.

    Args:
        material: what may leave.
        told: name of the collection.

    References:
        PROV-JSON serialization, W3C member submission 2013-04-24; PROV-DM, W3C Recommendation.
    """
    material.needs_some(material.made, "sets, models, runs or synthetic images")
    graph = _Graph()
    signer = f"agent:{material.signer.removeprefix('sha256:')}"
    name, version = material.tool_version
    graph.add("agent", "agent:software", {"prov:type": _qname("prov:SoftwareAgent"), "me:name": name,
                                          "me:version": version})  # fmt: skip
    graph.add("agent", signer, {"me:keyFingerprint": material.signer})
    log = {"prov:type": _qname("prov:Collection"), "me:statement": statement(material), "me:head": material.head}
    log |= {"prov:label": told.name} if told.name else {}
    graph.add("entity", "me:evidence", log | ({"me:creator": told.creator} if told.creator else {}))
    graph.relate("wasAttributedTo", {"prov:entity": "me:evidence", "prov:agent": signer})
    known = set(material.by_id)
    for one in material.made:
        _record(graph, one, known)
    for file in material.checkpoints:
        identity = f"file:{file.sha256}"
        graph.add("entity", identity, {"prov:type": _qname("me:WeightsFile"), "me:size": file.size})
        if file.record in known:
            graph.relate("specializationOf", {"prov:specificEntity": identity,
                                              "prov:generalEntity": _rec(file.record)})  # fmt: skip
    return {"prefix": _PREFIX, **graph.parts}


class _Graph:
    """Parts of a PROV-JSON document."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, Any]] = {}

    def add(self, part: str, identity: str, content: dict[str, Any]) -> None:
        known = self.parts.setdefault(part, {})
        known[identity] = {**known.get(identity, {}), **content}

    def relate(self, part: str, content: dict[str, Any]) -> None:
        known = self.parts.setdefault(part, {})
        known[f"_:{part}{len(known)}"] = content


def _record(graph: _Graph, one: Made, known: set[str]) -> None:
    entity, activity = _rec(one.id), f"act:{one.hex}"
    graph.add("entity", entity, _described(one))
    graph.relate("hadMember", {"prov:collection": "me:evidence", "prov:entity": entity})
    sources = [(_rec(name), role) for name, role in one.parents]
    for name, _ in one.parents:
        if name not in known:
            graph.add("entity", _rec(name), {"prov:type": _qname("me:RecordElsewhere")})
    for place, (role, count) in enumerate(one.unnamed.items()):
        hidden = f"unnamed:{one.hex}-{place}"
        graph.add("entity", hidden, {"prov:type": _qname("me:Unnamed"), "me:count": count})
        sources.append((hidden, role))
    if one.type in _FOUND:
        for source, _ in sources:
            graph.relate("hadMember", {"prov:collection": entity, "prov:entity": source})
        return
    graph.add("activity", activity, {"prov:type": one.type, "prov:endTime": one.time, **_settings(one)})
    graph.relate("wasGeneratedBy", {"prov:entity": entity, "prov:activity": activity, "prov:time": one.time})
    graph.relate("wasAssociatedWith", {"prov:activity": activity, "prov:agent": "agent:software"})
    for source, role in sources:
        graph.relate("used", {"prov:activity": activity, "prov:entity": source, "prov:role": role})
        graph.relate("wasDerivedFrom", {"prov:generatedEntity": entity, "prov:usedEntity": source,
                                        "prov:activity": activity})  # fmt: skip


def _described(one: Made) -> dict[str, Any]:
    kinds = [_qname(_TYPES[one.kind])] + ([_qname("prov:Collection")] if one.kind == "set" else [])
    content: dict[str, Any] = {"prov:type": kinds, "prov:label": one.label, "me:synthetic": one.synthetic}
    content |= {"me:digitalSourceType": [{"$": url, "type": "xsd:anyURI"} for url in source_types([one])]}
    content |= {"me:intendedUse": uses_of([one]), "me:limit": limits_of([one]), "me:license": one.license}
    content |= {f"me:{name}": value for name, value in {**one.set, **one.model, **one.digests}.items()}
    content |= {f"me:{name}": value for name, value in one.activity.items() if one.kind == "set"}
    content |= {"me:markingLayer": list(one.layers), "me:mediaType": one.media_type, "me:consentBasis": one.consent}
    return without_blanks(content)


def _settings(one: Made) -> dict[str, Any]:
    content = {f"me:{name}": value for name, value in one.activity.items()}
    return content | ({"me:conditioning": one.conditioning} if one.conditioning else {})


def _rec(identity: str) -> str:
    return f"rec:{identity.removeprefix('sha256:')}"


def _qname(name: str) -> dict[str, str]:
    return {"$": name, "type": "prov:QUALIFIED_NAME"}
