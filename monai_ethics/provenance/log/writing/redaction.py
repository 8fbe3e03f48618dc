# SPDX-License-Identifier: Apache-2.0
"""Redaction by deletion: an entry says which payloads went and why, then their files go; the log still verifies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monai_ethics.errors import InputError
from monai_ethics.provenance.log.files.payload import (
    PRIVATE_NAME,
    PSEUDONYM_KEY_NAME,
    key_id_of,
    payload_path,
    read_pseudonym_key,
)
from monai_ethics.provenance.log.files.storage import sync_folder
from monai_ethics.provenance.log.reading.entries import Entry, iter_entries

if TYPE_CHECKING:
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["REASONS", "Payload", "Pending", "chosen", "forget_pseudonyms", "payloads_of", "pending_erasures"]

REASONS = ("withdrawal", "retention", "request", "mistake")
FORGOTTEN = "pseudonym_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A private payload that a log names.

    Args:
        commitment: its name, 64 hex digits.
        kind: what it is.
        run_id: the run that stored it.
        kept: whether its file is there.
    """

    commitment: str
    kind: str
    run_id: str
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What erasure entries name and a writer that was cut off did not delete.

    Args:
        commitments: payloads that are still there.
        pseudonym_key: whether the pseudonym key is.
    """

    commitments: tuple[str, ...] = ()
    pseudonym_key: bool = False

    def __bool__(self) -> bool:
        return bool(self.commitments) or self.pseudonym_key


def payloads_of(folder: Path) -> list[Payload]:
    """Every payload that the log names, oldest first."""
    found = []
    for entry in iter_entries(folder):
        if entry.kind == "payload":
            commitment = str(entry.body.get("commitment"))
            kept = payload_path(folder, commitment).is_file()
            kind = str(entry.body.get("kind"))
            found.append(Payload(commitment=commitment, kind=kind, run_id=entry.run_id, kept=kept))
    return found


def chosen(
    payloads: Sequence[Payload],
    *,
    kinds: Sequence[str] = (),
    commitments: Sequence[str] = (),
    run_id: str | None = None,
) -> list[Payload]:
    """The payloads that are named and still there.

    Args:
        payloads: those of a log.
        kinds: take these kinds.
        commitments: take these, by at least their first 8 hex digits.
        run_id: of this run only.

    Raises:
        InputError: if a kind or commitment names no payload, or several.
    """
    mine = [payload for payload in payloads if run_id in (None, payload.run_id)]
    found: dict[str, Payload] = {}
    for kind in kinds:
        of_kind = [payload for payload in mine if payload.kind == kind]
        if not of_kind:
            raise InputError("Expected private payloads of each `--kind`: got none of one. `private` lists the kinds.")
        found.update((payload.commitment, payload) for payload in of_kind)
    for text in commitments:
        digits = text.strip().lower()
        named = {payload.commitment: payload for payload in mine if payload.commitment.startswith(digits)}
        if len(digits) < 8 or len(named) != 1:
            raise InputError(
                "Expected `--commitment` to name one payload by 8 or more hex digits: got another. See `private`."
            )
        found.update(named)
    return [payload for payload in found.values() if payload.kept]


def pending_erasures(folder: Path) -> Pending:
    """What an erasure entry names and is still there: a writer was cut off between the entry and the deletion."""
    erased: set[str] = set()
    key_id: str | None = None
    forgotten = False
    for entry in iter_entries(folder):
        if entry.kind == "erasure":
            erased.update(_named(entry))
            forgotten = forgotten or (key_id is not None and entry.body.get(FORGOTTEN) == key_id)
        elif entry.kind == "pseudonym_key":
            key_id, forgotten = str(entry.body.get("key_id")), False
    there = tuple(sorted(name for name in erased if payload_path(folder, name).is_file()))
    key = read_pseudonym_key(folder) if forgotten else None
    return Pending(commitments=there, pseudonym_key=key is not None and key_id_of(key) == key_id)


def _named(entry: Entry) -> list[str]:
    named = entry.body.get("commitments")
    return [str(name) for name in named] if isinstance(named, list) else []


def forget_pseudonyms(log: EvidenceLog, *, reason: str) -> None:
    """Record that the pseudonym key goes, then delete it: nobody can link pseudonyms to names, or make them again.

    Args:
        log: the open log.
        reason: one of `REASONS`.
    """
    path = log.folder / PRIVATE_NAME / PSEUDONYM_KEY_NAME
    key = read_pseudonym_key(log.folder)
    if key is not None:
        log.append("erasure", {"commitments": [], FORGOTTEN: key_id_of(key), "reason": reason})
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
