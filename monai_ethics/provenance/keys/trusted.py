# SPDX-License-Identifier: Apache-2.0
"""The keys a verifier trusts: public key files and fingerprints, never something found in an evidence folder."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from monai_ethics._input import read_input
from monai_ethics.errors import InputError
from monai_ethics.provenance.keys.key import fingerprint

__all__ = ["fingerprint_of", "read_trusted"]

_MOST = 64_000  # bytes of a public key file: the key has 113


def read_trusted(words: list[str]) -> list[bytes]:
    """Read what ``--trust`` names: public key files (PEM) or fingerprints (64 hex digits, ``sha256:`` allowed).

    Returns:
        32 bytes each: a raw public key or the fingerprint of one.

    Raises:
        InputError: if a word is neither.
    """
    return [_read_trusted(word, f"Trusted key {position}") for position, word in enumerate(words, start=1)]


def fingerprint_of(word: str) -> str:
    """Fingerprint of a key that is named by it, or by its public key file; raises as `read_trusted` does."""
    found = _read_trusted(word, "The key")
    return found.hex() if _is_fingerprint(word) else fingerprint(found)


def _is_fingerprint(word: str) -> bool:
    text = word.removeprefix("sha256:")
    return len(text) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in text)


def _read_trusted(word: str, called: str) -> bytes:
    if _is_fingerprint(word):
        return bytes.fromhex(word.removeprefix("sha256:"))
    try:
        public = serialization.load_pem_public_key(read_input(word, most=_MOST))
        if isinstance(public, Ed25519PublicKey):
            return public.public_bytes_raw()
    except (OSError, ValueError, UnsupportedAlgorithm):
        pass
    got = "a file that holds something else" if Path(word).is_file() else "neither, and no file of that name"
    raise InputError(
        f"{called} must be an Ed25519 public key file (PEM) or a fingerprint of 64 hex digits: got {got}. "
        "Whoever holds the key prints it with `monai-ethics keys show --pem`."
    )
