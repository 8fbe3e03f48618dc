# SPDX-License-Identifier: Apache-2.0
"""Which logs this process holds open: whoever wants to add to one of them need not wait for its own lock."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["hold", "holder", "release"]

_HELD: WeakValueDictionary[tuple[int, int, int], EvidenceLog] = WeakValueDictionary()


def _place(folder: Path) -> tuple[int, int, int] | None:
    """Process and folder; a forked child holds nothing."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return os.getpid(), found.st_dev, found.st_ino


def hold(log: EvidenceLog) -> None:
    """Note a log that was opened."""
    place = _place(log.folder)
    if place is not None:
        _HELD[place] = log


def release(log: EvidenceLog) -> None:
    """Forget a log that is being closed."""
    place = _place(log.folder)
    if place is not None and _HELD.get(place) is log:
        _HELD.pop(place, None)


def holder(folder: Path) -> EvidenceLog | None:
    """The open log of this process for a folder."""
    place = _place(folder)
    return _HELD.get(place) if place is not None else None
