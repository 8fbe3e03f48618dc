# SPDX-License-Identifier: Apache-2.0
"""The graph of one evidence folder and what the checks of lineage say of it, for its report."""

from __future__ import annotations

from pathlib import Path

from monai_ethics.errors import EthicsError
from monai_ethics.evidence import Finding
from monai_ethics.provenance.lineage.findings import lineage_findings
from monai_ethics.provenance.lineage.index import refresh
from monai_ethics.provenance.lineage.sketch import Sketch, sketch
from monai_ethics.provenance.lineage.store import open_store

__all__ = ["findings_of", "sketch_of"]


def sketch_of(folder: Path) -> Sketch | None:
    """What a log says was made of what; ``None`` where it records nothing, or cannot be read.

    Nothing is written: equal logs give equal graphs.

    Args:
        folder: the evidence folder.
    """
    store = open_store(None)
    try:
        refresh(store, [folder], even_altered=True, key=bytes(32))  # what the report says of the log stands beside it
        drawn = sketch(store)
    except EthicsError:
        return None
    finally:
        store.close()
    return drawn if drawn.arrows else None


def findings_of(folder: Path) -> tuple[Finding, ...]:
    """What the checks of lineage say of one log; nothing where it records no synthetic content, or cannot be read.

    Args:
        folder: the evidence folder; entries that are not signed yet are read as well.
    """
    store = open_store(None)
    try:
        refresh(store, [folder], even_altered=True, key=bytes(32))
        rows = store.execute("SELECT COUNT(*) FROM lineage_node WHERE synthetic IN ('yes', 'partial')")
        return lineage_findings(store) if rows[0][0] else ()
    except EthicsError:
        return ()
    finally:
        store.close()
