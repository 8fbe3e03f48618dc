# SPDX-License-Identifier: Apache-2.0
"""A graph small enough to be seen: every node of a small one, kinds with their counts of a large one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from monai_ethics.provenance.lineage.gaps import open_gaps
from monai_ethics.provenance.lineage.graph import INITIAL, ITSELF, ROLES
from monai_ethics.provenance.lineage.store import Store
from monai_ethics.provenance.marks.taint import carries_synthetic

__all__ = ["Arrow", "Box", "Node", "Sketch", "edges_of", "folded", "kind_name", "nodes_of", "sketch"]

SMALL = 24  # nodes that are still drawn one by one
_CHUNK = 20_000
_GRADES = ("direct", "transitive")
_STAGES = {
    "subject": (0, "patient", "patients"),
    "acquisition": (1, "acquired image", "acquired images"),
    "import": (1, "imported image", "imported images"),
    "image": (1, "unrecorded image", "unrecorded images"),
    "unknown": (1, "record not given", "records not given"),
    "transform": (2, "derived image", "derived images"),
    "set": (3, "set of images", "sets of images"),
    "training": (4, "training", "trainings"),
    "weights": (5, "model", "models"),
    "synthesis": (6, "synthetic image", "synthetic images"),
    "inference": (6, "result of a model", "results of a model"),
    "evaluation": (6, "evaluation", "evaluations"),
    "run": (6, "run of a model", "runs of models"),
    "file": (7, "file of weights", "files of weights"),
    "release": (7, "release", "releases"),
}
_OTHER = (7, "record", "records")


def kind_name(kind: str, count: int) -> str:
    """What a kind of node is called, for one or for several."""
    return str(_STAGES.get(kind, _OTHER)[1 if count == 1 else 2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node of the index: see docs/reference/lineage-index.md."""

    id: int
    name: str
    kind: str
    type: str | None
    synthetic: str | None
    depth: int | None
    unseen: bool
    hushed: bool

    @property
    def what(self) -> str:
        """Word of `_STAGES`."""
        if self.kind in ("subject", "image", "weights", "set", "file", "run"):
            return self.kind
        return self.type or "unknown"

    @property
    def said(self) -> str:
        """What it is, in words, and how it can be asked for."""
        return f"{_STAGES.get(self.what, _OTHER)[1]} {self.short}".rstrip()

    @property
    def short(self) -> str:
        """Beginning of its id; nothing for images and patients."""
        if self.kind in ("image", "subject"):
            return ""
        return self.name.removeprefix("weights:").removeprefix("sha256:")[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One node, or all nodes of one kind.

    Args:
        label: what it is.
        note: id, generation, grade.
        count: nodes that it stands for.
        column: place from left to right.
        marked: whether it is synthetic, wholly or in part.
        asked: whether it is what was asked for.
    """

    label: str
    note: str
    count: int
    column: int
    marked: bool
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """From one box to another, with the number of edges that it stands for."""

    parent: int
    child: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """Boxes in order of their columns, and arrows between their positions.

    Args:
        boxes: what is shown.
        arrows: what was made of what.
        whole: whether each box stands for one node.
        unseen: what cannot be seen, in words, with how often.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    whole: bool
    unseen: tuple[tuple[str, int], ...] = ()

    @property
    def rows(self) -> list[tuple[str, int, str]]:
        """The same as a table: what, how many, and what it was made from."""
        return [
            (
                f"{box.label}{', ' if box.note else ''}{box.note}",
                box.count,
                "; ".join(
                    f"{self.boxes[arrow.parent].label}{' ' if note else ''}{note}"
                    for arrow in self.arrows
                    if arrow.child == place
                    for note in (self.boxes[arrow.parent].note,)
                )
                or "nothing recorded",
            )
            for place, box in enumerate(self.boxes)
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON for machines."""
        names = ("label", "note", "count", "column", "marked", "asked")
        return {
            "boxes": [{name: getattr(box, name) for name in names} for box in self.boxes],
            "arrows": [{"parent": arrow.parent, "child": arrow.child, "count": arrow.count} for arrow in self.arrows],
            "whole": self.whole,
            "unseen": [{"what": what, "count": count} for what, count in self.unseen],
        }


def nodes_of(store: Store, numbers: Iterable[int] | None = None) -> dict[int, Node]:
    """Nodes by number; all without `numbers`."""
    sql = (
        "SELECT n.id, n.name, n.kind, n.type, n.synthetic, t.depth, t.unseen, t.hushed "
        "FROM lineage_node n JOIN lineage_told t ON t.id = n.id"
    )
    wanted = [""] if numbers is None else [f" WHERE n.id IN ({listed})" for listed in _chunks(numbers)]
    return {
        row[0]: Node(
            id=row[0],
            name=row[1],
            kind=row[2],
            type=row[3],
            synthetic=row[4],
            depth=row[5],
            unseen=bool(row[6]),
            hushed=bool(row[7]),
        )
        for where in wanted
        for row in store.execute(sql + where)
    }


def _chunks(numbers: Iterable[int]) -> Iterator[str]:
    every = sorted(numbers)
    for start in range(0, len(every), _CHUNK):
        yield ", ".join(str(int(number)) for number in every[start : start + _CHUNK])


def sketch(
    store: Store,
    nodes: Mapping[int, Node] | None = None,
    *,
    grades: Mapping[int, int] | None = None,
    asked: Iterable[int] = (),
    small: int = SMALL,
) -> Sketch:
    """Draw some nodes of the index together.

    Args:
        store: an index that is up to date.
        nodes: which; all of the index by default.
        grades: 0 direct, 1 transitive, where that was asked.
        asked: the nodes that were asked for.
        small: most nodes that are shown one by one.
    """
    shown = dict(nodes_of(store) if nodes is None else nodes)
    edges = edges_of(store, None if nodes is None else shown)
    bare = _unlearned(store, shown, edges)
    shown = {number: node for number, node in shown.items() if number not in bare}
    edges = [edge for edge in edges if edge[0] not in bare]
    standing = folded(shown, edges)
    kept = {number: node for number, node in shown.items() if standing[number] == number}
    whole = len(kept) <= small
    wanted = {standing[number] for number in asked if number in standing}
    graded = {number: _GRADES[grade] for number, grade in (grades or {}).items()}
    kinds = {
        number: _kind(node, grade=graded.get(number), asked=number in wanted, whole=whole)
        for number, node in kept.items()
    }
    counts = Counter(kinds.values())
    order = sorted(counts, key=lambda kind: (kind.column, str(kind[1:])))
    columns = {column: place for place, column in enumerate(sorted({kind.column for kind in order}))}
    samples = {kinds[number]: node for number, node in kept.items()}
    boxes = tuple(_box(kind, samples[kind], counts[kind], columns[kind.column], whole=whole) for kind in order)
    places = {kind: place for place, kind in enumerate(order)}
    arrows = Counter(
        (places[kinds[standing[parent]]], places[kinds[standing[child]]])
        for parent, child, _ in edges
        if standing[parent] != standing[child]
    )
    return Sketch(
        boxes=boxes,
        arrows=tuple(Arrow(parent=a, child=b, count=n) for (a, b), n in sorted(arrows.items()) if a != b),
        whole=whole,
        unseen=_unseen(store, shown),
    )


def edges_of(store: Store, shown: Mapping[int, Node] | None) -> list[tuple[int, int, int]]:
    """Parent, child and number of the role of each edge between some nodes, or of all."""
    sql = "SELECT DISTINCT parent, child, role FROM lineage_edge"
    if shown is None:
        return [(int(a), int(b), int(role)) for a, b, role in store.execute(sql)]
    return [
        (int(a), int(b), int(role))
        for listed in _chunks(shown)
        for a, b, role in store.execute(f"{sql} WHERE child IN ({listed})")
        if a in shown
    ]


def _unlearned(store: Store, shown: Mapping[int, Node], edges: Iterable[tuple[int, int, int]]) -> set[int]:
    """Weights with which a training began and that no given log made: mostly drawn at random."""
    roles = {row[0] for row in store.execute("SELECT id FROM lineage_role WHERE name = :name", name=INITIAL)}
    made = {child for _, child, _ in edges} | {parent for parent, _, role in edges if role not in roles}
    return {number for number, node in shown.items() if node.kind == "weights" and number not in made}


def folded(shown: Mapping[int, Node], edges: Iterable[tuple[int, int, int]]) -> dict[int, int]:
    """The image that a record describes is shown as that record, the first one of several."""
    standing = {number: number for number in shown}
    own = sorted((parent, child) for parent, child, role in edges if role == ROLES[ITSELF])
    for parent, child in own:
        if shown[child].kind in ("image", "file") and standing[child] == child:
            standing[child] = parent
    for parent, child in own:
        if shown[parent].kind == "image" and standing[parent] == parent:
            standing[parent] = child
    return standing


def _column(node: Node) -> int:
    stage = _STAGES.get(node.what, _OTHER)[0]
    depth = node.depth or 0
    if node.kind == "image" and depth:
        stage = 6
    return stage + 8 * max(depth - (stage >= 6 and depth > 0), 0)


class _Kind(NamedTuple):
    """What the nodes of one box have in common; in a small graph also their name, so that each has its own."""

    column: int
    what: str
    marked: bool
    grade: str | None
    asked: bool
    name: str


def _kind(node: Node, *, grade: str | None, asked: bool, whole: bool) -> _Kind:
    marked = carries_synthetic(node.synthetic) or (node.what == "image" and bool(node.depth))
    return _Kind(_column(node), node.what, marked, grade, asked, node.name if whole else "")


def _box(kind: _Kind, node: Node, count: int, column: int, *, whole: bool) -> Box:
    _, one, many = _STAGES.get(kind.what, _OTHER)
    notes = [node.short] if whole and node.short else []
    if node.depth is None:
        notes.append("in a circle")
    elif node.depth > 1 or (node.depth == 1 and kind.what != "synthesis"):
        notes.append(f"depth {node.depth}")
    if kind.grade and not kind.asked:
        notes.append(kind.grade)
    return Box(
        label=one if count == 1 else f"{count:,} {many}",
        note=", ".join(notes),
        count=count,
        column=column,
        marked=kind.marked,
        asked=kind.asked,
    )


def _unseen(store: Store, shown: Mapping[int, Node]) -> tuple[tuple[str, int], ...]:
    found = Counter(why for node, why in open_gaps(store) if node in shown)
    missing = sum(node.kind == "record" and node.type is None for node in shown.values())
    if missing:
        found[NOT_GIVEN] += missing
    return tuple(sorted(found.items()))


NOT_GIVEN = "a record that no given log holds: what it came from"
