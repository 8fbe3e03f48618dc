# SPDX-License-Identifier: Apache-2.0
"""Whose signature on a file counts: keys that the reader trusts and what they endorse, as long as they had the key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from monai_ethics.provenance.keys.rotation import trusted_through
from monai_ethics.provenance.keys.standing import Revocation, Revocations, counts
from monai_ethics.provenance.log.verifying.audit import audit
from monai_ethics.provenance.log.verifying.judge import judge
from monai_ethics.provenance.log.verifying.verify import require_signed
from monai_ethics.provenance.log.verifying.witnessed import load_site
from monai_ethics.provenance.signed.envelope import Statement

__all__ = ["Trust", "trust_through"]

_REVOKED = "The key that signed was revoked, and nothing in a file shows that it signed before that."
_RETIRED = "The key that signed was retired: it is used no more, and what it signed before stands."


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What a reader of signed files has from elsewhere.

    Args:
        keys: raw public keys or fingerprints, 32 bytes each; empty if none was given.
        revoked: what logs say of the end of keys. When a file was signed is not known.
    """

    keys: tuple[bytes, ...] = ()
    revoked: Revocations = field(default_factory=dict)

    def judge(self, statement: Statement) -> Statement:
        """The statement, trusted by nobody if the end of its key took that from it."""
        return statement if counts(self._ends(statement)) else replace(statement, trusted=False)

    def notes(self, statement: Statement) -> list[str]:
        """What a reader must know of the key that signed."""
        if not self._ends(statement):
            return []
        return [_RETIRED if counts(self._ends(statement)) else _REVOKED]

    def _ends(self, statement: Statement) -> tuple[Revocation, ...]:
        return self.revoked.get(statement.signer, ())


def trust_through(trusted: Sequence[bytes], *, evidence: Path | None = None, site: Path | None = None) -> Trust:
    """Keys that count: those given, and what they endorsed in the `key` entries of the logs.

    Args:
        trusted: raw public keys or fingerprints, 32 bytes each, from elsewhere.
        evidence: evidence folder under which the files were stamped, verified before.
        site: site log, which knows keys that were revoked, and heads of the evidence.

    Raises:
        GateError: if the site log is not as it was signed, or the evidence is not by what the site log knows.
        InputError: if a folder holds no log.
    """
    bodies: list[Mapping[str, Any]] = []
    revoked: dict[str, tuple[Revocation, ...]] = {}
    found = None if evidence is None else audit(evidence)
    known = None if site is None else load_site(site, trusted=trusted, log_id=(found.log_id if found else None) or "")
    if found is not None and known is not None:
        require_signed(judge(found, known.outside(found.log_id, trusted=trusted)), called="the evidence")
    for log in (found, known):
        if log is not None:
            bodies += log.keys
            for name, ends in log.revoked.items():
                revoked[name] = (*revoked.get(name, ()), *ends)
    barred = {name for name, ends in revoked.items() if not counts(ends)}
    reached = trusted_through(bodies, trusted, revoked=barred) if trusted else set()
    return Trust(keys=(*trusted, *sorted(reached.difference(trusted))), revoked=revoked)
