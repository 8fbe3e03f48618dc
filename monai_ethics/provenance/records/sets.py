# SPDX-License-Identifier: Apache-2.0
"""Which images a model learned from: sorted leaves under one root, with proofs that a subject is among them or not."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError, ProvenanceError
from monai_ethics.provenance.log.files.payload import payload_json, read_payload
from monai_ethics.provenance.log.reading.entries import iter_entries
from monai_ethics.provenance.log.tree.canonical import canonical, sha256_hex
from monai_ethics.provenance.log.tree.merkle import inclusion_proof, leaf_hash, tree_root, verify_inclusion
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records.record import Record

__all__ = [
    "Leaf",
    "TrainingSet",
    "add_training_set",
    "leaf_of",
    "proves_absence",
    "proves_inclusion",
    "read_sets",
]

KIND = "training_set"
AT_ONCE = 4000  # subjects and parents named by one record: an entry of the log may be 1 MB
PROOF_SCHEMA = "monai_ethics.set_proof/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One image of a set.

    Args:
        subject: keyed pseudonym of the patient, 32 hex digits; of the file where no patient is known.
        patient: whether `subject` stands for a patient.
        voxel_v1: digest of the values; ``None`` for an image without an identity.
        synthetic: ``"yes"``, ``"no"``, ``"partial"`` or ``"unknown"``.
        salt: hides the digest from whoever sees only the leaf's line.
    """

    subject: str
    patient: bool
    voxel_v1: str | None
    synthetic: str
    salt: str

    @property
    def line(self) -> dict[str, str]:
        """What the tree hashes: the subject, and a commitment to the image."""
        opened = {"patient": self.patient, "salt": self.salt, "synthetic": self.synthetic, "voxel_v1": self.voxel_v1}
        return {"image": sha256_hex(canonical(opened)), "subject": self.subject}

    def to_dict(self) -> dict[str, Any]:
        """JSON that opens the leaf."""
        names = ("subject", "patient", "voxel_v1", "synthetic", "salt")
        return {name: getattr(self, name) for name in names}


def leaf_of(log: EvidenceLog, *, subject: str, patient: bool, voxel_v1: str | None, synthetic: str) -> Leaf:
    """A leaf whose salt only the holder of the log's pseudonym key can compute: equal sets have equal roots.

    Args:
        log: gives the salt.
        subject: pseudonym of the patient, or of the file.
        patient: whether it is a patient's.
        voxel_v1: digest of the values, or ``None``.
        synthetic: what is known of the image.
    """
    salt = log.pseudonym("set", f"{subject}/{voxel_v1}")
    return Leaf(subject=subject, patient=patient, voxel_v1=voxel_v1, synthetic=synthetic, salt=salt)


class TrainingSet:
    """A set of images, sorted by subject, each once.

    Args:
        leaves: the images, in any order.

    References: RFC 6962, section 2.1.
    """

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        lines = {canonical(leaf.line): leaf for leaf in leaves}
        ordered = sorted(lines.items(), key=lambda item: (item[1].subject, item[0]))
        self.leaves = tuple(leaf for _, leaf in ordered)
        self._hashes = [leaf_hash(line) for line, _ in ordered]
        self._subjects = [leaf.subject for leaf in self.leaves]

    @property
    def n(self) -> int:
        """Number of leaves."""
        return len(self.leaves)

    @cached_property
    def root(self) -> str:
        """Root of the tree, hex."""
        return tree_root(self._hashes).hex()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Pseudonyms, sorted, each once."""
        return tuple(sorted(set(self._subjects)))

    @property
    def unattributed(self) -> int:
        """Leaves that stand for a file whose patient is not known: no proof about a patient covers them."""
        return sum(not leaf.patient for leaf in self.leaves)

    @property
    def named(self) -> list[tuple[str, str]]:
        """Each subject once, with ``"patient"`` or ``"file"``."""
        return sorted({(leaf.subject, "patient" if leaf.patient else "file") for leaf in self.leaves})

    def summary(self) -> dict[str, Any]:
        """What the log says of the set: `root`, `n`, number of `subjects`, `unattributed`."""
        return {"root": self.root, "n": self.n, "subjects": len(self.subjects), "unattributed": self.unattributed}

    def __contains__(self, subject: object) -> bool:
        return subject in set(self._subjects)

    def prove_inclusion(self, subject: str) -> dict[str, Any]:
        """Proof that a subject is in the set; it opens that subject's first leaf and no other.

        Raises:
            InputError: if the subject is not in the set.
        """
        place = bisect_left(self._subjects, subject)
        if place == self.n or self._subjects[place] != subject:
            raise InputError("Expected a subject of the set: got another. Ask for the proof of absence.")
        return {**self._head("inclusion"), "leaf": self.leaves[place].to_dict(), **self._path(place)}

    def prove_absence(self, subject: str) -> dict[str, Any]:
        """Proof that a subject is not in the set: the two leaves between which it would stand, unopened.

        Raises:
            InputError: if the subject is in the set.
        """
        place = bisect_right(self._subjects, subject)
        if place and self._subjects[place - 1] == subject:
            raise InputError("Expected a subject that is not in the set: got one that is. Ask for its inclusion.")
        neighbors = [
            {"line": self.leaves[index].line, **self._path(index)}
            for index in (place - 1, place)
            if 0 <= index < self.n
        ]
        return {**self._head("absence"), "subject": subject, "neighbors": neighbors}

    def _head(self, claim: str) -> dict[str, Any]:
        return {"schema": PROOF_SCHEMA, "claim": claim, **self.summary()}

    def _path(self, index: int) -> dict[str, Any]:
        return {"index": index, "path": [item.hex() for item in inclusion_proof(self._hashes, index)]}

    def to_bytes(self) -> bytes:
        """The private payload."""
        return canonical({"leaves": [leaf.to_dict() for leaf in self.leaves]})

    @classmethod
    def from_bytes(cls, data: bytes) -> TrainingSet:
        """Read the private payload.

        Raises:
            ProvenanceError: if it is no list of leaves.
        """
        found = payload_json(data)
        try:
            return cls(Leaf(**leaf) for leaf in found["leaves"])
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise ProvenanceError(
                "Expected the list of a training set: got another form. Read it with the version that wrote it."
            ) from error


def proves_inclusion(proof: Mapping[str, Any], *, subject: str, root: str, n: int) -> bool:
    """Whether a proof shows that a subject is in the set of `n` leaves under `root`, both taken from a log."""
    try:
        leaf = Leaf(**proof["leaf"])
        return bool(leaf.subject == subject and _holds(leaf.line, proof, root=root, n=n))
    except (AttributeError, KeyError, TypeError, ValueError, InputError):
        return False


def proves_absence(proof: Mapping[str, Any], *, subject: str, root: str, n: int) -> bool:
    """Whether a proof shows that a subject is not in the set of `n` leaves under `root`, both taken from a log.

    It holds only for sets whose leaves are sorted, which whoever holds the whole set can check, and says nothing of
    leaves that stand for files without a known patient.
    """
    try:
        neighbors = list(proof["neighbors"])
        if not all(_holds(item["line"], item, root=root, n=n) for item in neighbors):
            return False
        places = [(item["index"], item["line"]["subject"]) for item in neighbors]
        if n == 0:
            return not places and root == tree_root([]).hex()
        if len(places) == 2:
            (left, before), (right, after) = places
            return bool(right == left + 1 and before < subject < after)
        (index, only), *_ = places
        return bool((index == 0 and subject < only) or (index == n - 1 and subject > only)) and len(places) == 1
    except (AttributeError, KeyError, TypeError, ValueError, InputError):
        return False


def _holds(line: Mapping[str, Any], proof: Mapping[str, Any], *, root: str, n: int) -> bool:
    path = [bytes.fromhex(item) for item in proof["path"]]
    return verify_inclusion(leaf_hash(canonical(dict(line))), proof["index"], n, path, bytes.fromhex(root))


def add_training_set(
    log: EvidenceLog,
    members: TrainingSet,
    *,
    synthetic: str,
    parents: Sequence[str] = (),
    role: str = "training set",
    fields: Mapping[str, Any] | None = None,
) -> str:
    """Record a set: its list in `private/`, its root in the log, and the record that models name as parent.

    Args:
        log: the open log.
        members: the set.
        synthetic: what is known of the images together.
        parents: ids of the records of its images, as far as they are known.
        role: what the set is for, such as ``"training set"`` or ``"validation set"``.
        fields: further fields of the record, such as `license`.

    Returns:
        The id of the record.
    """
    subjects = [{"item": name, "role": kind} for name, kind in members.named]
    sources = [{"id": parent, "role": "source image"} for parent in sorted(set(parents))]
    parts = []
    if max(len(subjects), len(sources)) > AT_ONCE:
        for start in range(0, max(len(subjects), len(sources)), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            parts.append(_record(members, synthetic, subjects[part], sources[part], role=f"part of {role}"))
        subjects, sources = [], [{"id": part.id, "role": "input"} for part in parts]
    record = _record(members, synthetic, subjects, sources, role=role, fields=fields)
    commitment = log.put_private(KIND, members.to_bytes(), media_type="application/json")
    body = {**members.summary(), "commitment": commitment, "role": role, "record": record.id}
    log.append_many([*(("record", item.to_dict()) for item in (*parts, record)), (KIND, body)])
    return record.id


def _record(
    members: TrainingSet,
    synthetic: str,
    subjects: Sequence[Mapping[str, str]],
    parents: Sequence[Mapping[str, str]],
    *,
    role: str,
    fields: Mapping[str, Any] | None = None,
) -> Record:
    return Record(
        type="import",
        synthetic=synthetic,
        subjects=subjects,
        parents=parents,
        activity={"set": {"role": role, **members.summary()}},
        limits=("Images without a known patient stand for their file: no proof about a patient covers them.",),
        **(fields or {}),
    )


def read_sets(folder: Path) -> dict[str, TrainingSet | None]:
    """Sets of an evidence folder by the id of their record; ``None`` where the list was erased.

    Raises:
        ProvenanceError: if a list does not give the root that the log holds.
    """
    found: dict[str, TrainingSet | None] = {}
    for entry in iter_entries(folder):
        if entry.kind != KIND:
            continue
        payload = read_payload(folder, str(entry.body.get("commitment")))
        members = None if payload is None else TrainingSet.from_bytes(payload)
        if members is not None and (members.root, members.n) != (entry.body.get("root"), entry.body.get("n")):
            raise ProvenanceError(
                "Expected a training set that gives the root in the log: got another. Verify the log."
            )
        found[str(entry.body.get("record"))] = members
    return found
