# SPDX-License-Identifier: Apache-2.0
"""The watermark key of this user, beside the signing key and never in evidence or a bundle."""

from __future__ import annotations

import os
from pathlib import Path

from monai_ethics.errors import InputError
from monai_ethics.provenance.keys.home import read_secret, stored_secret

__all__ = ["read_key", "watermark_key"]

_NAME = "watermark.key"
_BYTES = 32


def watermark_key(*, home: Path | None = None) -> bytes:
    """The key of the key home; created on first use.

    Raises:
        InputError: if the home cannot be written, or the file is open to others or of another length.
    """
    try:
        return _of_length(stored_secret(_NAME, lambda: os.urandom(_BYTES), home=home))
    except OSError as error:
        raise InputError(
            f"Expected a key home that can be written: got '{error.strerror}'. Set MONAI_ETHICS_KEY_HOME."
        ) from error


def read_key(path: Path) -> bytes:
    """A watermark key from a file; raises `InputError` if it is none that only its owner reads."""
    try:
        return _of_length(read_secret(path))
    except OSError as error:
        raise InputError(f"Expected a watermark key: got '{error.strerror}'. Check the path.") from error


def _of_length(key: bytes) -> bytes:
    if len(key) != _BYTES:
        raise InputError(f"Expected a watermark key of {_BYTES} bytes: got {len(key)}. Restore it from a copy.")
    return key
