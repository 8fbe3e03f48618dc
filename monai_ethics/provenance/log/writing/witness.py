# SPDX-License-Identifier: Apache-2.0
"""What closing a log does where there is a site log: its new head is written there, so that somebody saw it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from monai_ethics.errors import EthicsError, InputError, ProvenanceError
from monai_ethics.provenance.keys.key import fingerprint
from monai_ethics.provenance.log.files.storage import same_folder
from monai_ethics.provenance.log.reading.entries import LOG_NAME
from monai_ethics.provenance.log.tree.head import Head
from monai_ethics.provenance.log.verifying.witnessed import KIND
from monai_ethics.provenance.log.writing.held import holder

if TYPE_CHECKING:
    from monai_ethics.provenance.keys.key import Signer

__all__ = ["SITE_VARIABLE", "leave_witness", "site_from", "witness"]

SITE_VARIABLE = "MONAI_ETHICS_SITE"
WAIT = 10.0  # most seconds that closing a log waits for the site log


def site_from(given: str | Path | None) -> Path | None:
    """The site log that was given, or the one that ``MONAI_ETHICS_SITE`` names, or none; absolute."""
    named = given or os.environ.get(SITE_VARIABLE)
    return Path(named).absolute() if named else None


def witness(site: Path, head: Head, *, log_id: str, key: Signer | None = None, wait: float | None = None) -> None:
    """Write into the site log that a log has this head.

    Args:
        site: the site log; made on first use, if the folder that shall hold it is there.
        head: the head.
        log_id: random id of the log that it covers.
        key: what signs the site log; by default the key of the key home.
        wait: most seconds to wait for another writer, 10 by default; a site log that this process itself holds is
            not waited for.

    Raises:
        BusyError: if another writer still holds the site log after that.
        InputError: if it cannot be written.
        ProvenanceError: if it is not intact.
    """
    from monai_ethics.provenance.log.writing.site import open_site  # which opens logs, and they leave witnesses

    body = {
        "log_id": log_id,
        "size": head.size,
        "root": head.root,
        "head": head.fingerprint,
        "run_id": head.run_id,
        "signer": fingerprint(bytes.fromhex(head.public_key)),
    }
    if not site.parent.is_dir():
        raise InputError("Expected a site log in a folder that exists: got another path. Make the folder first.")
    held = holder(site)
    if held is not None:
        try:
            held.append(KIND, body)
            return  # whoever holds it seals it
        except ProvenanceError:  # closed at this moment
            pass
    with open_site(site, run_id=KIND, wait=WAIT if wait is None else wait, key=key) as log:
        log.append(KIND, body)


def leave_witness(site: Path | None, head: Head, *, folder: Path, log_id: str, key: Signer) -> None:
    """What closing a log does: witness its new head where there is a site log; a failure is told and harms nothing."""
    if site is None or same_folder(site, folder):
        return
    try:
        begun = not (site / LOG_NAME).exists()
        witness(site, head, log_id=log_id, key=key)
        if begun:
            print(
                "monai-ethics: a new site log was begun: the folder that was named for it held none.", file=sys.stderr
            )
    except (EthicsError, OSError) as error:
        told = str(error) if isinstance(error, EthicsError) else f"Got '{error.strerror}'."
        print(f"monai-ethics: the evidence is sealed, but the site log does not witness it. {told}", file=sys.stderr)
