# SPDX-License-Identifier: Apache-2.0
"""The site log: an evidence log that outlives runs and that many short-lived writers share."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from monai_ethics.errors import BusyError
from monai_ethics.provenance.log.writing.writer import EvidenceLog, utc_now

if TYPE_CHECKING:
    from monai_ethics.provenance.keys.key import Signer

__all__ = ["open_site"]

PAUSE = (0.002, 0.02)  # seconds between two attempts; drawn, so that no writer is always second
_RANDOM = SystemRandom()  # the generators of the run are not ours


def open_site(
    folder: Path,
    *,
    run_id: str = "site",
    wait: float = 10.0,
    clock: Callable[[], datetime] = utc_now,
    key: Signer | None = None,
    is_site: bool = True,
) -> EvidenceLog:
    """Open the log of a site, waiting while another writer holds it.

    A site's writers append a few entries, seal and close; none holds the folder for long.
    No other site log is told of a site log's head.

    Args:
        folder: the site log; created with its parents.
        run_id: who writes; a number is added where the log has it already.
        wait: most seconds to wait.
        clock: gives the time of each entry.
        key: signing key; by default the one of the key home.
        is_site: False for an evidence folder that is waited for in the same way, and whose head is witnessed.

    Raises:
        BusyError: if another writer still holds the folder after that.
        InputError: if the folder cannot be written.
        ProvenanceError: if what it holds is not intact.
    """
    until = time.monotonic() + wait
    while True:
        try:
            return EvidenceLog.open(folder, run_id=run_id, clock=clock, key=key, site=folder if is_site else None)
        except BusyError:
            if time.monotonic() >= until:
                raise
            time.sleep(_RANDOM.uniform(*PAUSE))
