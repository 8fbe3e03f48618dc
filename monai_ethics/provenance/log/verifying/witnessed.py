# SPDX-License-Identifier: Apache-2.0
"""The site log as witness: which heads of which logs it saw, and what it knows of revoked keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.keys.standing import Revocations
from monai_ethics.provenance.log.verifying.audit import audit
from monai_ethics.provenance.log.verifying.judge import judge
from monai_ethics.provenance.log.verifying.outside import Outside, WitnessedHead

if TYPE_CHECKING:
    from monai_ethics.provenance.log.reading.entries import Entry

__all__ = ["KIND", "Site", "load_site"]

KIND = "witness"


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a site log witnessed; only entries that its head covers count.

    Args:
        head: fingerprint of the site log's own head: what to keep elsewhere.
        heads: heads of each log by its `log_id`, oldest first.
        revoked: what it says of the end of keys.
        keys: bodies of its `key` entries: one key's word for the next holds wherever it stands.
        adopted: entries that nobody had signed before a later writer did.
    """

    head: str
    heads: Mapping[str, Sequence[WitnessedHead]]
    revoked: Revocations
    keys: Sequence[Mapping[str, Any]] = ()
    adopted: int = 0

    def outside(self, log_id: str | None, *, trusted: Sequence[bytes] = (), expected: str | None = None) -> Outside:
        """What the site log says of a log, with what else its reader has."""
        return Outside(
            trusted=trusted,
            expected=expected,
            site_head=self.head,
            heads=self.heads.get(log_id or "", ()),
            revoked=self.revoked,
            keys=self.keys,
            adopted=self.adopted,
        )


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
        if isinstance(error.__cause__, PermissionError):  # there is one
            raise
        raise InputError("Expected a site log: got a folder without one. Give the folder that keeps it.") from error
    result = judge(found, Outside(trusted=trusted))
    if result.head is None or not result.log_intact:
        raise GateError(
            f"Expected a site log that is as it was signed: got '{result.status}'. "
            "Run verify on it; without an intact one its witness counts for nothing."
        )
    return Site(head=result.head, heads=heads, revoked=found.revoked, keys=found.keys, adopted=found.repairs.adopted)


def _fingerprint(text: object) -> str:
    if not isinstance(text, str) or len(text) != 64:
        raise ValueError("no fingerprint")
    return bytes.fromhex(text).hex()
