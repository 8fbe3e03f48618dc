# SPDX-License-Identifier: Apache-2.0
"""What the end of a key takes from its signatures: those of unknown time, or only those made after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from monai_ethics.provenance.log.tree.digits import is_hex

__all__ = ["KIND", "REASONS", "Revocation", "Revocations", "counts", "is_grave", "take_revocation"]

KIND = "key_revocation"
REASONS = ("compromised", "lost", "superseded", "retired")
_PUT_AWAY = ("superseded", "retired")  # nobody but its owner ever had the key


class Revocation(NamedTuple):
    """The end of a key, as a log says it.

    Args:
        position: number of the entry.
        grave: whether somebody else may have the key.
    """

    position: int
    grave: bool


Revocations = Mapping[str, tuple[Revocation, ...]]  # by fingerprint, hex


def is_grave(reason: object) -> bool:
    """Whether a key that ended for this reason may be in other hands; so it is where the reason is unknown."""
    return reason not in _PUT_AWAY


def counts(ends: Iterable[Revocation], *, seen: int | None = None, made: int | None = None) -> bool:
    """Whether a signature counts whose key was revoked; without a revocation each does.

    Whoever has a key signs what they like, with any date. So of a key that may be in other hands only what somebody
    saw before its end counts; of one that its owner put away, all but what was made after its end.

    Args:
        ends: what one log says of the end of the key.
        seen: number of the entry of that log which shows that the signature was there; ``None`` if none does.
        made: number of an entry of that log after which it was made; ``None`` if none is known.

    References:
        RFC 3161, section 4, items 1 and 2; RFC 5280, section 5.3.1.
    """
    return all(
        (seen is not None and seen < end.position) if end.grave else (made is None or made < end.position)
        for end in ends
    )


def take_revocation(known: dict[str, tuple[Revocation, ...]], body: Mapping[str, Any], *, position: int) -> None:
    """Note what an entry says: of each key the first grave end and the first other one; another form says nothing."""
    name, end = str(body.get("fingerprint")).lower(), Revocation(position, is_grave(body.get("reason")))
    before = known.get(name, ())
    if is_hex(name) and all(one.grave != end.grave for one in before):
        known[name] = (*before, end)
