# SPDX-License-Identifier: Apache-2.0
"""Integrity and provenance: what the verification found and what the log says of itself, as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from monai_ethics.reporting.published import RECORDS, is_public
from monai_ethics.reporting.quantity import counted
from monai_ethics.reporting.sections import Section, TableCell
from monai_ethics.reporting.words import INTEGRITY, STATUSES

if TYPE_CHECKING:
    from monai_ethics.provenance.log.reading.trail import Trail

__all__ = ["command", "in_one_line", "remarks", "seal", "sections", "status", "unseen"]

TOLD = (
    "schema",
    "status",
    "text",
    "problems",
    "notes",
    "unseen",
    "intact",
    "signer_trusted",
)  # said in words elsewhere
STORAGE: Mapping[str, str] = {
    "persistent": "kept by the signer",
    "ephemeral": "made for one run and gone with it: nobody can recognize it later",
}
EXPECTED: Mapping[str, str] = {
    "same": "the newest head is the one that was kept",
    "contained": "the head that was kept is contained; entries were added since",
    "not contained": "the head that was kept is not contained: an older copy, or another log",
}
WITNESSED: Mapping[str, str] = {
    "same": "the newest head, as it stands here",
    "contained": "a head that is contained; entries were added since",
    "not contained": "a head that is not contained: this is an older copy, or another log",
    "not witnessed": "no head of this log",
}
CONSENTS: Mapping[str, str] = {
    "consent": "Consents recorded",
    "withdrawal": "Withdrawals recorded",
    "disposition": "Decisions on models or sets after a withdrawal",
    "subject_erasure": "People whose token was destroyed",
}
PSEUDONYMS = "the key that links pseudonyms to names"
UNSEEN = "Not visible from inside: whether an older copy stands here, and whether what was recorded is true."


def status(integrity: Mapping[str, Any] | None) -> tuple[str, str]:
    """The status in a few words, and in a sentence."""
    if integrity is None:
        return (
            "Not checked while this page was written",
            "Run `monai-ethics verify` on the evidence folder to see whether it was changed.",
        )
    word = str(integrity.get("status", ""))
    return STATUSES.get(word, (word or "Unknown", str(integrity.get("text", ""))))


def in_one_line(integrity: Mapping[str, Any] | None) -> str:
    """Whether it was changed, by whom it is signed, and what cannot be seen."""
    short, _ = status(integrity)
    if integrity is None:
        return f"{short}. {UNSEEN}"
    signer = str(integrity.get("signer") or "")
    if not signer:
        return f"{short}. Whose key signed it is not stated. {UNSEEN}"
    if integrity.get("signer_revoked"):
        return f"{short}. Signed with {signer[:16]}…, a key that was revoked. {UNSEEN}"
    known = {True: "a key that the reader trusts", False: "a key that the reader does not trust"}
    whose = known.get(integrity.get("signer_trusted"), "a key of which nobody said whose it is")  # type: ignore[arg-type]
    return f"{short}. Signed with {signer[:16]}…, {whose}. {UNSEEN}"


def command(integrity: Mapping[str, Any] | None) -> str:
    """What a reader types to check it again; the folder is where the reader has it."""
    head = str((integrity or {}).get("head") or "")
    tail = f" --expect-head {head}" if head else ""
    return f"monai-ethics verify EVIDENCE_FOLDER --trust SIGNER.pub.pem{tail}"


def remarks(integrity: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What the verification found besides its status."""
    found = integrity or {}
    return tuple(str(text) for key in ("problems", "notes") for text in found.get(key) or ())


def unseen(integrity: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What the verification could not see with what it was given."""
    return tuple(map(str, (integrity or {}).get("unseen") or ()))


def seal(integrity: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """What the verification recorded: names known here in their words, every other one as it came."""
    found = {key: value for key, value in (integrity or {}).items() if key not in TOLD and value not in (None, [], {})}
    known = tuple((text, _said(key, found[key])) for key, text in INTEGRITY.items() if key in found)
    others = tuple(
        (key.replace("_", " ").capitalize(), _said(key, found[key])) for key in sorted(found) if key not in INTEGRITY
    )
    return (*known, *others)


def _said(key: str, value: Any) -> str:
    if key == "key":
        return STORAGE.get(str(value), str(value))
    if key in ("expected_head", "witness"):
        return (EXPECTED if key == "expected_head" else WITNESSED).get(str(value), str(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def sections(trail: Trail | None) -> tuple[Section, ...]:
    """Runs, keys, repairs and deletions, sets and models, consents: what the log has of each, and what it has not."""
    if trail is None:
        return ()
    made = (_runs(trail), _keys(trail), _mended(trail), _learned(trail), _consents(trail))
    return tuple(found for found in made if found.rows or found.notes)


def _runs(trail: Trail) -> Section:
    rows = (
        (TableCell(text=run.run_id), TableCell(text=run.time), TableCell(text=run.status), TableCell(text=run.tool))
        for run in trail.runs
    )
    missing = trail.counts.get("open", 0) - len(trail.runs)
    notes = (f"{counted(missing, 'earlier openings')} of the log are not listed.",) if missing > 0 else ()
    return Section(
        anchor="trust-runs",
        title="Runs that wrote",
        short="Runs",
        caption="Runs that wrote to this log",
        head=("Run", "Begun", "How it ended, as it says", "Written by"),
        rows=tuple(rows),
        notes=(*notes, "Times are those of the writer's clock: nothing confirms them.") if trail.runs else (),
    )


def _keys(trail: Trail) -> Section:
    def passed(first: bool, endorsed: bool) -> str:
        if first:
            return "the first key of the log"
        return "the key before signed for it" if endorsed else "the key before did not sign for it"

    return Section(
        anchor="trust-keys",
        title="Keys that signed",
        short="Keys",
        caption="Keys that the log announced",
        head=("Fingerprint", "Announced", "Where it is kept", "How it came"),
        rows=tuple(
            (
                TableCell(text=key.fingerprint, code=True),
                TableCell(text=key.time),
                TableCell(text=STORAGE.get(key.storage, key.storage or "not stated")),
                TableCell(text=passed(key.first, key.endorsed)),
            )
            for key in trail.keys
        ),
    )


def _mended(trail: Trail) -> Section:
    rows = [
        (
            TableCell(text="The end of the log was mended"),
            TableCell(text=item.time),
            TableCell(
                text=f"bytes of half an entry that were cut off: {item.truncated_bytes:,}; "
                f"entries that had been left unsigned: {item.unsealed_entries:,}"
            ),
        )
        for item in trail.repairs
    ]
    rows += [
        (
            TableCell(text="Private parts were deleted"),
            TableCell(text=time),
            TableCell(text=f"{counted(count, 'parts') if count else PSEUDONYMS}{': ' if reason else ''}{reason}"),
        )
        for time, count, reason in trail.redactions
    ]
    return Section(
        anchor="trust-mended",
        title="Repairs and deletions",
        short="Repairs and deletions",
        caption="Repairs and deletions that the log tells",
        head=("What", "When", "How much"),
        rows=tuple(rows),
        notes=() if rows else ("The log tells of no repair and of no deletion.",),
    )


def _learned(trail: Trail) -> Section:
    return Section(
        anchor="trust-sets",
        title="Sets of images and models",
        short="Sets and models",
        caption="Sets of images, and models that records name",
        head=("What", "How much", "Fingerprint (root of the set, or digest of the weights)"),
        rows=tuple(_sets_and_models(trail)),
        notes=() if trail.sets or trail.models else (_none(trail, "No set of images and no model is recorded."),),
    )


def _sets_and_models(trail: Trail) -> Iterator[tuple[TableCell, ...]]:
    for row in trail.sets:
        lost = f", {row.unattributed:,} of no known patient" if row.unattributed else ""
        much = f"{counted(row.n, 'images')} of {counted(row.patients, 'patients')}{lost}"
        yield TableCell(text=row.role), TableCell(text=much), TableCell(text=row.root, code=True)
    for model in trail.models:
        yield (
            TableCell(text=f"model {model.name}".rstrip()),
            TableCell(text="—"),
            TableCell(text=model.weights or "—", code=True),
        )


def _consents(trail: Trail) -> Section:
    rows = tuple(
        (TableCell(text=text), TableCell(text=f"{trail.counts[kind]:,}"))
        for kind, text in CONSENTS.items()
        if kind in trail.counts
    )
    none = "This log holds no consent and no withdrawal: they may be kept elsewhere, or were not recorded."
    return Section(
        anchor="trust-consents",
        title="Consents and withdrawals",
        short="Consents",
        caption="Consents and withdrawals in this log",
        head=("What", "Entries"),
        rows=rows,
        notes=() if rows else (_none(trail, none),),
    )


def _none(trail: Trail, text: str) -> str:
    """That there is nothing; a copy for the public leaves out what there was."""
    return RECORDS if is_public(trail) else text
