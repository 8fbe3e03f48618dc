# SPDX-License-Identifier: Apache-2.0
"""The signed tree head: size and root of the log at one moment, and the key that vouches for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from monai_ethics.errors import ProvenanceError, SchemaError
from monai_ethics.provenance.keys.key import Signer, verify_signature
from monai_ethics.provenance.log.files.storage import read_file
from monai_ethics.provenance.log.tree.canonical import MAX_BYTES, canonical, sha256_hex, strict_loads
from monai_ethics.provenance.log.tree.digits import is_hex

__all__ = ["HEAD_NAME", "HEAD_SCHEMA", "OPENING", "Head", "read_head", "sign_head"]

HEAD_NAME = "head.json"
HEAD_SCHEMA = "monai_ethics.head/1"
OPENING = frozenset({"open", "pseudonym_key", "key", "repair"})  # kinds that a log without a head may hold


@dataclass(frozen=True, kw_only=True)
class Head:
    """One signed tree head.

    Args:
        size: number of log entries covered.
        root: RFC 6962 root over them, hex.
        time: UTC time of signing, as the writer's clock gave it.
        run_id: the run that signed.
        public_key: raw Ed25519 public key, hex.
        key: ``"persistent"`` or ``"ephemeral"``.
        previous: fingerprint of the head before this one, or ``None``.
        signature: Ed25519 signature, hex.
    """

    size: int
    root: str
    time: str
    run_id: str
    public_key: str
    key: str
    previous: str | None
    signature: str
    schema: str = HEAD_SCHEMA

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def to_bytes(self) -> bytes:
        """The bytes of `head.json`."""
        return canonical(self.to_dict())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the bytes of `head.json`: what to keep elsewhere as the witness of this log."""
        return sha256_hex(self.to_bytes())

    @property
    def signature_holds(self) -> bool:
        """Whether the named key signed this head."""
        unsigned = {key: value for key, value in self.to_dict().items() if key != "signature"}
        return verify_signature(bytes.fromhex(self.public_key), bytes.fromhex(self.signature), _message(unsigned))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Head:
        """Build from JSON with exactly the fields of this version.

        Raises:
            SchemaError: if a field is missing, unknown or of another form.
        """
        names = set(cls.__dataclass_fields__)
        if not isinstance(data, Mapping) or set(data) != names or not _well_formed(data):
            raise SchemaError("Expected a signed head of this version: got another form. It was cut or edited.")
        return cls(**data)


def _well_formed(data: Mapping[str, Any]) -> bool:
    texts = all(isinstance(data[name], str) for name in ("root", "time", "run_id", "public_key", "key", "signature"))
    return (
        texts
        and data["schema"] == HEAD_SCHEMA
        and isinstance(data["size"], int)
        and not isinstance(data["size"], bool)
        and data["size"] > 0
        and data["key"] in ("persistent", "ephemeral")
        and all(is_hex(data[name]) for name in ("root", "public_key"))
        and is_hex(data["signature"], digits=128)
        and (data["previous"] is None or is_hex(data["previous"]))
    )


def _message(unsigned: Mapping[str, Any]) -> bytes:
    """What is signed: the schema as domain, then the head without its signature."""
    return HEAD_SCHEMA.encode() + b"\n" + canonical(dict(unsigned))


def sign_head(key: Signer, *, size: int, root: bytes, time: str, run_id: str, previous: str | None) -> Head:
    """Sign the tree of `size` entries under `root`."""
    unsigned: dict[str, Any] = {
        "schema": HEAD_SCHEMA,
        "size": size,
        "root": root.hex(),
        "time": time,
        "run_id": run_id,
        "public_key": key.public.hex(),
        "key": key.storage,
        "previous": previous,
    }
    return Head(**unsigned, signature=key.sign(_message(unsigned)).hex())


def read_head(folder: Path) -> Head | None:
    """The head of an evidence folder, or ``None`` where there is none.

    Raises:
        SchemaError: if the file is not a plain file or not, byte for byte, the canonical form of a head.
    """
    try:
        data = read_file(folder / HEAD_NAME, most=MAX_BYTES)
    except FileNotFoundError:
        return None
    except ProvenanceError as error:
        raise SchemaError(str(error)) from error
    head = Head.from_dict(strict_loads(data))
    if head.to_bytes() != data:
        raise SchemaError("Expected head.json in canonical form: got other bytes. It was edited.")
    return head
