# SPDX-License-Identifier: Apache-2.0
"""The key home: one signing key a user, outside every bundle and evidence folder, and secrets beside it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monai_ethics.errors import InputError
from monai_ethics.provenance.keys.key import PERSISTENT, SigningKey, private_pem, public_pem
from monai_ethics.provenance.log.storage import write_atomically

__all__ = ["key_home", "load_or_create_key", "read_secret", "stored_secret"]

_PRIVATE_NAME = "ed25519.pem"
_PUBLIC_NAME = "ed25519.pub.pem"


def key_home() -> Path:
    """Folder of the signing key: ``MONAI_ETHICS_KEY_HOME``, by default ``~/.config/monai_ethics/keys``."""
    given = os.environ.get("MONAI_ETHICS_KEY_HOME")
    return Path(given) if given else Path("~/.config/monai_ethics/keys").expanduser()


def load_or_create_key(evidence: Path, *, home: Path | None = None) -> SigningKey:
    """The signing key of this user; only the one writer of an evidence folder calls this.

    Args:
        evidence: the evidence folder, which must not hold the key.
        home: folder of the key; `key_home` by default.

    Returns:
        The stored key; a new one on first use; an ephemeral one, with one warning on standard error, where the
        home cannot be used.

    Raises:
        InputError: if the key home lies in the evidence folder or in a bundle, or holds it.
    """
    home = (home or key_home()).absolute()
    _refuse_inside(home, evidence.absolute())
    try:
        return _signing_key(home)
    except (OSError, ValueError, UnsupportedAlgorithm):
        print(
            "monai-ethics: the key home cannot be used (not writable, open to others, or no Ed25519 key in it): "
            "signing with an ephemeral key that nobody can recognize later; set MONAI_ETHICS_KEY_HOME.",
            file=sys.stderr,
        )
        return SigningKey.generate()


def _refuse_inside(home: Path, evidence: Path) -> None:
    home, evidence = home.resolve(), evidence.resolve()
    bundled = any((folder / "configs" / "metadata.json").exists() for folder in (home, *home.parents))
    if home.is_relative_to(evidence) or evidence.is_relative_to(home) or bundled:
        raise InputError(
            "The signing key must lie outside bundle and evidence: got a key home inside one. "
            "Set MONAI_ETHICS_KEY_HOME to a folder of your own."
        )


def stored_secret(name: str, make: Callable[[], bytes], *, home: Path | None = None) -> bytes:
    """A secret file of the key home, made on first use; of several processes the fastest one's counts.

    Args:
        name: of the file.
        make: gives the bytes of a new one.
        home: folder of the keys; `key_home` by default.

    Raises:
        InputError: if others than its owner may read it.
        OSError: if the key home cannot be used, or the file is a link.
    """
    path = (home or key_home()).absolute() / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.path.lexists(path):
        with contextlib.suppress(FileExistsError):
            write_atomically(path, make(), mode=0o600, replace=False)
    return read_secret(path)


def read_secret(path: Path) -> bytes:
    """A file that only its owner may read.

    Raises:
        InputError: if others may.
        OSError: if it cannot be read, or is a link.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        if os.fstat(handle).st_mode & 0o077:
            raise InputError("Expected a key that only its owner can read: got an open one. Run chmod 600 on it.")
        return file.read()


def _signing_key(home: Path) -> SigningKey:
    """The key of the home, and its public part beside it.

    Raises:
        OSError: if the home cannot be used.
        ValueError: if the file is open to others, or holds another key.
    """
    data = stored_secret(_PRIVATE_NAME, lambda: private_pem(Ed25519PrivateKey.generate()), home=home)
    private = serialization.load_pem_private_key(data, password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")
    if not (home / _PUBLIC_NAME).exists():
        with contextlib.suppress(OSError):  # of a home that can only be read
            write_atomically(home / _PUBLIC_NAME, public_pem(private.public_key()))
    return SigningKey(private, PERSISTENT)
