# SPDX-License-Identifier: Apache-2.0
"""What a reader has besides an evidence folder, and whose signatures in its log count by that."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from monai_ethics.provenance.keys.key import fingerprint
from monai_ethics.provenance.keys.rotation import trusted_through
from monai_ethics.provenance.keys.standing import Revocation, Revocations, counts
from monai_ethics.provenance.log.verifying.audit import Audit

__all__ = ["Outside", "Signers", "WitnessedHead"]


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
class Outside:
    """What stands outside an evidence folder and bears on it.

    Args:
        trusted: raw public keys or fingerprints, 32 bytes each.
        expected: fingerprint of a head that was kept, 64 hex digits.
        site_head: fingerprint of the head of the site log, if there is one.
        heads: heads of this log that the site log witnessed, oldest first.
        revoked: what the site log says of the end of keys.
        keys: bodies of the site's `key` entries, which may endorse the folder's key.
        adopted: entries of the site log that nobody had signed before a later writer of it did.
    """

    trusted: Sequence[bytes] = ()
    expected: str | None = None
    site_head: str | None = None
    heads: Sequence[WitnessedHead] = ()
    revoked: Revocations = field(default_factory=dict)
    keys: Sequence[Mapping[str, Any]] = ()
    adopted: int = 0


class Signers:
    """Whose signatures in a log count, each over its first entries.

    The order of the site log tells when: a head that it saw was there by then, and what was signed over more entries
    came after it. What the log itself says of the end of a key orders its own heads, and is no witness of anything:
    whoever has the key could have written it.
    """

    def __init__(self, found: Audit, outside: Outside) -> None:
        self._found, self._outside = found, outside
        sizes = dict(found.earlier)  # what the log proves, whatever the site log says of a head
        if found.head:
            sizes[bytes.fromhex(found.head.fingerprint)] = found.head.size
        heads = ((sizes.get(bytes.fromhex(head.fingerprint)), head.position) for head in outside.heads)
        seen = sorted((size, position) for size, position in heads if size is not None)
        self._sizes = [size for size, _ in seen]
        self._until = list(accumulate((position for _, position in seen), max))
        self._since = list(accumulate((position for _, position in reversed(seen)), min))[::-1]
        self._barred = frozenset(name for name, ends in found.revoked.items() if not counts(ends))
        self._reached: dict[frozenset[str], set[bytes]] = {}

    def seen(self, size: int) -> int | None:
        """Number of the site's entry that first saw as many entries of this log, or more."""
        place = bisect_left(self._sizes, size)
        return self._since[place] if place < len(self._since) else None

    def ends(self, public: bytes) -> tuple[Revocation, ...]:
        """What both logs say of the end of a key."""
        name = fingerprint(public)
        return (*self._outside.revoked.get(name, ()), *self._found.revoked.get(name, ()))

    def counts(self, public: bytes, size: int) -> bool:
        """Whether a key's signature over the first `size` entries counts, trusted or not."""
        name = fingerprint(public)
        before = bisect_right(self._sizes, size)
        made = self._until[before - 1] if before else None
        return counts(self._outside.revoked.get(name, ()), seen=self.seen(size), made=made) and counts(
            self._found.revoked.get(name, ()), made=size
        )

    def trusted(self, public: bytes, size: int) -> bool:
        """Whether it counts, and the key was given as trusted or endorsed by one that was."""
        seen = self.seen(size)
        barred = self._barred.union(n for n, ends in self._outside.revoked.items() if not counts(ends, seen=seen))
        return self.counts(public, size) and public in self._through(barred)

    def _through(self, barred: frozenset[str]) -> set[bytes]:
        if barred not in self._reached:
            bodies = [*self._found.keys, *self._outside.keys]
            self._reached[barred] = trusted_through(bodies, self._outside.trusted, revoked=barred)
        return self._reached[barred]
