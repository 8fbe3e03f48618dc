# SPDX-License-Identifier: Apache-2.0
"""What an audit of an evidence folder amounts to: one status, and in words what it shows and what it cannot show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from monai_ethics.provenance.keys.key import fingerprint
from monai_ethics.provenance.log.verifying.audit import Audit
from monai_ethics.provenance.log.verifying.contents import REPORT_NAMES
from monai_ethics.provenance.log.verifying.outside import Outside, Signers

__all__ = ["STATUSES", "Verification", "judge"]

STATUSES = ("trusted", "intact-signer-unknown", "stale", "redacted", "torn", "altered", "wrong-key")
SCHEMA = "monai_ethics.verification/1"
_INTACT = ("trusted", "intact-signer-unknown", "redacted")
SAME, CONTAINED, NOT_CONTAINED, NOT_WITNESSED = "same", "contained", "not contained", "not witnessed"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What verifying a folder found.

    Args:
        status: one of `STATUSES`; the gravest that applies.
        log_id: random id of the log, or ``None``.
        entries: complete entries of the log.
        sealed: entries that the head covers.
        runs: number of runs that wrote.
        repairs: how often an earlier writer had been cut off.
        head: fingerprint of `head.json`, or ``None``.
        signer: fingerprint of the key that signed it, or ``None``.
        key: ``"persistent"``, ``"ephemeral"`` or ``None``.
        signer_trusted: whether that key, or one that endorsed it, was given as trusted; ``None`` if none was given.
        signer_revoked: whether that key was revoked, so that its signature does not count.
        expected_head: ``"same"``, ``"contained"``, ``"not contained"``, or ``None`` if none was given.
        site_head: fingerprint of the head of the site log, or ``None`` if none was given.
        witness: what the site log knows of the head: as `expected_head`, or ``"not witnessed"``.
        redacted: private payloads that are absent.
        problems: what is not as recorded, in words.
        notes: what else was found, in words.
        unseen: what cannot be seen with what was given, in words.
        sealed_root: root over the entries that the head covers, for whoever reads them next.
    """

    status: str
    log_id: str | None
    entries: int
    sealed: int
    runs: int
    repairs: int
    head: str | None
    signer: str | None
    key: str | None
    signer_trusted: bool | None
    signer_revoked: bool
    expected_head: str | None
    site_head: str | None
    witness: str | None
    redacted: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    unseen: tuple[str, ...]
    sealed_root: str | None = None

    @property
    def intact(self) -> bool:
        """Whether nothing speaks against the folder; the command line exits with 1 otherwise."""
        return self.status in _INTACT

    @property
    def log_intact(self) -> bool:
        """Whether the log is as it was signed, whatever became of the report, which can be rendered from it again."""
        only_reports = all(problem.startswith(REPORT_NAMES) for problem in self.problems)
        return self.status not in ("wrong-key", "stale") and only_reports

    @property
    def meaning(self) -> str:
        """What the status says here, one sentence."""
        if self.status == "trusted":
            return _MEANING["trusted by key" if self.signer_trusted else "trusted by head"]
        if self.status == "wrong-key" and self.signer_revoked:
            return _MEANING["revoked key"]
        if self.status == "redacted":
            return f"the log is as it was signed, {self._signed_by}; private payloads are absent."
        return _MEANING[self.status]

    @property
    def _signed_by(self) -> str:
        if self.signer_trusted:
            return "by a key that you trust"
        return "under the head that you kept" if self.expected_head == SAME else "but nothing says whose key signed it"

    @property
    def text(self) -> str:
        """The result for people: the status, what to do about it, what was found, and what cannot be seen."""
        lines = [f"{self.status}: {self.meaning}"]
        lines += [f"What to do: {_TO_DO[self.status]}"] if self.status in _TO_DO else []
        if self.problems or self.notes:
            lines += ["What was found:", *(f"- {text}" for text in (*self.problems, *self.notes))]
        lines += ["What cannot be seen:", *(f"- {text}" for text in self.unseen)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The result for programs; `monai_ethics/schemas/verification-1.schema.json` describes it."""
        lists = {name: list(getattr(self, name)) for name in ("problems", "notes", "unseen")}
        told = {name: value for name, value in asdict(self).items() if name != "sealed_root"}
        return {"schema": SCHEMA, **told, **lists, "intact": self.intact}


_MEANING = {
    "trusted by key": "the log is as it was signed, by a key that you trust.",
    "trusted by head": "the log is as it was signed, under the head that you kept.",
    "intact-signer-unknown": "the log is as it was signed, but nothing says whose key signed it.",
    "stale": "the log is consistent, but does not contain a head that you kept or that the site log witnessed: "
    "an older copy, or another history.",
    "torn": "something follows the last signature, or was not finished (entries, half an entry, a report): "
    "the writer was cut off or still writes.",
    "altered": "what is stored is not what was signed.",
    "wrong-key": "the log is as it was signed, but by none of the keys that you trust.",
    "revoked key": "the log is as it was signed, but by a key that was revoked.",
}
_TO_DO = {
    "intact-signer-unknown": "ask the writer for the public key, by another way than this folder: anybody can sign.",
    "redacted": "ask why, if they matter to you; the rest stands.",
    "torn": "nothing that was signed is lost; let the writer go on, or render the report again, and verify again.",
    "stale": "ask for the newest folder.",
    "wrong-key": "do not rely on it, unless the writer confirms another key by another way than this folder.",
    "altered": "do not rely on it; keep it as it is for review, and ask for another copy.",
}


def judge(found: Audit, outside: Outside) -> Verification:
    """The gravest status that applies, and the words for it.

    Args:
        found: what one pass over the folder saw.
        outside: keys, head and site log that the reader has from elsewhere.
    """
    head, signers = found.head, Signers(found, outside)
    public = bytes.fromhex(head.public_key) if head else b""
    revoked = head is not None and not signers.counts(public, head.size)
    trusted = signers.trusted(public, head.size) if head and outside.trusted else None
    place = None if outside.expected is None else _place(found, [outside.expected])
    witness = _witness(found, outside)
    grades = (
        ("altered", bool(found.problems)),
        ("wrong-key", trusted is False or revoked),
        ("stale", NOT_CONTAINED in (place, witness)),
        ("torn", found.unfinished),
        ("redacted", found.contents.missing > 0),
        ("trusted", bool(trusted) or place == SAME),
    )
    result = Verification(
        status=next((name for name, applies in grades if applies), "intact-signer-unknown"),
        log_id=found.log_id,
        entries=found.size,
        sealed=head.size if head and head.signature_holds else 0,
        runs=found.runs,
        repairs=found.repairs.count,
        head=head.fingerprint if head else None,
        signer=fingerprint(public) if head else None,
        key=head.key if head else None,
        signer_trusted=trusted,
        signer_revoked=revoked,
        expected_head=place,
        site_head=outside.site_head,
        witness=witness,
        redacted=found.contents.missing,
        problems=tuple(found.problems),
        notes=(),
        unseen=(),
        sealed_root=head.root if head and head.signature_holds else None,
    )
    return _told(result, found, outside, signers)


def _place(found: Audit, heads: Sequence[str]) -> str:
    """Where heads from elsewhere stand; the last of them is the newest."""
    present = found.head.fingerprint if found.head else None
    if not all(head == present or found.contains(head) for head in heads):
        return NOT_CONTAINED
    return SAME if heads[-1] == present else CONTAINED


def _witness(found: Audit, outside: Outside) -> str | None:
    if outside.site_head is None:
        return None
    return _place(found, [head.fingerprint for head in outside.heads]) if outside.heads else NOT_WITNESSED


def _told(result: Verification, found: Audit, outside: Outside, signers: Signers) -> Verification:
    fields = {name: getattr(result, name) for name in Verification.__dataclass_fields__}
    notes = [*found.notes, *_repairs(found)]
    if not found.altered:  # of other entries than those that were signed, neither key nor head says anything
        notes += [*_of_the_end(result, found, signers), *_of_keys(result, found, outside, signers)]
        notes += _of_heads(result, outside)
    return Verification(**{**fields, "notes": tuple(notes), "unseen": tuple(_unseen(result))})


def _repairs(found: Audit) -> list[str]:
    repairs = found.repairs
    if not repairs.count:
        return []
    times = "once" if repairs.count == 1 else f"{repairs.count} times"
    counts = (
        (repairs.cut, "bytes of half an entry were cut away"),
        (repairs.adopted, "unsigned entries were signed by the next run, whoever had written them"),
        (repairs.removed, "files without an entry were removed"),
    )
    return [
        f"A writer was cut off {times}: {', '.join(f'{n} {what}' for n, what in counts if n) or 'nothing is lost'}."
    ]


def _of_the_end(result: Verification, found: Audit, signers: Signers) -> list[str]:
    """What became of the key that signed, where it was revoked."""
    head = found.head
    ends = signers.ends(bytes.fromhex(head.public_key)) if head else ()
    if head is None or not ends:
        return []
    if not any(end.grave for end in ends):
        if result.signer_revoked:
            return ["The key that signed was retired, and this was signed after that, by the order of the entries."]
        known = "" if signers.seen(head.size) is not None else " That this was signed before is not shown."
        return [f"The key that signed was retired: it is used no more, and what it signed before stands.{known}"]
    if result.signer_revoked:
        return [
            "The key that signed was revoked, and nothing shows that the head is older than that: "
            "whoever has the key since may have signed this."
        ]
    return ["The key that signed was revoked later; the site log had witnessed the head before."]


def _of_keys(result: Verification, found: Audit, outside: Outside, signers: Signers) -> list[str]:
    notes = []
    public = bytes.fromhex(found.head.public_key) if found.head else b""
    named = (public, bytes.fromhex(result.signer or ""))
    if result.signer_trusted and not any(key in named for key in outside.trusted):
        notes.append("The key that signed is none that you gave, but one of those endorsed it: keys were changed.")
    if result.signer_trusted:
        most = max((size for key, size in found.signers.items() if not signers.trusted(key, size)), default=0)
        if most:
            notes.append(
                f"The first {most} entries were signed by a key that you do not trust before one that you trust signed "
                "on: whoever has that key may have written them."
            )
    return notes


def _of_heads(result: Verification, outside: Outside) -> list[str]:
    notes = []
    if result.expected_head == CONTAINED:
        notes.append("The head that you kept is contained: the entries under it are unchanged, later ones were added.")
    elif result.expected_head == SAME:
        notes.append("The head is the one that you kept.")
    if result.witness in (SAME, CONTAINED):
        newest = outside.heads[-1].size
        later = f"; {result.sealed - newest} later ones were signed since" if result.sealed > newest else ""
        notes.append(f"The site log witnessed {newest} entries, and they are unchanged{later}.")
    elif result.witness == NOT_CONTAINED:
        most = max(head.size for head in outside.heads)
        notes.append(
            f"The site log witnessed a head over {most} entries that this log does not contain; "
            f"its own head covers {result.sealed}."
        )
    elif result.witness == NOT_WITNESSED:
        notes.append("The site log holds no head of this log: no run of it closed with this site log set.")
    if outside.adopted:
        notes.append(
            f"In the site log, {outside.adopted} unsigned entries were signed by its next writer, whoever had written "
            "them: verify the site log itself."
        )
    return notes


def _unseen(result: Verification) -> list[str]:
    """What nobody can tell from what was given."""
    notes = []
    if result.signer_trusted is None and result.expected_head != SAME:
        logs = "the log" if result.site_head is None else "the log or the site log"
        notes.append(
            f"Whether somebody changed {logs} and signed it again: give --trust with the writer's public key, "
            "which you have from elsewhere."
        )
    if result.witness in (None, NOT_WITNESSED):
        notes.append(
            "Whether the log had gone on after the head that you kept: keep the newest one."
            if result.expected_head is not None
            else "Whether this is an older copy: give --expect-head with the fingerprint that the run printed and "
            "somebody kept, or --site with the site log."
        )
    else:
        notes.append(
            "Whether the log had gone on after what the site log witnessed, and whether the site log is itself an "
            f"older copy: keep its head elsewhere, {result.site_head}."
        )
    if result.repairs:
        notes.append("Whether unsigned entries that a later run signed came from the writer that was cut off.")
    notes.append("Whether it is true: signed is what the software recorded, not that it was right.")
    return notes
