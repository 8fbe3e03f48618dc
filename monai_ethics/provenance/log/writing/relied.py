# SPDX-License-Identifier: Apache-2.0
"""What of a verified log may be relied on: what its head covers, and nothing that came since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from monai_ethics.provenance.log.reading.entries import Covered
from monai_ethics.provenance.log.writing.held import holder

if TYPE_CHECKING:
    from monai_ethics.provenance.log.verifying.verify import Verification

__all__ = ["relied_on"]


def relied_on(folder: Path, found: Verification) -> Covered | None:
    """What `iter_entries` takes as `under` after a verification: what nobody signed is not read, nor what was changed.

    Args:
        folder: the evidence folder or site log.
        found: what verifying it found.

    Returns:
        What its head covers; ``None``, which reads to the end, for a log that this process itself is writing.
    """
    if holder(Path(folder)) is not None:
        return None
    return Covered(found.sealed, found.sealed_root or "")
