# SPDX-License-Identifier: Apache-2.0
"""Everything that a node comes from, or that comes from it: recursive queries that both databases read.

The way from a single image to the sets that hold it is short; between sets and models the short graph answers; the
many images that a model made are fetched last, and only where they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from monai_ethics.provenance.lineage.store import Store

__all__ = ["DIRECT", "TRANSITIVE", "full", "groups", "near"]

DIRECT, TRANSITIVE = 0, 1
_ENDS = {False: ("parent", "child"), True: ("child", "parent")}

# from single images to the first sets and models
_NEAR = """
near(node, hop) AS (
  SELECT id, 0 FROM lineage_told WHERE id IN ({starts})
  UNION
  SELECT e.{to}, CASE WHEN near.hop = 1 OR (p.made = 1 AND e.role <> 1) THEN 1 ELSE 0 END
  FROM near
  JOIN lineage_told n ON n.id = near.node AND n.grouped = 0
  JOIN lineage_edge e ON e.{at} = near.node
  JOIN lineage_told p ON p.id = e.parent
)"""
# from those on, without and with models between
_FAR = """
straight(node) AS (
  SELECT near.node FROM near JOIN lineage_told n ON n.id = near.node AND n.grouped = 1 WHERE near.hop = 0
  UNION
  SELECT s.{to} FROM straight JOIN lineage_short s ON s.{at} = straight.node WHERE s.hop = 0
),
far(node) AS (
  SELECT near.node FROM near JOIN lineage_told n ON n.id = near.node AND n.grouped = 1
  UNION
  SELECT s.{to} FROM far JOIN lineage_short s ON s.{at} = far.node
)"""
_FAR_END = """
SELECT far.node, CASE WHEN straight.node IS NULL THEN 1 ELSE 0 END
FROM far LEFT JOIN straight ON straight.node = far.node"""
_MEMBERS = """
items(node) AS (
  SELECT e.parent FROM far
  JOIN lineage_edge e ON e.child = far.node
  JOIN lineage_told n ON n.id = e.parent AND n.grouped = 0
  UNION
  SELECT e.parent FROM items
  JOIN lineage_edge e ON e.child = items.node
  JOIN lineage_told n ON n.id = e.parent AND n.grouped = 0
)"""
_OUTPUTS = """
items(node) AS (SELECT DISTINCT o.item FROM far JOIN lineage_output o ON o.maker = far.node)"""


def _sql(parts: Iterable[str], end: str, starts: Iterable[int], *, up: bool) -> str:
    at, to = _ENDS[up]
    listed = ", ".join(str(int(start)) for start in starts) or "NULL"
    return "WITH RECURSIVE " + ",".join(part.format(at=at, to=to, starts=listed) for part in parts) + end


def near(store: Store, starts: Iterable[int], *, up: bool = False) -> dict[int, int]:
    """Single images and the first sets and models on each way, graded; the starts themselves too."""
    end = " SELECT node, MIN(hop) FROM near GROUP BY node"
    return {int(node): int(hop) for node, hop in store.execute(_sql((_NEAR,), end, starts, up=up))}


def groups(store: Store, starts: Iterable[int], *, up: bool = False) -> dict[int, int]:
    """Sets, trainings and weights that derive from the starts, or from which they derive.

    Args:
        store: an index that is up to date.
        starts: numbers of nodes.
        up: ask for ancestors.

    Returns:
        Number of a node to `DIRECT` or `TRANSITIVE`: whether, on the best way, a model's output or another model
        stands between.
    """
    rows = store.execute(_sql((_NEAR, _FAR), _FAR_END, starts, up=up))
    return {int(node): int(hop) for node, hop in rows}


def full(store: Store, starts: Iterable[int], *, up: bool = False) -> dict[int, int]:
    """All of `near` and `groups`, and the single images besides."""
    listed = list(starts)
    items = store.execute(_sql((_NEAR, _FAR, _MEMBERS if up else _OUTPUTS), " SELECT node FROM items", listed, up=up))
    return (
        dict.fromkeys((int(row[0]) for row in items), TRANSITIVE)
        | groups(store, listed, up=up)
        | near(store, listed, up=up)
    )
