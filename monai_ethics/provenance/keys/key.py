# SPDX-License-Identifier: Apache-2.0
"""Ed25519 keys: what signs, what names a key, and how both parts of a key are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monai_ethics.provenance.log.tree.canonical import sha256_hex

__all__ = [
    "EPHEMERAL",
    "PERSISTENT",
    "Signer",
    "SigningKey",
    "fingerprint",
    "private_pem",
    "public_pem",
    "sign_as",
    "verify_signature",
]

PERSISTENT = "persistent"
EPHEMERAL = "ephemeral"


class Signer(Protocol):
    """Whatever signs with one Ed25519 key: the key itself, or a child process that holds it."""

    @property
    def public(self) -> bytes:
        """Raw public key, 32 bytes."""

    @property
    def storage(self) -> str:
        """``"persistent"``, or ``"ephemeral"``: gone when the process ends."""

    def sign(self, message: bytes) -> bytes:
        """Signature over the message, 64 bytes."""


@dataclass(frozen=True)
class SigningKey:
    """A private key and whether it outlives the process.

    Args:
        private: the Ed25519 key.
        storage: ``"persistent"`` (kept by its owner) or ``"ephemeral"`` (gone when the process ends).
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


def sign_as(key: Signer, message: bytes) -> tuple[bytes, bytes]:
    """Raw public key and signature of one and the same key, also when another thread finds the key's process gone."""
    while True:
        public = key.public
        signature = key.sign(message)
        if key.public == public:
            return public, signature


def private_pem(private: Ed25519PrivateKey | EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    """A private key as it is stored: PKCS8, encrypted where there is a passphrase."""
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def public_pem(public: Ed25519PublicKey | EllipticCurvePublicKey) -> bytes:
    """A public key as others are given it."""
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
