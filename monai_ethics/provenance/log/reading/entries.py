# SPDX-License-Identifier: Apache-2.0
"""Reading an evidence folder: entries, the report folded from them, private payloads. Nothing is written or locked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from monai_ethics.errors import InputError, ProvenanceError, SchemaError
from monai_ethics.evidence import EvidenceReport, Finding
from monai_ethics.provenance.log.files.payload import read_payload
from monai_ethics.provenance.log.files.storage import open_file
from monai_ethics.provenance.log.tree.canonical import MAX_BYTES, strict_loads
from monai_ethics.provenance.log.tree.merkle import Frontier, leaf_hash

__all__ = [
    "ENTRY_SCHEMA",
    "LOG_NAME",
    "PUBLIC_EXPORT",
    "Covered",
    "Entry",
    "iter_entries",
    "parse_entry",
    "raw_lines",
    "read_entries",
    "read_private",
    "read_report",
]

PUBLIC_EXPORT = "public_export"  # kind of the entry that makes a log a copy for the public
LOG_NAME = "log.jsonl"
ENTRY_SCHEMA = "monai_ethics.entry/1"
_FIRST = b'{"body":{'
_FIELDS = {"schema": str, "seq": int, "time": str, "run_id": str, "kind": str, "body": dict}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the log.

    Args:
        seq: position, from 0.
        time: UTC time as the writer's clock gave it.
        run_id: the run that wrote it.
        kind: what `body` is; docs/reference/evidence-format.md lists the kinds.
        body: the content.
        leaf: RFC 6962 leaf hash of the raw line, hex: the id of the entry.
    """

    seq: int
    time: str
    run_id: str
    kind: str
    body: Mapping[str, Any]
    leaf: str


class Covered(NamedTuple):
    """What a head covers: so many entries, and the root over them, hex."""

    size: int
    root: str


def raw_lines(folder: Path) -> Iterator[tuple[bytes, bool]]:
    """Lines of the log without their newline, and whether each is complete; only the last can be incomplete.

    A line with a NUL byte was never written: a power cut left blocks empty that no fsync had covered. With it the log
    ends, since nothing behind it was acknowledged either.

    Raises:
        InputError: if the folder holds no log.
        ProvenanceError: if the log is no plain file.
        SchemaError: if a line is longer than 1 MB, or the file does not begin as a log does.
    """
    try:
        handle = open_file(folder / LOG_NAME)
    except FileNotFoundError as error:
        raise InputError(
            "Expected an evidence folder or site log: got none. Give the folder that a command wrote."
        ) from error
    with os.fdopen(handle, "rb") as file:
        first = True
        while line := file.readline(MAX_BYTES + 2):
            if first and not _begins_a_log(line):
                raise SchemaError("Expected an evidence log: got another file of its name. Give the folder of a run.")
            first = False
            if b"\0" in line:
                yield line, False
                return
            if len(line) > MAX_BYTES + 1:
                raise SchemaError("Expected log lines of at most 1 MB: got a longer one. The log was altered.")
            yield line.removesuffix(b"\n"), line.endswith(b"\n")


def _begins_a_log(line: bytes) -> bool:
    """Whether a first line is canonical JSON of an entry, or what a crash left of one: a part, or zeros in places."""
    return all(got in (0, expected) for got, expected in zip(line, _FIRST, strict=False))


def parse_entry(line: bytes, seq: int) -> Entry:
    """Read one complete line.

    Raises:
        SchemaError: if it is no entry, or not entry number `seq`.
    """
    data = strict_loads(line)
    fits = isinstance(data, dict) and set(data) == set(_FIELDS)
    if not fits or not all(type(data[name]) is kind for name, kind in _FIELDS.items()):
        raise SchemaError(f"Expected a log entry at line {seq + 1}: got another form. The log was altered.")
    if data["schema"] != ENTRY_SCHEMA or data["seq"] != seq:
        raise SchemaError(f"Expected entry {seq} at line {seq + 1}: got another. The log was altered.")
    return Entry(
        seq=seq,
        time=data["time"],
        run_id=data["run_id"],
        kind=data["kind"],
        body=data["body"],
        leaf=leaf_hash(line).hex(),
    )


def iter_entries(folder: Path, *, under: Covered | None = None) -> Iterator[Entry]:
    """Every complete entry, oldest first, one at a time: for logs that need not fit into memory.

    A broken last line is left out: `verify` says so, and the next run cuts it off.

    Args:
        folder: the evidence folder.
        under: what a verified head covers: nothing else is read, and the last entry is followed by an error if it is
            not what was verified.

    Raises:
        InputError: if the folder holds no log.
        ProvenanceError: if a line before the last is no entry, or the log is no longer the one that was verified; the
            entries before it came first.
    """
    yield from _every_entry(folder) if under is None else _covered(folder, under)


def _covered(folder: Path, under: Covered) -> Iterator[Entry]:
    """Entries that a head covers: their root is computed again, since the folder may have changed meanwhile."""
    frontier = Frontier()
    for entry in islice(_every_entry(folder), under.size):
        frontier.append(bytes.fromhex(entry.leaf))
        yield entry
    if under.size and frontier.root().hex() != under.root:
        raise ProvenanceError(_CHANGED)


_CHANGED = "Expected a log that stays as it was verified: got another one while it was read. Run the command again."


def _every_entry(folder: Path) -> Iterator[Entry]:
    broken: SchemaError | None = None
    try:
        for seq, (line, complete) in enumerate(raw_lines(folder)):
            if broken is not None:
                raise broken
            try:
                if complete:
                    yield parse_entry(line, seq)
            except SchemaError as error:
                broken = error
    except SchemaError as error:
        raise ProvenanceError(str(error)) from error


def read_entries(folder: Path, *, under: Covered | None = None) -> list[Entry]:
    """Every complete entry, oldest first; raises as `iter_entries` does."""
    return list(iter_entries(folder, under=under))


def read_report(folder: Path, *, run_id: str | None = None, under: Covered | None = None) -> EvidenceReport:
    """Fold the log into a report.

    Findings keep their order. `environment` and `inputs` entries, and those two keys of `run` entries, are merged,
    the later one winning; `tool` is that of the last run that wrote; `created` is the time of its last finding.

    Args:
        folder: the evidence folder.
        run_id: take one run only.
        under: what a verified head covers, see `iter_entries`.

    Raises:
        InputError: if the folder holds no log, or no such run.
        ProvenanceError: if a line is no entry, or there is none.
    """
    folded = _Folded()
    empty = True
    for entry in iter_entries(folder, under=under):
        empty = False
        if run_id in (None, entry.run_id):
            folded.take(entry)
    if empty:
        raise ProvenanceError("Expected a log with entries: got none that can be read. Verify the folder.")
    if folded.created is None:
        raise InputError("Expected a log with entries of that run: got none. Give the run id that the run printed.")
    return EvidenceReport(
        created=folded.created,
        tool=folded.tool,
        environment=folded.environment,
        inputs=folded.inputs,
        findings=folded.findings,
    )


@dataclass
class _Folded:
    """A report in the making."""

    environment: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    tool: str = "monai_ethics"
    created: str | None = None

    def take(self, entry: Entry) -> None:
        if entry.kind == "finding":
            self.findings.append(_finding(entry))
        if entry.kind == "finding" or not self.findings:
            self.created = entry.time
        if entry.kind == "open":
            self.tool = str(entry.body.get("tool", self.tool))
        elif entry.kind in ("environment", "inputs"):
            (self.environment if entry.kind == "environment" else self.inputs).update(entry.body)
        elif entry.kind == "run":
            self.environment.update(_object(entry, "environment"))
            self.inputs.update(_object(entry, "inputs"))


def _object(entry: Entry, name: str) -> Mapping[str, Any]:
    """A part of an entry that is an object where it is there."""
    found = entry.body.get(name, {})
    if not isinstance(found, Mapping):
        raise ProvenanceError(
            f"Expected a run's {name} at entry {entry.seq}: got another form. Read it with the version that wrote it."
        )
    return found


def _finding(entry: Entry) -> Finding:
    try:
        return Finding.from_dict({**entry.body, "run": entry.run_id})
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ProvenanceError(
            f"Expected a finding at entry {entry.seq}: got another form. Read it with the version that wrote it."
        ) from error


def read_private(
    folder: Path, kind: str, run_id: str | None = None, *, under: Covered | None = None
) -> list[tuple[str, bytes]]:
    """Private payloads of a kind as (run id, bytes), newest last; deleted ones are absent.

    `under` is what `iter_entries` takes.

    Raises:
        InputError: if the folder holds no log.
        ProvenanceError: if a payload or a line was altered.
    """
    found = []
    for entry in iter_entries(folder, under=under):
        if entry.kind == "payload" and entry.body.get("kind") == kind and run_id in (None, entry.run_id):
            payload = read_payload(folder, str(entry.body.get("commitment")))
            if payload is not None:
                found.append((entry.run_id, payload))
    return found
