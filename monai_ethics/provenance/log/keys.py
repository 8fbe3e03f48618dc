# SPDX-License-Identifier: Apache-2.0
"""Ed25519 keys: one signing key a user, outside every bundle and evidence folder; public keys to hand to others."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monai_ethics.errors import InputError
from monai_ethics.provenance.log.canonical import sha256_hex
from monai_ethics.provenance.log.storage import write_atomically

__all__ = [
    "SigningKey",
    "fingerprint",
    "key_home",
    "load_or_create_key",
    "private_pem",
    "public_pem",
    "read_secret",
    "read_trusted",
    "stored_secret",
    "verify_signature",
]

PERSISTENT = "persistent"
EPHEMERAL = "ephemeral"
_PRIVATE_NAME = "ed25519.pem"
_PUBLIC_NAME = "ed25519.pub.pem"


@dataclass(frozen=True)
class SigningKey:
    """A private key and whether it outlives the process.

    Args:
        private: the Ed25519 key.
        storage: ``"persistent"`` (in the key home) or ``"ephemeral"`` (gone when the process ends).
    """

    private: Ed25519PrivateKey
    storage: str = EPHEMERAL

    @classmethod
    def generate(cls, *, storage: str = EPHEMERAL) -> SigningKey:
        return cls(Ed25519PrivateKey.generate(), storage)

    @property
    def public(self) -> bytes:
        """Raw public key, 32 bytes."""
        return self.private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


def fingerprint(public: bytes) -> str:
    """SHA-256 of the raw public key, 64 hex digits."""
    return sha256_hex(public)


def verify_signature(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is the key's over the message; broken keys and signatures are simply not valid."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


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


def private_pem(private: Ed25519PrivateKey | EllipticCurvePrivateKey) -> bytes:
    """A private key as it is stored, unencrypted."""
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(public: Ed25519PublicKey | EllipticCurvePublicKey) -> bytes:
    """A public key as others are given it."""
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def read_trusted(words: list[str]) -> list[bytes]:
    """Read what ``--trust`` names: public key files (PEM) or fingerprints (64 hex digits, ``sha256:`` allowed).

    Returns:
        32 bytes each: a raw public key or the fingerprint of one.

    Raises:
        InputError: if a word is neither.
    """
    return [_read_trusted(word, position) for position, word in enumerate(words, start=1)]


def _read_trusted(word: str, position: int) -> bytes:
    text = word.removeprefix("sha256:")
    if len(text) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in text):
        return bytes.fromhex(text)
    try:
        public = serialization.load_pem_public_key(Path(word).read_bytes())
        if isinstance(public, Ed25519PublicKey):
            return public.public_bytes_raw()
    except (OSError, ValueError, UnsupportedAlgorithm):
        pass
    raise InputError(
        f"Trusted key {position} must be an Ed25519 public key file (PEM) or a fingerprint of 64 hex digits: "
        "got something else. Ask the writer of the evidence for the public key."
    )
