# SPDX-License-Identifier: Apache-2.0
"""How digests, keys, ids and times are spelled: each in one way only, so that equal ones are equal texts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TypeGuard

__all__ = ["is_hex", "is_record_id", "time_text"]

_HEX = re.compile(r"[0-9a-f]+")
_SCHEME = "sha256:"


def is_hex(value: object, *, digits: int = 64) -> TypeGuard[str]:
    """Whether it is a text of so many lower-case hex digits: 64 for a SHA-256 or a public key."""
    return isinstance(value, str) and len(value) == digits and _HEX.fullmatch(value) is not None


def is_record_id(value: object) -> TypeGuard[str]:
    """Whether it is the id of a record: ``sha256:`` and 64 lower-case hex digits."""
    return isinstance(value, str) and value.startswith(_SCHEME) and is_hex(value.removeprefix(_SCHEME))


def time_text(time: datetime) -> str:
    """A time in UTC to the second, with four digits of the year also where a clock is set to the year 1."""
    return time.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
