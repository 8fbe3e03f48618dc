# SPDX-License-Identifier: Apache-2.0
"""Secrets that the environment hands over: read once, then gone from what this process and its children can see."""

from __future__ import annotations

import contextlib
import os

__all__ = ["KEY_PASSPHRASE", "SIGNING_KEY", "forget", "given", "held", "take"]

SIGNING_KEY = "MONAI_ETHICS_SIGNING_KEY"
KEY_PASSPHRASE = "MONAI_ETHICS_KEY_PASSPHRASE"
_TAKEN: dict[str, bytes] = {}


def given() -> bool:
    """Whether the environment holds a key or a passphrase that was not read yet."""
    return any(os.environb.get(name.encode()) for name in (SIGNING_KEY, KEY_PASSPHRASE))


def held() -> bool:
    """Whether this process has taken a secret, and so holds it."""
    return bool(_TAKEN)


def take(name: str) -> bytes | None:
    """A secret of the environment, which loses it; a later call of this process gets it again.

    Args:
        name: of the variable; an empty one counts as absent.
    """
    found = os.environb.get(name.encode())
    if found:
        _TAKEN[name] = bytes(bytearray(found))  # a copy: `forget` overwrites the bytes themselves
    forget(name)
    return _TAKEN.get(name)


def forget(name: str) -> None:
    """Remove a variable unread, and overwrite what the start of this process left of it in memory."""
    key = name.encode()
    found = os.environb.get(key)
    if found is None:
        return
    import ctypes

    with contextlib.suppress(AttributeError, OSError):
        getenv = ctypes.CDLL(None).getenv
        getenv.restype, getenv.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
        address = getenv(key)
        if address:
            ctypes.memset(address, 0, len(found))  # /proc/PID/environ shows this memory
    del os.environb[key]
    if len(found) > 1:  # bytes of length 1 are shared by everybody
        ctypes.memset(id(found) + bytes.__basicsize__ - 1, 0, len(found))
