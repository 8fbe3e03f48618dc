# SPDX-License-Identifier: Apache-2.0
"""The graph of one evidence folder, for its report."""

from __future__ import annotations

from pathlib import Path

from monai_ethics.errors import EthicsError
from monai_ethics.provenance.lineage.index import refresh
from monai_ethics.provenance.lineage.sketch import Sketch, sketch
from monai_ethics.provenance.lineage.store import open_store

__all__ = ["sketch_of"]


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
