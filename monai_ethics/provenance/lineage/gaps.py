# SPDX-License-Identifier: Apache-2.0
"""What cannot be seen: what the logs leave unsaid, less what another of the given logs says."""

from __future__ import annotations

from monai_ethics.provenance.lineage.graph import DARK, ITSELF, ROLES
from monai_ethics.provenance.lineage.store import Store

__all__ = ["open_gaps"]

# a log that says "of unknown origin" spoke for itself: a training in another log may have made the very weights
_OPEN = """
SELECT DISTINCT g.node, g.why FROM lineage_gap g WHERE g.why <> :dark
OR NOT EXISTS (
  SELECT 1 FROM lineage_edge used JOIN lineage_node w ON w.id = used.parent AND w.kind = 'weights'
  WHERE used.child = g.node)
OR EXISTS (
  SELECT 1 FROM lineage_edge used JOIN lineage_node w ON w.id = used.parent AND w.kind = 'weights'
  WHERE used.child = g.node AND NOT EXISTS (
    SELECT 1 FROM lineage_edge made JOIN lineage_node t ON t.id = made.parent
    WHERE made.child = w.id AND made.role = :itself AND t.type = 'training'))
"""


def open_gaps(store: Store) -> list[tuple[int, str]]:
    """Nodes and what cannot be seen at each; a model whose training another log records is no longer of unknown origin.

    Args:
        store: an index that is up to date.
    """
    return [(int(node), str(why)) for node, why in store.execute(_OPEN, dark=DARK, itself=ROLES[ITSELF])]
