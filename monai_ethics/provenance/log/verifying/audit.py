# SPDX-License-Identifier: Apache-2.0
"""Reading a whole evidence folder once and collecting all that is not as recorded; `judge` says what it amounts to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai_ethics.errors import EthicsError, InputError, ProvenanceError, SchemaError
from monai_ethics.provenance.keys.standing import KIND as REVOCATION
from monai_ethics.provenance.keys.standing import Revocation, take_revocation
from monai_ethics.provenance.log.reading.entries import Entry, parse_entry, raw_lines
from monai_ethics.provenance.log.tree.head import OPENING, Head, read_head
from monai_ethics.provenance.log.tree.merkle import Frontier
from monai_ethics.provenance.log.verifying.contents import Contents

__all__ = ["Audit", "Repairs", "audit"]


@dataclass
class Repairs:
    """What earlier writers were cut off at.

    Args:
        count: `repair` entries.
        cut: bytes of half entries that were cut away.
        adopted: unsigned entries that a later run found and signed.
        removed: files without an entry that a later run removed.
    """

    count: int = 0
    cut: int = 0
    adopted: int = 0
    removed: int = 0

    def take(self, body: Mapping[str, Any]) -> None:
        self.count += 1
        self.cut += int(body.get("truncated_bytes", 0))
        self.adopted += int(body.get("unsealed_entries", 0))
        self.removed += int(body.get("leftover_files", 0)) + int(body.get("orphan_payloads", 0))


@dataclass
class Audit:
    """What one pass over a folder saw; memory grows with heads and payloads (a digest each), not with entries.

    Args:
        head: the signed head, where it could be read.
        frontier: tree over the complete entries.
        runs: how often a run began.
        log_id: random id of the log, by its first entry that says one; ``None`` if none does.
        earlier: fingerprint (raw) to size of each earlier head that the log contains and that its entries bear out.
        signers: raw public key that signed earlier heads to the size of its last one.
        keys: what endorses what in the `key` entries that the head covers.
        revoked: what entries that the head covers say of the end of keys.
        repairs: what earlier writers were cut off at.
        contents: payloads and report files that the log names.
        begun: whether there are other entries than those that open a log.
        unfinished: whether the log goes on after the head.
        altered: whether log or head are not as recorded, whatever became of the other files.
        problems: what is not as recorded.
        notes: what else a reader must know.
    """

    head: Head | None = None
    frontier: Frontier = field(default_factory=Frontier)
    runs: int = 0
    log_id: str | None = None
    earlier: dict[bytes, int] = field(default_factory=dict)
    signers: dict[bytes, int] = field(default_factory=dict)
    keys: list[Mapping[str, Any]] = field(default_factory=list)
    revoked: dict[str, tuple[Revocation, ...]] = field(default_factory=dict)
    repairs: Repairs = field(default_factory=Repairs)
    contents: Contents = field(default_factory=Contents)
    begun: bool = False
    unfinished: bool = False
    altered: bool = False
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _previous: str | None = None
    _public_key: str | None = None

    @property
    def size(self) -> int:
        """Complete entries."""
        return self.frontier.size

    def covers(self, entry: Entry) -> bool:
        """Whether the head covers an entry: what nobody signed changes no judgement."""
        return self.head is not None and entry.seq < self.head.size

    def take(self, entry: Entry) -> None:
        """Note one entry, before it joins the tree."""
        if entry.kind == "head":
            self._take_head(entry)
        elif entry.kind == "open":
            self._take_open(entry)
        elif entry.kind == "key":
            self._take_key(entry)
        elif entry.kind == REVOCATION:
            if self.covers(entry):
                take_revocation(self.revoked, entry.body, position=entry.seq)
        elif entry.kind == "repair":
            self.repairs.take(entry.body)
        else:
            self.contents.take(entry, signed=self.covers(entry))

    def _take_open(self, entry: Entry) -> None:
        """The id that a log begins with is its own for good: by another one the site log would not see a rollback."""
        self.runs += 1
        if self.log_id is None and "log_id" in entry.body:
            self.log_id = str(entry.body["log_id"])

    def _take_key(self, entry: Entry) -> None:
        self._public_key = str(entry.body.get("public_key"))
        link = {name: entry.body.get(name) for name in ("public_key", "previous", "endorsement")}
        small = all(value is None or (isinstance(value, str) and len(value) <= 128) for value in link.values())
        if small and self.covers(entry):
            self.keys.append(link)

    def _take_head(self, entry: Entry) -> None:
        """An earlier head stands as entry number `size`, covers exactly what precedes it and names the one before."""
        head = Head.from_dict(entry.body)
        fits = head.size == entry.seq and head.root == self.frontier.root().hex()
        if not fits or not head.signature_holds or head.previous != self._previous:
            raise SchemaError(
                f"Expected the earlier head at entry {entry.seq} to fit the entries before it: it does not. "
                "One of them was changed, taken out or put in."
            )
        self._previous = head.fingerprint
        self.earlier[bytes.fromhex(head.fingerprint)] = head.size
        self.signers[bytes.fromhex(head.public_key)] = head.size

    def contains(self, fingerprint: str) -> bool:
        """Whether a head is one of the earlier heads."""
        return bytes.fromhex(fingerprint) in self.earlier

    def check_head(self) -> None:
        """Compare the tree with the head, when it has the head's size."""
        head = self.head
        if head is None or self.size != head.size:
            return
        if head.root != self.frontier.root().hex():
            self.problems.append("The entries are not those that the head covers: at least one was changed or moved.")
        if head.public_key != self._public_key:
            self.problems.append("The head is signed by a key that the log does not announce.")
        if head.previous != self._previous:
            self.problems.append("The head does not continue the last head that the log contains.")


def audit(folder: Path, *, watch: Callable[[Entry], None] | None = None) -> Audit:
    """Read log, head, payloads and report files of a folder.

    Args:
        folder: the evidence folder; nothing in it is changed.
        watch: called with each entry that the head covers, in order. Whether the head holds is known afterwards only.

    Raises:
        InputError: if the folder holds no log, or it may not be read.
    """
    found = Audit()
    try:
        try:
            found.head = read_head(folder)
        except (EthicsError, ValueError, TypeError):
            found.problems.append("head.json is not a signed head in canonical form: it was cut or edited.")
        torn = _read_log(folder, found, watch or _ignore)
        _judge_end(found, torn)
        found.altered = bool(found.problems)
        if found.altered:
            found.notes.append("Report and private part were not compared with a log that is not what was signed.")
        else:
            found.contents.check(folder, problems=found.problems, notes=found.notes)
    except OSError as error:
        raise InputError(
            f"Expected evidence that can be read: got '{error.strerror}'. Ask its owner for access to the folder."
        ) from error
    found.unfinished = found.unfinished or found.contents.unfinished
    return found


def _ignore(_: Entry) -> None:
    pass


def _read_log(folder: Path, found: Audit, watch: Callable[[Entry], None]) -> bool:
    """Take every entry; returns whether the last line is broken."""
    broken: str | None = None
    try:
        for seq, (line, complete) in enumerate(raw_lines(folder)):
            if broken is not None:  # a broken line that is not the last one
                break
            try:
                _take(line, seq, found, watch, complete=complete)
            except (SchemaError, ProvenanceError) as error:
                broken = str(error)
            except (KeyError, TypeError, ValueError):
                broken = f"Entry {seq} does not hold what entries of its kind hold."
        else:
            if broken is None:
                return False
            if found.head is None or found.size >= found.head.size:
                return True
    except (SchemaError, ProvenanceError) as error:
        broken = str(error)
    except InputError:  # no log
        if found.head is None:
            raise
        broken = "There is no log beside head.json: it was removed."
    found.problems.append(broken or "")
    return False


def _take(line: bytes, seq: int, found: Audit, watch: Callable[[Entry], None], *, complete: bool) -> None:
    if not complete:
        raise SchemaError("The log ends in half an entry.")
    entry = parse_entry(line, seq)
    found.begun = found.begun or entry.kind not in OPENING
    found.take(entry)
    if found.covers(entry):
        watch(entry)
    found.frontier.append(bytes.fromhex(entry.leaf))
    found.check_head()


def _judge_end(found: Audit, torn: bool) -> None:
    head = found.head
    if head is None:
        if not found.problems and found.begun:
            found.problems.append("There is no signed head beside the log.")
        found.unfinished = True
        return
    if not head.signature_holds:
        found.problems.append("The signature of the head is not valid: head.json was edited.")
    if found.size < head.size and not found.problems:
        found.problems.append(f"The head covers {head.size} entries, the log holds {found.size}: entries were removed.")
    if found.size > head.size:
        found.notes.append(f"{found.size - head.size} entries after the last head are not signed yet.")
    if torn:
        found.notes.append("The log ends in half an entry; the next run cuts it off and says so.")
    found.unfinished = torn or found.size > head.size
    if head.key == "ephemeral":
        found.notes.append("The key was ephemeral: it ended with its process, and nobody can recognize it later.")
