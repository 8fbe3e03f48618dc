# SPDX-License-Identifier: Apache-2.0
"""Reading a whole evidence folder once and collecting all that is not as recorded; `verify` judges what it found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from monai_ethics.errors import ProvenanceError, SchemaError
from monai_ethics.provenance.log.head import Head, read_head
from monai_ethics.provenance.log.merkle import Frontier
from monai_ethics.provenance.log.payload import PRIVATE_NAME, key_id_of, read_payload, read_pseudonym_key
from monai_ethics.provenance.log.read import Entry, parse_entry, raw_lines
from monai_ethics.provenance.log.resume import OPENING

__all__ = ["REPORT_NAMES", "Audit", "audit"]

REPORT_NAMES = ("report.html", "report.json", "report.md")


@dataclass
class Audit:
    """What one pass over a folder saw.

    Args:
        head: the signed head, where it could be read.
        frontier: tree over the complete entries.
        run_ids: runs that wrote.
        earlier: fingerprint to size of each earlier head that the log contains and that its entries bear out.
        missing: private payloads, and the pseudonym key, that are absent.
        unfinished: whether the log goes on after the head.
        problems: what is not as recorded.
        notes: what else a reader must know.
    """

    head: Head | None = None
    frontier: Frontier = field(default_factory=Frontier)
    run_ids: set[str] = field(default_factory=set)
    earlier: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    unfinished: bool = False
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _previous: str | None = None
    _public_key: str | None = None
    _key_id: str | None = None
    _payloads: list[str] = field(default_factory=list)
    _erased: set[str] = field(default_factory=set)
    _reports: dict[str, str] | None = None

    @property
    def size(self) -> int:
        """Complete entries."""
        return self.frontier.size

    def take(self, entry: Entry) -> None:
        """Note one entry, before it joins the tree."""
        body = entry.body
        self.run_ids.add(entry.run_id)
        if entry.kind == "head":
            self._take_head(entry)
        elif entry.kind == "key":
            self._public_key = str(body.get("public_key"))
        elif entry.kind == "pseudonym_key":
            self._key_id = str(body.get("key_id"))
        elif entry.kind == "payload":
            self._payloads.append(str(body.get("commitment")))
        elif entry.kind == "erasure":
            self._erased.update(map(str, body.get("commitments", ())))
        elif entry.kind == "report":
            self._reports = {str(name): str(digest) for name, digest in dict(body.get("files", {})).items()}

    def _take_head(self, entry: Entry) -> None:
        """An earlier head stands as entry number `size`, covers exactly what precedes it and names the one before."""
        head = Head.from_dict(entry.body)
        fits = head.size == entry.seq and head.root == self.frontier.root().hex()
        if not fits or not head.signature_holds or head.previous != self._previous:
            raise SchemaError(f"Expected the earlier head at entry {entry.seq} to fit the log: it does not.")
        self._previous = head.fingerprint
        self.earlier[head.fingerprint] = head.size

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


def audit(folder: Path) -> Audit:
    """Read log, head, payloads and report files of a folder.

    Raises:
        InputError: if the folder holds no log.
    """
    found = Audit()
    try:
        found.head = read_head(folder)
    except SchemaError as error:
        found.problems.append(str(error))
    torn = _read_log(folder, found)
    _judge_end(found, torn)
    _check_private(folder, found)
    _check_reports(folder, found)
    return found


def _read_log(folder: Path, found: Audit) -> bool:
    """Take every entry; returns whether the last line is broken."""
    broken: str | None = None
    try:
        for seq, (line, complete) in enumerate(raw_lines(folder)):
            if broken is not None:  # a broken line that is not the last one
                break
            try:
                if not complete:
                    raise SchemaError("The log ends in half an entry.")
                entry = parse_entry(line, seq)
                found.take(entry)
            except (SchemaError, TypeError, ValueError) as error:
                broken = str(error)
                continue
            found.frontier.append(bytes.fromhex(entry.leaf))
            found.check_head()
        else:
            if broken is None:
                return False
            if found.head is None or found.size >= found.head.size:
                return True
    except (SchemaError, ProvenanceError) as error:
        broken = str(error)
    found.problems.append(broken or "")
    return False


def _judge_end(found: Audit, torn: bool) -> None:
    head = found.head
    if head is None:
        if not found.problems and found.size > OPENING:
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


def _check_private(folder: Path, found: Audit) -> None:
    missing = set()
    for commitment in found._payloads:
        try:
            if read_payload(folder, commitment) is None:
                missing.add(commitment)
        except ProvenanceError:
            found.problems.append("A private payload is not what the log committed to.")
    if missing:
        erased = len(missing & found._erased)
        found.notes.append(f"{len(missing)} private payloads are absent, {erased} of them with an erasure entry.")
    try:
        key = read_pseudonym_key(folder)
    except ProvenanceError:
        key = b""
    if key is None and found._key_id is not None:
        missing.add(PRIVATE_NAME)
        found.notes.append("The pseudonym key is absent: nobody can link pseudonyms to names any more.")
    elif key is not None and key_id_of(key) != found._key_id:
        found.problems.append("The pseudonym key is not the one that the log announced.")
    found.missing = len(missing)


def _check_reports(folder: Path, found: Audit) -> None:
    listed = found._reports or {}
    if not set(listed) <= set(REPORT_NAMES):
        found.problems.append("The log lists a report file of an unknown name.")
        return
    for name in REPORT_NAMES:
        path = folder / name
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        if name in listed and digest != listed[name]:
            found.problems.append(f"{name} is {'absent' if digest is None else 'not the file that was sealed'}.")
        elif name not in listed and digest is not None:
            found.notes.append(f"{name} is not sealed in the log: compare it with the findings before you rely on it.")
            found.unfinished = True
