# SPDX-License-Identifier: Apache-2.0
"""Verification of an evidence folder: one status, and in words what it shows and what it cannot show.

Needs cryptography and rfc8785 only, so that an auditor can run it without MONAI, torch or numpy.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.keys.key import fingerprint
from monai_ethics.provenance.log.audit import REPORT_NAMES, Audit, audit
from monai_ethics.provenance.log.head import Head

__all__ = ["STATUSES", "Verification", "as_signed", "verify_evidence"]

STATUSES = ("trusted", "intact-signer-unknown", "stale", "redacted", "torn", "altered", "wrong-key")
_INTACT = ("trusted", "intact-signer-unknown", "redacted")


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What verifying a folder found.

    Args:
        status: one of `STATUSES`; the gravest that applies.
        entries: complete entries of the log.
        sealed: entries that the head covers.
        runs: number of runs that wrote.
        head: fingerprint of `head.json`, or ``None``.
        signer: fingerprint of the key that signed it, or ``None``.
        key: ``"persistent"``, ``"ephemeral"`` or ``None``.
        signer_trusted: whether that key was given as trusted; ``None`` if none was given.
        expected_head: ``"same"``, ``"contained"``, ``"not contained"``, or ``None`` if none was given.
        redacted: private payloads that are absent.
        problems: what is not as recorded, in words.
        notes: what else a reader must know, in words.
    """

    status: str
    entries: int
    sealed: int
    runs: int
    head: str | None
    signer: str | None
    key: str | None
    signer_trusted: bool | None
    expected_head: str | None
    redacted: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing speaks against the folder; the command line exits with 1 otherwise."""
        return self.status in _INTACT

    @property
    def log_intact(self) -> bool:
        """Whether the log is as it was signed, whatever became of the report, which can be rendered from it again."""
        only_reports = all(problem.startswith(REPORT_NAMES) for problem in self.problems)
        return self.status != "wrong-key" and only_reports

    @property
    def text(self) -> str:
        """The result for people: the status, then what was found, then what cannot be seen."""
        lines = [f"{self.status}: {_MEANING[self.status]}", *self.problems, *self.notes]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The result for programs."""
        return {**asdict(self), "problems": list(self.problems), "notes": list(self.notes), "intact": self.intact}


_MEANING = {
    "trusted": "the log is as it was signed, by a key or under a head that you trust.",
    "intact-signer-unknown": "the log is as it was signed, but nothing says whose key signed it.",
    "stale": "the log is consistent, but does not contain the head that you expected: "
    "an older copy, or another history.",
    "redacted": "the log is as it was signed; private payloads were deleted.",
    "torn": "something follows the last signature (entries, half an entry, a report): "
    "the writer was cut off or still writes.",
    "altered": "what is stored is not what was signed.",
    "wrong-key": "the log is as it was signed, but by none of the keys that you trust.",
}


def verify_evidence(folder: Path, *, trusted: Sequence[bytes] = (), expect_head: str | None = None) -> Verification:
    """Verify the log, its head, private payloads and report files of an evidence folder.

    Args:
        folder: the evidence folder; nothing in it is changed.
        trusted: raw public keys or fingerprints, 32 bytes each, from outside the folder.
        expect_head: fingerprint of a head kept elsewhere, 64 hex digits.

    Raises:
        InputError: if the folder holds no log, or `expect_head` is no fingerprint.

    Notes:
        Keys found in the folder are never trusted: anyone can sign a changed log again with a fresh key, and an older
        consistent copy verifies like the newest one. Only a key or a head kept elsewhere shows those.
    """
    expected = None if expect_head is None else _normal_fingerprint(expect_head)
    found = audit(Path(folder))
    signed = found.head is not None and found.head.signature_holds
    signer_trusted = _in(found.head, trusted) if trusted and found.head is not None else None
    place = _place(found, expected)
    status = _status(found, signer_trusted=signer_trusted, place=place)
    return Verification(
        status=status,
        entries=found.size,
        sealed=found.head.size if found.head and signed else 0,
        runs=len(found.run_ids),
        head=found.head.fingerprint if found.head else None,
        signer=fingerprint(bytes.fromhex(found.head.public_key)) if found.head else None,
        key=found.head.key if found.head else None,
        signer_trusted=signer_trusted,
        expected_head=place,
        redacted=found.missing,
        problems=tuple(found.problems),
        notes=tuple(_notes(found, signer_trusted=signer_trusted, place=place)),
    )


def as_signed(folder: Path, *, trusted: Sequence[bytes] = (), called: str = "evidence") -> Verification:
    """Verify a log on which something is about to rest; a report that was changed since does no harm to it.

    Args:
        folder: the evidence folder or site log.
        trusted: keys one of which must have signed it, as for `verify_evidence`.
        called: what the log is to whoever reads the message, such as ``"evidence 2"``.

    Raises:
        GateError: if the log is not as it was signed: somebody may have taken entries out.
        InputError: if the folder holds no log.
    """
    found = verify_evidence(folder, trusted=trusted)
    if not found.log_intact:
        raise GateError(
            f"Expected {called} to be as it was signed: got '{found.status}'. Run verify on it, and use an intact copy."
        )
    return found


def _normal_fingerprint(text: str) -> str:
    digits = text.strip().removeprefix("sha256:").lower()
    if len(digits) != 64 or not set(digits) <= set(string.hexdigits):
        raise InputError("An expected head must be a fingerprint of 64 hex digits: got another text. A run prints it.")
    return digits


def _in(head: Head, trusted: Sequence[bytes]) -> bool:
    public = bytes.fromhex(head.public_key)
    return any(key in (public, hashlib.sha256(public).digest()) for key in trusted)


def _place(found: Audit, expected: str | None) -> str | None:
    if expected is None:
        return None
    if found.head is not None and found.head.fingerprint == expected:
        return "same"
    return "contained" if expected in found.earlier else "not contained"


def _status(found: Audit, *, signer_trusted: bool | None, place: str | None) -> str:
    """The gravest status that applies."""
    grades = (
        ("altered", bool(found.problems)),
        ("wrong-key", signer_trusted is False),
        ("stale", place == "not contained"),
        ("torn", found.unfinished),
        ("redacted", found.missing > 0),
        ("trusted", bool(signer_trusted) or place == "same"),
    )
    return next((name for name, applies in grades if applies), "intact-signer-unknown")


def _notes(found: Audit, *, signer_trusted: bool | None, place: str | None) -> list[str]:
    notes = list(found.notes)
    if place == "contained":
        notes.append("The head that you kept is contained: the entries under it are unchanged, later ones were added.")
    if signer_trusted is None and place != "same":
        notes.append(
            "Not visible without a trusted key: whether somebody changed the log and signed it again. "
            "Give --trust with the writer's public key."
        )
    if place is None:
        notes.append(
            "Not visible without a head kept elsewhere: whether this is an older copy. "
            "Give --expect-head with the fingerprint that the run printed."
        )
    notes.append("This shows what the software recorded and that it was not changed since, not that it is true.")
    return notes
