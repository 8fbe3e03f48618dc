# SPDX-License-Identifier: Apache-2.0
"""Whose signature on a file counts: keys that the reader trusts, what they endorse, and none that was revoked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monai_ethics.provenance.keys.rotation import trusted_through
from monai_ethics.provenance.log.verifying.audit import audit
from monai_ethics.provenance.log.verifying.witnessed import load_site
from monai_ethics.provenance.signed.envelope import Statement

__all__ = ["REVOKED", "Trust", "trust_through"]

REVOKED = "The key that signed was revoked, and nothing in a file shows that it signed before that."


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What a reader of signed files has from elsewhere.

    Args:
        keys: raw public keys or fingerprints, 32 bytes each; empty if none was given.
        revoked: fingerprints, hex.
    """

    keys: tuple[bytes, ...] = ()
    revoked: frozenset[str] = frozenset()

    def judge(self, statement: Statement) -> Statement:
        """The statement, trusted by nobody if its key was revoked."""
        return replace(statement, trusted=False) if statement.signer in self.revoked else statement


def trust_through(trusted: Sequence[bytes], *, evidence: Path | None = None, site: Path | None = None) -> Trust:
    """Keys that count: those given, and what they endorsed in the `key` entries of the logs.

    Args:
        trusted: raw public keys or fingerprints, 32 bytes each, from elsewhere.
        evidence: evidence folder under which the files were stamped, verified before.
        site: site log, which knows keys that were revoked.

    Raises:
        GateError: if the site log is not as it was signed.
        InputError: if a folder holds no log.
    """
    bodies: list[Mapping[str, Any]] = []
    revoked: set[str] = set()
    if evidence is not None:
        found = audit(evidence)
        bodies += found.keys
        revoked.update(found.revoked)
    if site is not None:
        known = load_site(site, trusted=trusted)
        bodies += known.keys
        revoked.update(known.revoked)
    reached = trusted_through(bodies, trusted, revoked=revoked) if trusted else set()
    return Trust(keys=(*trusted, *sorted(reached.difference(trusted))), revoked=frozenset(revoked))
