# SPDX-License-Identifier: Apache-2.0
"""The watermark key of this user, beside the signing key and never in evidence or a bundle."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from monai_ethics.errors import InputError
from monai_ethics.provenance.log.keys import key_home
from monai_ethics.provenance.log.storage import write_atomically

__all__ = ["read_key", "watermark_key"]

_NAME = "watermark.key"
_BYTES = 32


def watermark_key(*, home: Path | None = None) -> bytes:
    """The key of the key home; created on first use.

    Raises:
        InputError: if the home cannot be written, or the file is open to others or of another length.
    """
    folder = (home or key_home()).absolute()
    path = folder / _NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            write_atomically(path, os.urandom(_BYTES), mode=0o600, replace=False)
    except OSError as error:
        raise InputError(
            f"Expected a key home that can be written: got '{error.strerror}'. Set MONAI_ETHICS_KEY_HOME."
        ) from error
    return read_key(path)


def read_key(path: Path) -> bytes:
    """A watermark key from a file; raises `InputError` if it is none that only its owner reads."""
    try:
        if path.stat().st_mode & 0o077:
            raise InputError("Expected a watermark key that only its owner can read: got an open one. chmod 600 it.")
        key = path.read_bytes()
    except OSError as error:
        raise InputError(f"Expected a watermark key: got '{error.strerror}'. Check the path.") from error
    if len(key) != _BYTES:
        raise InputError(f"Expected a watermark key of {_BYTES} bytes: got {len(key)}. Restore it from a copy.")
    return key
