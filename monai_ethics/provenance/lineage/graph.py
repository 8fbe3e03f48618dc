# SPDX-License-Identifier: Apache-2.0
"""What the entries of one log say of what was made of what: names, edges, and what they leave unsaid."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai_ethics.errors import ProvenanceError
from monai_ethics.provenance.log.files.payload import payload_json, read_payload
from monai_ethics.provenance.log.reading.bodies import as_list, as_mapping, as_mappings
from monai_ethics.provenance.log.reading.entries import Entry
from monai_ethics.provenance.log.tree.digits import is_hex
from monai_ethics.provenance.marks.taint import carries_synthetic

__all__ = ["CONTENT", "INITIAL", "ROLES", "Facts", "Links", "subject_name"]

# from the record of making something to the thing, its image or weights; from an image to the record of its import,
# which finds the image and does not make it: so images are one node in all logs, and no circle arises
ITSELF = "itself"
INITIAL = "initial weights"
#: roles of sets from which a training does not learn weights; they are not followed
NOT_LEARNED = ("validation set", "test set", "evaluation set")
MEMBER, SYNTHETIC_MEMBER = "member", "synthetic member"
#: roles of parents whose content goes into the child; a mark goes with it
CONTENT = ("source image", "conditioning image", "input", "label", MEMBER, SYNTHETIC_MEMBER, ITSELF)
LINK_DOMAIN = b"monai_ethics.lineage_link/1\x00"
#: numbers of the roles that queries name; others get one as they come
ROLES = {ITSELF: 1, MEMBER: 2, SYNTHETIC_MEMBER: 3}
_FOUND = ("acquisition", "import")  # records that describe an image which was there before
_READ = ("training", "evaluation")  # records whose subjects were read, not made

ERASED_LIST = "the list of a set was erased: who is in it beyond the patients that its record names"
ERASED_DIGESTS = "digests of an image were erased: sets and files that hold it"
DARK = "a model of unknown origin: what it was trained on"
NOBODYS = "images of a set whose patient is not known"
NO_SET = "a training that names no set: what it was trained on"
NO_MODEL = "a synthetic image that names no model: what the model was trained on"


def subject_name(key_id: str | None, pseudonym: str) -> str:
    """Name of a patient's node: pseudonyms of two keys are never the same patient's, as far as anybody can tell."""
    return f"subject:{key_id or ''}:{pseudonym}"


@dataclass(frozen=True)
class Links:
    """Keyed names of images, so that an index holds nothing by which an acquired image could be recognized.

    Args:
        key: 32 bytes kept outside the index.
    """

    key: bytes

    def image(self, voxel_v1: str) -> str:
        """Name of the node of an image."""
        return "image:" + hmac.new(self.key, LINK_DOMAIN + voxel_v1.encode(), hashlib.sha256).hexdigest()[:40]


@dataclass
class Facts:
    """Nodes, edges and gaps of one log.

    Args:
        nodes: name to kind, type and `synthetic`; of records that this log holds.
        named: name to kind of what is named only.
        edges: parent, child and role.
        gaps: name of a node, and what cannot be seen at it.
        payloads: commitments of the private payloads that were read.
        key_id: id of the pseudonym key announced last.
    """

    nodes: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    edges: dict[tuple[str, str, str], None] = field(default_factory=dict)
    gaps: dict[tuple[str, str], None] = field(default_factory=dict)
    payloads: list[str] = field(default_factory=list)
    key_id: str | None = None
    _trained: dict[str, str] = field(default_factory=dict)
    _patients: dict[str, list[str]] = field(default_factory=dict)

    def take(self, entry: Entry, folder: Path, links: Links) -> None:
        """Take one entry.

        Raises:
            ProvenanceError: if a payload is not what the log committed to.
        """
        body = entry.body
        if entry.kind == "record":
            self._record(body, entry.run_id, links)
        elif entry.kind == "registered":
            self._registered(body, folder, links)
        elif entry.kind == "training_set":
            self._set(body, folder, links)
        elif entry.kind == "stored" and body.get("role") == "checkpoint":
            self._checkpoint(body, entry.run_id)
        elif entry.kind == "pseudonym_key":
            self.key_id = str(body.get("key_id"))

    def _edge(self, parent: tuple[str, str], child: tuple[str, str], role: str) -> None:
        for kind, name in (parent, child):
            self.named.setdefault(name, kind)
        self.edges[parent[1], child[1], role] = None

    def _record(self, body: Mapping[str, Any], run_id: str, links: Links) -> None:
        name, kind = str(body.get("id")), str(body.get("type"))
        activity = as_mapping(body.get("activity"))
        # a run that made images has a record of its own besides theirs
        ran = "engines" in activity and kind in ("synthesis", "inference")
        this = ("set" if "set" in activity else "run" if ran else "record", name)
        self.named[name] = this[0]
        self.nodes[name] = (this[0], kind, str(body.get("synthetic", "unknown")))
        roles = set()
        for parent in as_mappings(body.get("parents")):
            roles.add(str(parent.get("role")))
            if kind != "training" or parent.get("role") not in NOT_LEARNED:
                self._edge(("record", str(parent.get("id"))), this, str(parent.get("role")))
        reads = kind in _READ or ran
        learned = kind == "training" and not {"training set", "synthetic set"} & roles
        for subject in as_mappings(body.get("subjects")):
            if learned or kind != "training":  # where there is a set, it says who is in it
                self._subject(subject, this, reads=reads, links=links)
        self._model(body, this, kind=kind, run_id=run_id)
        if kind == "training" and not {"training set", "synthetic set", "input"} & roles:
            self.gaps[name, NO_SET] = None
        if kind == "synthesis" and not ran and "model" not in roles and not as_mapping(body.get("model")):
            self.gaps[name, NO_MODEL] = None

    def _model(self, body: Mapping[str, Any], this: tuple[str, str], *, kind: str, run_id: str) -> None:
        """Weights that a training made or began with, and that a result was made with."""
        model = as_mapping(body.get("model"))
        made = {str(model.get("weights_sha256")), *_weights(model, ".end")}
        begun = set(_weights(model, ".start"))
        if kind == "training":
            self._trained[run_id] = this[1]
            for digest in sorted(filter(is_hex, made)):
                self._edge(this, ("weights", f"weights:{digest}"), ITSELF)
        else:
            begun = {str(model["weights_sha256"])} if model.get("weights_sha256") else begun
        for digest in sorted(filter(is_hex, begun - (made if kind == "training" else set()))):
            self._edge(("weights", f"weights:{digest}"), this, INITIAL if kind == "training" else "model")
        if model.get("unknown_origin") is True:
            self.gaps[this[1], DARK] = None

    def _subject(self, subject: Mapping[str, Any], this: tuple[str, str], *, reads: bool, links: Links) -> None:
        patients = [subject.get("item")] if subject.get("role") == "patient" else [subject.get("patient")]
        names = [subject_name(self.key_id, str(patient)) for patient in patients if patient]
        for name in names:
            self._edge(("subject", name), this, "patient")
        self._patients[this[1]] = names
        digest = as_mapping(subject.get("digests")).get("voxel_v1")
        if isinstance(digest, str) and reads:
            self._edge(("image", links.image(digest)), this, "input")
        elif isinstance(digest, str):
            self._image(this[1], links.image(digest))

    def _image(self, record: str, image: str, *, found: bool = False) -> None:
        """A record and its image; a patient whom the record of an import names is the image's."""
        ends = (("record", record), ("image", image))
        found = found or (record in self.nodes and self.nodes[record][1] in _FOUND)
        self._edge(ends[found], ends[not found], ITSELF)
        for name in self._patients.get(record, ()) if found else ():
            self._edge(("subject", name), ends[1], "patient")

    def _registered(self, body: Mapping[str, Any], folder: Path, links: Links) -> None:
        record = str(body.get("record"))
        digests = as_mapping(body.get("digests"))
        if "digests" not in body:
            payload = self._private(body, folder)
            if payload is None:
                self.named.setdefault(record, "record")
                self.gaps[record, ERASED_DIGESTS] = None
                return
            digests = payload
        if isinstance(digests.get("voxel_v1"), str):
            self._image(record, links.image(digests["voxel_v1"]), found=body.get("synthetic") == "no")

    def _set(self, body: Mapping[str, Any], folder: Path, links: Links) -> None:
        this = ("set", str(body.get("record")))
        self.named[this[1]] = "set"
        payload = self._private(body, folder)
        if payload is None:
            self.gaps[this[1], ERASED_LIST] = None
            return
        for leaf in as_mappings(payload.get("leaves")):
            role = SYNTHETIC_MEMBER if carries_synthetic(leaf.get("synthetic")) else MEMBER
            subject = ("subject", subject_name(self.key_id, str(leaf.get("subject"))))
            known = leaf.get("patient") is True
            if not known and leaf.get("synthetic") != "yes":
                self.gaps[this[1], NOBODYS] = None
            if isinstance(leaf.get("voxel_v1"), str):
                image = ("image", links.image(leaf["voxel_v1"]))
                self._edge(image, this, role)
                if known:
                    self._edge(subject, image, "patient")
            elif known:
                self._edge(subject, this, "patient")

    def _private(self, body: Mapping[str, Any], folder: Path) -> Mapping[str, Any] | None:
        data = read_payload(folder, str(body.get("commitment")))
        if data is None:
            return None
        self.payloads.append(str(body.get("commitment")))
        found = payload_json(data)
        if not isinstance(found, dict):
            raise ProvenanceError("Expected a JSON object in a private payload: got another. Verify the folder.")
        return found

    def _checkpoint(self, body: Mapping[str, Any], run_id: str) -> None:
        record = str(body.get("record") or self._trained.get(run_id) or "")
        if not record:
            return
        file = ("file", f"file:{body['sha256']}") if is_hex(body.get("sha256")) else None
        if file is not None:
            self._edge(("record", record), file, ITSELF)
        for digest in as_list(body.get("weights")):
            self._edge(("record", record), ("weights", f"weights:{digest}"), ITSELF)
            if file is not None:
                self._edge(file, ("weights", f"weights:{digest}"), ITSELF)


def _weights(model: Mapping[str, Any], end: str) -> Iterator[str]:
    """Digests of networks at the start or the end of a run."""
    for key, value in model.items():
        if str(key).endswith(end) and isinstance(value, Mapping) and value.get("sha256"):
            yield str(value["sha256"])
