# SPDX-License-Identifier: Apache-2.0
"""What the checks need of an index: depths of synthetic images, and derivations with their marks."""

from __future__ import annotations

from monai_ethics.evidence import Finding
from monai_ethics.provenance.feedback_depth import FeedbackDepth, SyntheticDepths
from monai_ethics.provenance.lineage.graph import CONTENT, ROLES, SYNTHETIC_MEMBER
from monai_ethics.provenance.lineage.sketch import Node, nodes_of
from monai_ethics.provenance.lineage.store import Store
from monai_ethics.provenance.mark_propagation import Derivations, MarkPropagation

__all__ = ["depths_of", "derivations_of", "lineage_findings"]

#: records of content; those of trainings and evaluations describe what was done
_JUDGED = ("acquisition", "import", "transform", "synthesis", "inference", "release")


def lineage_findings(store: Store) -> tuple[Finding, Finding]:
    """Both checks on all of an index."""
    nodes = nodes_of(store)
    return FeedbackDepth()(depths_of(nodes)), MarkPropagation()(derivations_of(store, nodes))


def depths_of(nodes: dict[int, Node]) -> SyntheticDepths:
    """Every record of synthesis."""
    rows = [node for node in nodes.values() if node.type == "synthesis" and node.kind == "record"]
    return SyntheticDepths(
        items=[node.name for node in rows],
        depths=[node.depth for node in rows],
        unseen=[node.unseen for node in rows],
        undeclared=[node.hushed for node in rows],
    )


def derivations_of(store: Store, nodes: dict[int, Node]) -> Derivations:
    """Every record of content and every image, with what their content came from."""
    known = {name: number for number, name in store.execute("SELECT id, name FROM lineage_role")}
    listed = ", ".join(str(known[role]) for role in CONTENT if role in known) or "NULL"
    kept = {
        number
        for number, node in nodes.items()
        if node.kind == "image" or (node.type in _JUDGED and node.kind != "run")
    }
    parents: dict[int, list[str]] = {number: [] for number in kept}
    into = set()
    for parent, child, role in store.execute(f"SELECT parent, child, role FROM lineage_edge WHERE role IN ({listed})"):
        if parent in kept and child in kept:
            parents[child].append(nodes[parent].name)
            if role == ROLES[SYNTHETIC_MEMBER]:
                into.add(parent)
    # an image known as synthetic from a set alone is marked; one with a record says what that record says
    states = {number: "yes" if number in into else nodes[number].synthetic for number in kept}
    return Derivations(
        items=[nodes[number].name for number in sorted(kept)],
        synthetic=[states[number] for number in sorted(kept)],
        parents=[parents[number] for number in sorted(kept)],
    )
