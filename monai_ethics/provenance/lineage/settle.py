# SPDX-License-Identifier: Apache-2.0
"""What the whole graph says of each node, and the short graph of sets and models, computed once per change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monai_ethics.provenance.lineage.gaps import open_gaps
from monai_ethics.provenance.lineage.graph import ITSELF, NOBODYS, ROLES, SYNTHETIC_MEMBER
from monai_ethics.provenance.lineage.store import Store

__all__ = ["GROUPS", "settle"]

#: types of records that stand for many images at once
GROUPS = ("training", "evaluation", "release")
MADE = ("synthesis", "inference")
_MARKED = ("yes", "partial")
_ITSELF, _INTO = ROLES[ITSELF], ROLES[SYNTHETIC_MEMBER]
Array = np.ndarray


def settle(store: Store) -> None:
    """Write each node's group, depth and openness, and the edges between sets and models."""
    nodes = store.execute("SELECT id, kind, type, synthetic FROM lineage_node ORDER BY id")
    numbers = np.array([row[0] for row in nodes], dtype=np.int64)
    edges = np.array(store.execute("SELECT parent, child, role FROM lineage_edge"), dtype=np.int64).reshape(-1, 3)
    graph = _Graph(nodes, np.searchsorted(numbers, edges[:, 0]), np.searchsorted(numbers, edges[:, 1]), edges[:, 2])
    gaps = sorted({node for node, why in open_gaps(store) if why != NOBODYS})
    unseen = graph.placeholder.copy()
    unseen[np.searchsorted(numbers, np.array(gaps, dtype=np.int64))] = True
    depth, unseen, hushed = graph.swept(unseen)
    told = [
        (*row[:3], None if row[3] < 0 else row[3], *row[4:])
        for row in np.stack([numbers, graph.group, graph.made, depth, unseen, hushed], axis=1).tolist()
    ]
    outputs, short = graph.short()
    for table, columns, rows in (
        ("told", ("id", "grouped", "made", "depth", "unseen", "hushed"), told),
        ("output", ("maker", "item"), numbers[outputs].tolist()),
        ("short", ("parent", "child", "hop"), np.concatenate([numbers[short[:, :2]], short[:, 2:]], axis=1).tolist()),
    ):
        store.execute(f"DELETE FROM lineage_{table}")
        store.insert(f"lineage_{table}", columns, rows)
        store.execute(f"ANALYZE lineage_{table}")
    store.execute("ANALYZE lineage_edge")


class _Graph:
    """Nodes and edges as arrays.

    Args:
        nodes: number, kind, type and `synthetic` of each node.
        parents: position of the parent of each edge, shape ``(E,)``.
        children: position of the child.
        roles: number of the role of each edge.
    """

    def __init__(self, nodes: Sequence[Sequence[object]], parents: Array, children: Array, roles: Array) -> None:
        self.n = len(nodes)
        order = np.argsort(parents, kind="stable")
        self.parents, self.children, self.roles = parents[order], children[order], roles[order]
        self.starts = np.searchsorted(self.parents, np.arange(self.n + 1))
        kinds = np.array([str(row[1]) for row in nodes], dtype=object)
        types = np.array([str(row[2]) for row in nodes], dtype=object)
        self.set = kinds == "set"
        self.group = self.set | (kinds == "weights") | np.isin(types, GROUPS)
        self.synthesis = (types == "synthesis") & (kinds == "record")
        self.placeholder = (kinds == "record") & np.array([row[2] is None for row in nodes], dtype=bool)
        self.marked = np.isin(np.array([str(row[3]) for row in nodes], dtype=object), _MARKED)
        self.synthetic_image = np.zeros(self.n, dtype=bool)
        own = self.roles == _ITSELF
        self.synthetic_image[self.children[own & self.marked[self.parents]]] = True
        self.synthetic_image[self.parents[own & self.marked[self.children]]] = True
        self.synthetic_image[self.parents[self.roles == _INTO]] = True
        self.synthetic_image &= kinds == "image"
        self.made = np.isin(types, MADE) | np.isin(types, ("training",)) | (kinds == "weights") | self.synthetic_image

    def expand(self, at: Array) -> tuple[Array, Array]:
        """Edges that leave some nodes: for each, the position in `at` and the number of the edge."""
        counts = self.starts[at + 1] - self.starts[at]
        owner = np.repeat(np.arange(len(at)), counts)
        ends = np.cumsum(counts)
        edges = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(self.starts[at] - (ends - counts), counts)
        return owner, edges

    def swept(self, unseen: Array) -> tuple[Array, Array, Array]:
        """Depth, openness and undeclared mixture of each node, from the ancestors down.

        Args:
            unseen: nodes at which something cannot be seen.

        Returns:
            Most synthesis records on a path that ends there, -1 in or behind a circle; whether an ancestor or the node
            itself leaves something open; whether a set among them holds synthetic images and does not say so.
        """
        depth = np.zeros(self.n, dtype=np.int64)
        unseen = unseen.copy()
        holds = np.zeros(self.n, dtype=bool)
        into = self.set[self.children] & (self.synthetic_image | (self.synthesis & self.marked))[self.parents]
        holds[self.children[into]] = True
        hushed = holds & ~self.marked
        waiting = np.bincount(self.children, minlength=self.n)
        front = np.flatnonzero(waiting == 0)
        done = np.zeros(self.n, dtype=bool)
        while len(front):
            done[front] = True
            depth[front] += self.synthesis[front]
            _, edges = self.expand(front)
            source, target = self.parents[edges], self.children[edges]
            # an image that a record describes and that is registered again is no second synthesis
            np.maximum.at(depth, target, depth[source])
            np.logical_or.at(unseen, target, unseen[source])
            np.logical_or.at(hushed, target, hushed[source])
            np.subtract.at(waiting, target, 1)
            reached = np.unique(target)
            front = reached[waiting[reached] == 0]
        depth[~done] = -1
        unseen[~done] = True
        return depth, unseen, hushed

    def short(self) -> tuple[Array, Array]:
        """What each set and model made, and the edges between sets and models, directly or over single images.

        Returns:
            Pairs of a group and a single image that comes from it, shape ``(P, 2)``; parent, child, and whether a
            model's output, or a model that is not the child itself, stands between, shape ``(S, 3)``.
        """
        group, n = self.group, self.n
        direct = group[self.parents] & group[self.children]
        hop = self.made[self.parents] & (self.roles != _ITSELF)
        found = [(self.parents * n + self.children)[direct] * 2 + hop[direct]]
        out = group[self.parents] & ~group[self.children]
        pairs = np.unique(self.parents[out] * n + self.children[out])
        seen = pairs
        while len(pairs):
            owner, edges = self.expand(pairs % n)
            target = self.children[edges]
            ends = group[target]
            keys = pairs[owner] // n * n + target
            found.append(np.unique(keys[ends]) * 2 + 1)  # what leaves a group over an image was made by it
            pairs = np.setdiff1d(keys[~ends], seen)
            seen = np.union1d(seen, pairs)
        short = np.unique(np.concatenate(found))
        return _columns(seen, n), np.column_stack([_columns(short // 2, n), short % 2])


def _columns(keys: Array, n: int) -> Array:
    return np.column_stack([keys // max(n, 1), keys % max(n, 1)])
