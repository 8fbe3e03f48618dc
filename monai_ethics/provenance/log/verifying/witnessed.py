# SPDX-License-Identifier: Apache-2.0
"""The site log as witness: which heads of which logs it saw, and what it knows of revoked keys."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ethics.errors import EthicsError, GateError, InputError, ProvenanceError
from monai_ethics.provenance.log.reading.entries import LOG_NAME
from monai_ethics.provenance.log.tree.head import Head
from monai_ethics.provenance.log.verifying.audit import Audit, audit
from monai_ethics.provenance.log.verifying.judge import Outside, judge

if TYPE_CHECKING:
    from monai_ethics.provenance.keys.key import Signer
    from monai_ethics.provenance.log.reading.entries import Entry

__all__ = [
    "SITE_VARIABLE",
    "Site",
    "WitnessedHead",
    "leave_witness",
    "load_site",
    "same_folder",
    "site_from",
    "witness",
]

SITE_VARIABLE = "MONAI_ETHICS_SITE"
KIND = "witness"
WAIT = 10.0  # most seconds that closing a log waits for the site log


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessedHead:
    """A head that the site log saw.

    Args:
        fingerprint: of the head, hex.
        size: entries that it covers.
        position: number of the site log's entry.
    """

    fingerprint: str
    size: int
    position: int


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a site log witnessed; only entries that its head covers count.

    Args:
        head: fingerprint of the site log's own head: what to keep elsewhere.
        heads: heads of each log by its `log_id`, oldest first.
        revoked: fingerprint of each revoked key to the number of the entry that revokes it.
        keys: bodies of its `key` entries: one key's word for the next holds wherever it stands.
    """

    head: str
    heads: Mapping[str, Sequence[WitnessedHead]]
    revoked: Mapping[str, int]
    keys: Sequence[Mapping[str, Any]] = ()

    def outside(self, found: Audit, *, trusted: Sequence[bytes] = (), expected: str | None = None) -> Outside:
        """What the site log says of a folder, with what else its reader has."""
        heads = self.heads.get(found.log_id or "", ())
        present = found.head.fingerprint if found.head else None
        return Outside(
            trusted=trusted,
            expected=expected,
            site_head=self.head,
            heads=[(head.fingerprint, head.size) for head in heads],
            seen_at=next((head.position for head in heads if head.fingerprint == present), None),
            revoked=self.revoked,
            keys=self.keys,
        )


def site_from(given: str | Path | None) -> Path | None:
    """The site log that was given, or the one that ``MONAI_ETHICS_SITE`` names, or none; absolute."""
    named = given or os.environ.get(SITE_VARIABLE)
    return Path(named).absolute() if named else None


def load_site(site: Path, *, trusted: Sequence[bytes] = (), log_id: str | None = None) -> Site:
    """Verify a site log and read what it witnessed, in one pass.

    Args:
        site: the site log.
        trusted: keys one of which must have signed it, as for `verify_evidence`.
        log_id: keep heads of this log only.

    Raises:
        GateError: if it is not as it was signed.
        InputError: if the folder holds no log.
    """
    heads: dict[str, list[WitnessedHead]] = {}

    def watch(entry: Entry) -> None:
        body = entry.body
        if entry.kind == KIND and log_id in (None, body["log_id"]):
            seen = WitnessedHead(fingerprint=_fingerprint(body["head"]), size=int(body["size"]), position=entry.seq)
            heads.setdefault(str(body["log_id"]), []).append(seen)

    try:
        found = audit(site, watch=watch)
    except InputError as error:
        raise InputError("Expected a site log: got a folder without one. Give the folder that keeps it.") from error
    result = judge(found, Outside(trusted=trusted))
    if result.head is None or not result.log_intact:
        raise GateError(
            f"Expected a site log that is as it was signed: got '{result.status}'. "
            "Run verify on it; without an intact one its witness counts for nothing."
        )
    return Site(head=result.head, heads=heads, revoked=found.revoked, keys=found.keys)


def _fingerprint(text: object) -> str:
    if not isinstance(text, str) or len(text) != 64:
        raise ValueError("no fingerprint")
    return bytes.fromhex(text).hex()


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
    from monai_ethics.provenance.log.writing.held import holder
    from monai_ethics.provenance.log.writing.site import open_site

    body = {
        "log_id": log_id,
        "size": head.size,
        "root": head.root,
        "head": head.fingerprint,
        "run_id": head.run_id,
        "signer": _signer(head),
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


def _signer(head: Head) -> str:
    from monai_ethics.provenance.keys.key import fingerprint

    return fingerprint(bytes.fromhex(head.public_key))


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


def same_folder(site: Path, folder: Path) -> bool:
    """Whether two paths lead to one folder."""
    try:
        return Path(site).samefile(folder)
    except OSError:
        return False
