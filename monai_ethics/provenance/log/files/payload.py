# SPDX-License-Identifier: Apache-2.0
"""Private payloads: salted files whose commitments stand in the log, so that one can be deleted and nothing breaks."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import Any

from monai_ethics.errors import ProvenanceError
from monai_ethics.provenance.log.files.storage import open_file, read_file
from monai_ethics.provenance.log.tree.digits import is_hex

__all__ = [
    "PRIVATE_NAME",
    "PSEUDONYM_KEY_NAME",
    "SALT_BYTES",
    "commitment_of",
    "key_id_of",
    "payload_json",
    "payload_path",
    "pseudonym_of",
    "read_payload",
    "read_pseudonym_key",
    "salted",
    "size_bucket",
    "stored_holds",
]

PRIVATE_NAME = "private"
PSEUDONYM_KEY_NAME = "pseudonym.key"
SALT_BYTES = 32
_PAYLOAD_DOMAIN = b"monai_ethics.payload/1\x00"
_KEY_DOMAIN = b"monai_ethics.pseudonym_key/1\x00"


def salted(payload: bytes) -> bytes:
    """The bytes of the private file: 32 random bytes, then the payload."""
    return os.urandom(SALT_BYTES) + payload


def commitment_of(stored: bytes) -> str:
    """What the log holds: ``SHA-256("monai_ethics.payload/1" || 0x00 || salt || payload)``, hex."""
    return hashlib.sha256(_PAYLOAD_DOMAIN + stored).hexdigest()


def size_bucket(payload: bytes) -> int:
    """Smallest power of two that is not below the length: the exact length could tell how many cases there are."""
    return 1 << max(len(payload) - 1, 0).bit_length()


def payload_path(folder: Path, commitment: str) -> Path:
    """File of a payload.

    Raises:
        ProvenanceError: if the commitment is not 64 hex digits, which would name a file elsewhere.
    """
    if not is_hex(commitment):
        raise ProvenanceError("Expected a commitment of 64 hex digits in the log: got another form. It was altered.")
    return folder / PRIVATE_NAME / f"{commitment}.bin"


def read_payload(folder: Path, commitment: str) -> bytes | None:
    """The payload without its salt; ``None`` where it was deleted.

    Raises:
        ProvenanceError: if the file is not what the log committed to.
    """
    holds = stored_holds(folder, commitment)  # no more is read at once than was committed to
    if holds is None:
        return None
    try:
        stored = b"" if not holds else read_file(payload_path(folder, commitment), most=sys.maxsize)
    except FileNotFoundError:
        return None
    if len(stored) < SALT_BYTES or commitment_of(stored) != commitment:
        raise ProvenanceError(
            "Expected a private payload that matches the log: got other bytes. It was altered; verify the folder."
        )
    return stored[SALT_BYTES:]


def stored_holds(folder: Path, commitment: str, *, bucket: int | None = None) -> bool | None:
    """Whether a payload is what the log committed to, read piece by piece; ``None`` where it was deleted.

    Args:
        folder: the evidence folder.
        commitment: name of the payload.
        bucket: most bytes that it has by the log; a larger file is not read.

    Raises:
        ProvenanceError: if it is no plain file.
    """
    try:
        handle = open_file(payload_path(folder, commitment))
    except FileNotFoundError:
        return None
    digest = hashlib.sha256(_PAYLOAD_DOMAIN)
    with os.fdopen(handle, "rb") as file:
        size = 0
        if bucket is not None and os.fstat(file.fileno()).st_size > bucket + SALT_BYTES:
            return False
        while piece := file.read(1 << 20):
            size += len(piece)
            digest.update(piece)
    return size >= SALT_BYTES and digest.hexdigest() == commitment


def payload_json(data: bytes) -> Any:
    """The JSON value in a private payload.

    Raises:
        ProvenanceError: if it holds something else: a commitment says nothing of the form.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProvenanceError("Expected JSON in a private payload: got something else. Verify the folder.") from error


def read_pseudonym_key(folder: Path) -> bytes | None:
    """The folder's pseudonym key, or ``None`` where there is none.

    Raises:
        ProvenanceError: if it has another length.
    """
    try:
        key = read_file(folder / PRIVATE_NAME / PSEUDONYM_KEY_NAME, most=4096)
    except FileNotFoundError:
        return None
    if len(key) != 32:
        raise ProvenanceError("Expected a pseudonym key of 32 bytes: got another length. Restore it from a copy.")
    return key


def key_id_of(key: bytes) -> str:
    """What the log says of the pseudonym key: 32 hex digits that do not reveal it."""
    return hashlib.sha256(_KEY_DOMAIN + key).hexdigest()[:32]


def pseudonym_of(key: bytes, domain: str, identifier: str) -> str:
    """Keyed pseudonym: HMAC-SHA-256 over ``domain || 0x00 || NFC(identifier)``, first 128 bits, 32 hex digits.

    Args:
        key: the folder's pseudonym key.
        domain: what the identifier names, such as ``"patient"``, ``"case"`` or ``"file"``.
        identifier: the name itself, which appears nowhere.
    """
    # a file name of broken UTF-8 holds lone surrogates, and is a name all the same
    message = domain.encode() + b"\x00" + unicodedata.normalize("NFC", identifier).encode("utf-8", "surrogatepass")
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:32]
