# SPDX-License-Identifier: Apache-2.0
"""Receipts: what a person, or a partner, keeps as proof that an entry stands in the site log."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError, ProvenanceError, SchemaError
from monai_ethics.provenance.log.reading.entries import parse_entry, raw_lines
from monai_ethics.provenance.log.tree.canonical import canonical, strict_loads
from monai_ethics.provenance.log.tree.head import Head, read_head
from monai_ethics.provenance.log.tree.merkle import inclusion_proof, leaf_hash, verify_inclusion

__all__ = ["RECEIPT_SCHEMA", "ReceiptCheck", "check_receipt", "read_receipt", "receipt_for"]

RECEIPT_SCHEMA = "monai_ethics.receipt/1"
_FIELDS = {"schema", "entry", "index", "proof", "head"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptCheck:
    """What a receipt shows.

    Args:
        kind: kind of the entry, such as ``"withdrawal"``.
        body: its content.
        time: when the writer's clock says that it was written.
        included: whether the proof leads from the entry to the signed head.
        signed: whether the named key signed that head.
        trusted: whether that key was given as trusted; ``None`` if none was given.
    """

    kind: str
    body: Mapping[str, Any]
    time: str
    included: bool
    signed: bool
    trusted: bool | None

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the receipt."""
        return self.included and self.signed and self.trusted is not False

    @property
    def text(self) -> str:
        """The result in words."""
        if not (self.included and self.signed):
            return "altered: the receipt is not one that a site log gave out."
        if self.trusted is False:
            return "wrong-key: the receipt was signed by none of the keys that you trust."
        signer = "a key that you trust" if self.trusted else "a key that nobody vouched for: give --trust"
        return f"holds: the log contained this {self.kind} at {self.time}, signed by {signer}."


def receipt_for(folder: Path, entry: str) -> dict[str, Any]:
    """Receipt of one entry of a sealed log.

    Args:
        folder: the site log.
        entry: id of the entry, 64 hex digits.

    Raises:
        InputError: if the log holds no such entry.
        ProvenanceError: if the entry is not covered by the signed head yet.
    """
    head = read_head(folder)
    size = head.size if head is not None else 0
    lines = [line for line, complete in raw_lines(folder) if complete][:size]
    leaves = [leaf_hash(line) for line in lines]
    index = next((place for place, leaf in enumerate(leaves) if leaf.hex() == entry), None)
    if index is None:
        raise InputError("Expected an entry that the signed head covers: got another id. Seal the log first.")
    if head is None or Head.from_dict(head.to_dict()).size != len(leaves):
        raise ProvenanceError("Expected a log as long as its head says: got a shorter one. Verify the folder.")
    return {
        "schema": RECEIPT_SCHEMA,
        "entry": lines[index].decode("utf-8"),
        "index": index,
        "proof": [step.hex() for step in inclusion_proof(leaves, index)],
        "head": head.to_dict(),
    }


def read_receipt(data: bytes) -> dict[str, Any]:
    """Read a receipt file.

    Raises:
        SchemaError: if it is no receipt of this version.
    """
    receipt = strict_loads(data)
    if not isinstance(receipt, dict) or set(receipt) != _FIELDS or receipt["schema"] != RECEIPT_SCHEMA:
        raise SchemaError(
            f"Expected a receipt of {RECEIPT_SCHEMA}: got another file. Give the one that was handed out."
        )
    return receipt


def check_receipt(receipt: Mapping[str, Any], *, trusted: Sequence[bytes] = ()) -> ReceiptCheck:
    """Check a receipt without the log.

    Args:
        receipt: what `receipt_for` made.
        trusted: raw public keys or fingerprints, 32 bytes each.

    Raises:
        SchemaError: if the receipt has another form.
    """
    try:
        line = str(receipt["entry"]).encode("utf-8")
        entry = parse_entry(line, int(receipt["index"]))
        head = Head.from_dict(receipt["head"])
        proof = [bytes.fromhex(step) for step in receipt["proof"]]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise SchemaError("Expected a receipt of this version: got another form. It was cut or edited.") from error
    included = canonical(strict_loads(line)) == line and verify_inclusion(
        leaf_hash(line), entry.seq, head.size, proof, bytes.fromhex(head.root)
    )
    public = bytes.fromhex(head.public_key)
    known = any(key in (public, hashlib.sha256(public).digest()) for key in trusted) if trusted else None
    return ReceiptCheck(
        kind=entry.kind,
        body=entry.body,
        time=entry.time,
        included=included,
        signed=head.signature_holds,
        trusted=known,
    )
