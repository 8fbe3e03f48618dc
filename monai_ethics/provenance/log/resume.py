# SPDX-License-Identifier: Apache-2.0
"""What a writer must know of an existing log before it may append to it, and the check that nothing was changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from monai_ethics.errors import ProvenanceError, SchemaError
from monai_ethics.provenance.log.head import Head, read_head
from monai_ethics.provenance.log.merkle import Frontier
from monai_ethics.provenance.log.read import Entry, parse_entry, raw_lines

__all__ = ["OPENING", "Tail", "inspect_log"]

OPENING = 3  # entries that creating a log writes before the first head: open, pseudonym_key, key
_ALTERED = "Expected an intact evidence log: got one that was altered. Keep it for review and write to a new folder."


@dataclass
class Tail:
    """State of a log at its end.

    Args:
        head: the last signed head, or ``None``.
        frontier: tree over all complete entries.
        end: bytes of all complete entries.
        torn: bytes of an incomplete last entry.
        run_ids: every run that wrote.
        log_id: random id of this log.
        public_key: the key announced last, hex.
        key_id: the pseudonym key announced last.
    """

    head: Head | None = None
    frontier: Frontier = field(default_factory=Frontier)
    end: int = 0
    torn: int = 0
    run_ids: set[str] = field(default_factory=set)
    log_id: str | None = None
    public_key: str | None = None
    key_id: str | None = None

    @property
    def unsealed(self) -> int:
        """Entries after the last head."""
        return self.frontier.size - (self.head.size if self.head else 0)

    def take(self, entry: Entry, length: int) -> None:
        self.frontier.append(bytes.fromhex(entry.leaf))
        self.end += length
        self.run_ids.add(entry.run_id)
        if entry.kind == "open":
            self.log_id = str(entry.body.get("log_id"))
        elif entry.kind == "key":
            self.public_key = str(entry.body.get("public_key"))
        elif entry.kind == "pseudonym_key":
            self.key_id = str(entry.body.get("key_id"))


def inspect_log(folder: Path) -> Tail:
    """Check an existing log against its head and return its end.

    Raises:
        ProvenanceError: if the log does not hold what its head says, or has entries and no head.
    """
    try:
        tail = Tail(head=read_head(folder))
        _read(folder, tail)
    except SchemaError as error:
        raise ProvenanceError(_ALTERED) from error
    head = tail.head
    if head is None and tail.frontier.size > OPENING:
        raise ProvenanceError(
            "Expected a signed head beside the log: got none. Restore head.json from a copy, or use a new folder."
        )
    if head is not None and (tail.frontier.size < head.size or not head.signature_holds):
        raise ProvenanceError(_ALTERED)
    return tail


def _read(folder: Path, tail: Tail) -> None:
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
            bad, tail.torn = error, len(line) + complete
            continue
        tail.take(entry, len(line) + 1)
        head = tail.head
        if head is not None and tail.frontier.size == head.size and tail.frontier.root().hex() != head.root:
            raise ProvenanceError(_ALTERED)
