# SPDX-License-Identifier: Apache-2.0
"""What a writer must know of an existing log before it may append to it, and the check that nothing was changed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ethics.errors import EthicsError, InputError, ProvenanceError, SchemaError
from monai_ethics.provenance.keys.key import verify_signature
from monai_ethics.provenance.log.files.storage import open_file, read_file, write_atomically
from monai_ethics.provenance.log.reading.entries import LOG_NAME, Entry, parse_entry, raw_lines
from monai_ethics.provenance.log.tree.canonical import canonical, strict_loads
from monai_ethics.provenance.log.tree.digits import is_hex
from monai_ethics.provenance.log.tree.head import OPENING, Head, read_head
from monai_ethics.provenance.log.tree.merkle import Frontier
from monai_ethics.provenance.log.writing.runs import RunNames

if TYPE_CHECKING:
    from monai_ethics.provenance.keys.key import Signer

__all__ = ["RESUME_FROM", "RESUME_NAME", "Tail", "inspect_log", "leave_resume"]

RESUME_NAME = ".resume.json"
RESUME_FROM = 20_000  # entries that are read in about half a second; above, the next writer is spared reading them
RESUME_SCHEMA = "monai_ethics.resume/1"
_MOST_BYTES = 16_000_000
_FIELDS = ("schema", "size", "end", "peaks", "runs", "log_id", "public_key", "key_id")
_ALTERED = "Expected an intact evidence log: got one that was altered. Keep it for review and write to a new folder."


@dataclass
class Tail:
    """State of a log at its end.

    Args:
        head: the last signed head, or ``None``.
        frontier: tree over all complete entries.
        end: bytes of all complete entries.
        torn: bytes behind them.
        runs: every run that wrote.
        log_id: random id of this log.
        public_key: the key announced last, hex.
        key_id: the pseudonym key announced last.
        unnamed: commitments of private files that no entry names, as far as those were asked for.
        whole: whether the log was read from its beginning.
        erased: commitments that erasures name.
        opened: whether there are other entries than those that open a log.
    """

    head: Head | None = None
    frontier: Frontier = field(default_factory=Frontier)
    end: int = 0
    torn: int = 0
    runs: RunNames = field(default_factory=RunNames)
    log_id: str | None = None
    public_key: str | None = None
    key_id: str | None = None
    unnamed: set[str] = field(default_factory=set)
    whole: bool = True
    erased: set[str] = field(default_factory=set)
    opened: bool = False

    @property
    def unsealed(self) -> int:
        """Entries after the last head."""
        return self.frontier.size - (self.head.size if self.head else 0)

    @property
    def cut_off(self) -> bool:
        """Whether the log goes on after its head: the writer before was cut off, or closed it without a seal."""
        return self.head is not None and (self.torn > 0 or self.unsealed > 0)

    def take(self, entry: Entry, length: int) -> None:
        self.frontier.append(bytes.fromhex(entry.leaf))
        self.end += length
        self.runs.add(entry.run_id)
        self.opened = self.opened or entry.kind not in OPENING
        if entry.kind == "open":
            self.log_id = self.log_id or str(entry.body.get("log_id"))
        elif entry.kind == "key":
            self.public_key = str(entry.body.get("public_key"))
        elif entry.kind == "pseudonym_key":
            self.key_id = str(entry.body.get("key_id"))
        elif entry.kind == "erasure":
            named = entry.body.get("commitments")
            self.erased.update(filter(is_hex, named if isinstance(named, list) else ()))
        elif entry.kind == "payload":
            self.unnamed.discard(str(entry.body.get("commitment")))


def inspect_log(folder: Path, *, private: Callable[[], set[str]] = set) -> Tail:
    """Check an existing log against its head and return its end.

    A log that its last writer sealed, closed and left a resume file for is not read again: the tree's peaks in that
    file must give the signed root. What somebody changed in the lines since is then found by `verify`, not here; the
    next head is signed over the true history, so that such a change stays visible for good.

    Args:
        folder: the evidence folder.
        private: tells of which commitments files lie in the private part; those that no entry names stay in `unnamed`.
            It is asked only if the log is read.

    Raises:
        ProvenanceError: if the log does not hold what its head says, or has entries and no head.
    """
    try:
        head = read_head(folder)
        resumed = _resumed(folder, head)
        if resumed is not None:
            return resumed
        tail = Tail(head=head, unnamed=private())
        if _read(folder, tail):
            tail.torn = (folder / LOG_NAME).stat().st_size - tail.end
    except SchemaError as error:
        raise ProvenanceError(_ALTERED) from error
    if head is None and tail.opened:
        raise ProvenanceError(
            "Expected a signed head beside the log: got none. Restore head.json from a copy, or use a new folder."
        )
    if head is not None and (tail.frontier.size < head.size or not head.signature_holds):
        raise ProvenanceError(_ALTERED)
    return tail


def _read(folder: Path, tail: Tail) -> bool:
    """Take every entry; returns whether the end is torn."""
    bad: SchemaError | None = None
    for seq, (line, complete) in enumerate(raw_lines(folder)):
        if bad is not None:  # only the very last line may be broken
            raise bad
        try:
            if not complete:
                raise SchemaError("incomplete")
            entry = parse_entry(line, seq)
        except SchemaError as error:
            if tail.head is not None and seq < tail.head.size:
                raise
            bad = error
            continue
        tail.take(entry, len(line) + 1)
        head = tail.head
        if head is not None and tail.frontier.size == head.size and tail.frontier.root().hex() != head.root:
            raise ProvenanceError(_ALTERED)
    return bad is not None


def leave_resume(folder: Path, tail: Tail, key: Signer) -> None:
    """Write the resume file of a large log that is sealed to its end; a failure harms nothing.

    It is no evidence, and can be deleted at any time: the next writer then reads the log.
    """
    if tail.head is None or tail.unsealed or tail.frontier.size <= RESUME_FROM:
        return
    body = {
        "schema": RESUME_SCHEMA,
        "size": tail.frontier.size,
        "end": tail.end,
        "peaks": [peak.hex() for peak in tail.frontier.peaks],
        "runs": tail.runs.to_dict(),
        "log_id": tail.log_id,
        "public_key": tail.public_key,
        "key_id": tail.key_id,
    }
    with contextlib.suppress(OSError, EthicsError):
        signature = key.sign(_message(body)).hex()
        write_atomically(folder / RESUME_NAME, canonical({**body, "signature": signature}))


def _resumed(folder: Path, head: Head | None) -> Tail | None:
    """The end as the resume file tells it; ``None`` unless all of it is signed and fits the head and the log."""
    if head is None:
        return None
    try:
        stored = read_file(folder / RESUME_NAME, most=_MOST_BYTES)
        data = strict_loads(stored, limit=_MOST_BYTES)
        body = {name: data[name] for name in _FIELDS}
        signature = bytes.fromhex(data["signature"])
        if body["schema"] != RESUME_SCHEMA or canonical({**body, "signature": signature.hex()}) != stored:
            return None
        if not head.signature_holds or not verify_signature(bytes.fromhex(head.public_key), signature, _message(body)):
            return None
        tail = _tail(body, head)
        fits = tail.frontier.size == head.size and tail.frontier.root().hex() == head.root
        return tail if fits and _begins_with(folder, tail.log_id) and _ends_at(folder, tail.end) else None
    except (OSError, AttributeError, KeyError, TypeError, ValueError, InputError, ProvenanceError, SchemaError):
        return None


def _tail(body: Mapping[str, Any], head: Head) -> Tail:
    return Tail(
        head=head,
        frontier=Frontier.of(int(body["size"]), [bytes.fromhex(peak) for peak in body["peaks"]]),
        end=int(body["end"]),
        runs=RunNames.from_dict(body["runs"]),
        log_id=body["log_id"],
        public_key=body["public_key"],
        key_id=body["key_id"],
        whole=False,
    )


def _begins_with(folder: Path, log_id: str | None) -> bool:
    """Whether that is the id in the first line: whoever may have a resume file signed gives the log no other one."""
    line, _ = next(raw_lines(folder), (b"", False))
    return bool(strict_loads(line)["body"]["log_id"] == log_id)


def _ends_at(folder: Path, end: int) -> bool:
    """Whether the log has exactly so many bytes, the last of them a newline."""
    handle = open_file(folder / LOG_NAME)
    try:
        return os.fstat(handle).st_size == end and os.pread(handle, 1, end - 1) == b"\n"
    finally:
        os.close(handle)


def _message(body: Mapping[str, Any]) -> bytes:
    """What is signed: the schema as domain, then the content."""
    return RESUME_SCHEMA.encode() + b"\n" + canonical(dict(body))
