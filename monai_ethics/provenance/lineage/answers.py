# SPDX-License-Identifier: Apache-2.0
"""Answers: what a thing came from, what came of it, what derives from a patient, and what cannot be seen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.provenance.lineage import closure
from monai_ethics.provenance.lineage.gaps import open_gaps
from monai_ethics.provenance.lineage.graph import Links, subject_name
from monai_ethics.provenance.lineage.index import Indexed, link_key
from monai_ethics.provenance.lineage.sketch import NOT_GIVEN, Node, Sketch, edges_of, folded, nodes_of, sketch
from monai_ethics.provenance.lineage.store import Store
from monai_ethics.provenance.log.files.payload import key_id_of, pseudonym_of, read_pseudonym_key
from monai_ethics.provenance.records.patients import PATIENT, patient_identifier

__all__ = ["GRADES", "Answer", "Reached", "find", "find_file", "lineage_of", "lineage_of_patient"]

GRADES = ("direct", "transitive", "unknown")
SHORTEST = 8  # hex digits by which a record can be asked for
NO_KEY = "the pseudonym key of a log is not here: which of its patients this is"
NO_ISSUER = "a patient of this number is recorded without an issuer: whether it is this one"
ISSUED = "A patient who was recorded with an issuer is found with that issuer only."
OUTSIDE = "Models and images of which no given log tells are not seen, whoever made them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A set, training, model or synthetic image, or all images of one type.

    Args:
        what: ``"set"``, ``"training"``, ``"weights"``, ``"synthesis"`` and other types of records.
        id: its name in the index; ``None`` for images that are counted only.
        count: how many.
        grade: ``"direct"``, ``"transitive"`` or ``"unknown"``.
        depth: most syntheses on a way to it; ``None`` if the records form a circle.
        grounds: why it is `unknown`.
    """

    what: str
    id: str | None
    count: int
    grade: str
    depth: int | None
    grounds: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON for machines."""
        names = ("what", "id", "count", "grade", "depth")
        return {**{name: getattr(self, name) for name in names}, "grounds": list(self.grounds)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer to one question.

    Args:
        asked: what was asked for, in words.
        found: whether any given log knows it.
        reached: sets and models one by one, images by type.
        sketch: the same as a graph.
        unseen: what cannot be seen, in words.
        up: whether ancestors were asked for.
    """

    asked: str
    found: bool
    reached: tuple[Reached, ...]
    sketch: Sketch
    unseen: tuple[str, ...]
    up: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON for machines."""
        return {
            "asked": self.asked,
            "found": self.found,
            "direction": "ancestors" if self.up else "descendants",
            "reached": [item.to_dict() for item in self.reached],
            "graph": self.sketch.to_dict(),
            "unseen": list(self.unseen),
        }


def find(store: Store, text: str) -> int:
    """Node of a record, of weights or of an image, by its id or the beginning of it.

    Args:
        store: an index that is up to date.
        text: ``sha256:...`` of a record, or the digest of weights or of an image's values; from 8 hex digits on.

    Raises:
        InputError: if there is none, or more than one.
    """
    digits = text.strip().lower().removeprefix("sha256:").removeprefix("weights:")
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST},64}}", digits):
        raise InputError(
            f"Expected the id of a record, at least {SHORTEST} hex digits of it, or a file: got another text. "
            "Give one that `monai-ethics lineage EVIDENCE` lists."
        )
    rows = [
        number
        for prefix in ("sha256:", "weights:", "file:")
        for (number,) in store.execute(
            "SELECT id FROM lineage_node WHERE name >= :low AND name < :high",
            low=prefix + digits,
            high=prefix + digits + "g",
        )
    ]
    if len(digits) == 64 and not rows:
        rows = _named(store, [Links(link_key()).image(digits)])
    if len(rows) != 1:
        got = "none" if not rows else f"{len(rows)}"
        raise InputError(
            f"Expected an id that one record of the given logs has: got {got}. Give it in full, or its log."
        )
    return int(rows[0])


def find_file(store: Store, path: Path) -> int:
    """Node of a file: a checkpoint by the digest of its bytes, an image by its values or the record that it names.

    Raises:
        InputError: if no given log knows the file, or it cannot be read.
    """
    from monai_ethics.provenance.images.digest import digest_file
    from monai_ethics.provenance.log.tree.canonical import file_sha256
    from monai_ethics.provenance.marks.sidecar import sidecar_marks

    rows = _named(store, [f"file:{file_sha256(path)}"])
    if not rows:
        try:
            digests = digest_file(path, slices=False)
        except InputError:
            raise InputError(_NO_FILE) from None
        names = [] if digests.voxel_v1 is None else [Links(link_key()).image(digests.voxel_v1)]
        rows = _named(store, names)
        record = sidecar_marks(path, digests).record
        if not rows and record:
            return find(store, record)
    if not rows:
        raise InputError(_NO_FILE)
    return int(rows[0])


_NO_FILE = (
    "Expected a file that a given log knows: got one that none registers, by its bytes, its values or its marks. "
    "Give the log of the run that read or wrote it."
)


def _named(store: Store, names: Iterable[str]) -> list[int]:
    return [
        row[0] for name in names for row in store.execute("SELECT id FROM lineage_node WHERE name = :name", name=name)
    ]


def lineage_of(store: Store, node: int, *, up: bool = False) -> Answer:
    """What a node came from, or what came of it.

    Args:
        store: an index that is up to date.
        node: as `find` gives it.
        up: ask for what it came from.
    """
    grades = closure.full(store, [node], up=up)
    nodes = nodes_of(store, grades)
    said = nodes[node].said if node in nodes else "image"
    return _answer(store, said, nodes, grades, starts=[node], up=up)


def lineage_of_patient(
    store: Store,
    indexed: Sequence[Indexed],
    folders: Sequence[Path],
    patient_id: str,
    *,
    issuer: str = "",
) -> Answer:
    """Which sets, models and synthetic images derive from a patient; the number is neither stored nor repeated.

    Args:
        store: an index that is up to date.
        indexed: what `refresh` gave for `folders`.
        folders: evidence folders and site logs; the pseudonym is computed under each one's own key.
        patient_id: the patient's number.
        issuer: who gave it out.
    """
    identifier, bare = patient_identifier(patient_id, issuer), patient_identifier(patient_id)
    names, perhaps, blind = [], [], []
    for item, folder in zip(indexed, folders, strict=True):
        key = read_pseudonym_key(Path(folder))
        if key is None or key_id_of(key) != item.key_id:
            blind.append(item.source)
        else:
            names.append(subject_name(item.key_id, pseudonym_of(key, PATIENT, identifier)))
            perhaps.append(subject_name(item.key_id, pseudonym_of(key, PATIENT, bare)))
    known = {item.source for item in indexed}
    blind += [row[0] for row in store.execute("SELECT id FROM lineage_source") if row[0] not in known]
    starts = _named(store, dict.fromkeys(names))
    grades = closure.full(store, starts) if starts else {}
    namesakes = [] if bare == identifier else _named(store, dict.fromkeys(perhaps))
    unknown = _unknown(store, grades, blind, namesakes)
    found = _answer(store, "patient", nodes_of(store, grades), grades, starts=starts, up=False, unknown=unknown)
    return found if issuer.strip() else replace(found, unseen=(*found.unseen, ISSUED))


def _unknown(
    store: Store, grades: Mapping[int, int], blind: Sequence[int], namesakes: Sequence[int]
) -> dict[int, tuple[str, ...]]:
    """Sets and models that may derive from the patient, and why that cannot be seen."""
    causes: dict[str, set[int]] = {}
    for node, why in open_gaps(store):
        causes.setdefault(why, set()).add(node)
    placeholders = store.execute("SELECT id FROM lineage_node WHERE kind = 'record' AND type IS NULL")
    causes[NO_ISSUER] = set(namesakes)
    causes[NOT_GIVEN] = {row[0] for row in placeholders}
    for source in blind:
        rows = store.execute("SELECT node FROM lineage_holds WHERE source = :source", source=source)
        causes.setdefault(NO_KEY, set()).update(row[0] for row in rows)
    grounds: dict[int, list[str]] = {}
    for why, nodes in sorted(causes.items()):
        for node in closure.groups(store, nodes) if nodes else ():
            if node not in grades:
                grounds.setdefault(node, []).append(why)
    return {node: tuple(reasons) for node, reasons in grounds.items()}


def _answer(
    store: Store,
    asked: str,
    nodes: Mapping[int, Node],
    grades: Mapping[int, int],
    *,
    starts: Sequence[int],
    up: bool,
    unknown: Mapping[int, tuple[str, ...]] | None = None,
) -> Answer:
    single = {"set", "training", "weights", "evaluation", "release"}
    rows: list[Reached] = []
    counts: Counter[tuple[str, int, int | None]] = Counter()
    standing = folded(nodes, edges_of(store, nodes))
    for number, node in nodes.items():
        if number in starts or standing[number] != number:
            continue
        if node.what in single:
            rows.append(_reached(node, GRADES[grades[number]]))
        else:
            counts[node.what, grades[number], node.depth] += 1
    for (what, grade, depth), count in counts.items():
        rows.append(Reached(what=what, id=None, count=count, grade=GRADES[grade], depth=depth))
    for number, node in nodes_of(store, unknown or {}).items():
        rows.append(_reached(node, GRADES[2], (unknown or {})[number]))
    drawn = sketch(store, nodes, grades=None if up else grades, asked=starts)
    reasons = {why for row in rows for why in row.grounds} | {what for what, _ in drawn.unseen}
    return Answer(
        asked=asked,
        found=bool(starts),
        reached=tuple(sorted(rows, key=lambda row: (GRADES.index(row.grade), row.what, str(row.id), str(row.depth)))),
        sketch=drawn,
        unseen=(*sorted(reasons), OUTSIDE),
        up=up,
    )


def _reached(node: Node, grade: str, grounds: tuple[str, ...] = ()) -> Reached:
    return Reached(what=node.what, id=node.name, count=1, grade=grade, depth=node.depth, grounds=grounds)
