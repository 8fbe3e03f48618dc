# SPDX-License-Identifier: Apache-2.0
"""The files of an evidence folder beside the log: private payloads, pseudonym key and report, as the log names them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from monai_ethics.errors import ProvenanceError
from monai_ethics.provenance.log.files.payload import PRIVATE_NAME, key_id_of, read_pseudonym_key, stored_holds
from monai_ethics.provenance.log.files.storage import open_file
from monai_ethics.provenance.log.reading.entries import Entry
from monai_ethics.provenance.log.tree.digits import is_hex

__all__ = ["REPORT_NAMES", "Contents"]

REPORT_NAMES = ("report.html", "report.json", "report.md")
MOST_REPORT = 1 << 30  # bytes of a report file that are read
AGAIN = "render it again with `monai-ethics report`"
CUT_OFF = "the writer was cut off while it wrote the report"


@dataclass
class Contents:
    """What a log says of the files beside it, and what became of them.

    Args:
        payloads: commitments of private payloads, raw, with the most bytes that each has, where that is said.
        erased: those that an `erasure` entry names.
        key_id: what the log says of the pseudonym key.
        key_signed: whether a head covers that entry.
        listed: digest of each report file in the last `report` entry that the head covers.
        otherwise: digests of report files in other `report` entries, by name.
        missing: payloads, and the pseudonym key, that are absent.
        unfinished: whether a report file is absent, an older one, or not signed.
    """

    payloads: dict[bytes, int | None] = field(default_factory=dict)
    erased: set[bytes] = field(default_factory=set)
    key_id: str | None = None
    key_signed: bool = False
    listed: dict[str, bytes] = field(default_factory=dict)
    otherwise: dict[str, set[bytes]] = field(default_factory=dict)
    missing: int = 0
    unfinished: bool = False

    def take(self, entry: Entry, *, signed: bool) -> None:
        """Note what an entry says; an entry of another form raises `KeyError`, `TypeError` or `ValueError`."""
        body = entry.body
        if entry.kind == "pseudonym_key":
            if signed or not self.key_signed:  # before the first head, a run may replace what one cut off announced
                self.key_id, self.key_signed = str(body["key_id"]), signed
        elif entry.kind == "payload":
            bucket = body.get("size_bucket")
            self.payloads.setdefault(_digest(body["commitment"]), bucket if isinstance(bucket, int) else None)
        elif entry.kind == "erasure":
            self.erased.update(map(_digest, body["commitments"]))
        elif entry.kind == "report":
            self._take_report({str(name): _digest(value) for name, value in dict(body["files"]).items()}, signed=signed)

    def _take_report(self, files: dict[str, bytes], *, signed: bool) -> None:
        given_up = self.listed if signed else files
        for name, digest in given_up.items():
            if name in REPORT_NAMES:
                self.otherwise.setdefault(name, set()).add(digest)
        if signed:
            self.listed = files

    def check(self, folder: Path, *, problems: list[str], notes: list[str]) -> None:
        """Compare the files with what the log says of them.

        Raises:
            OSError: if a report cannot be read.
        """
        self._check_private(folder, problems, notes)
        self._check_reports(folder, problems, notes)
        left = sum(name.startswith(".") and name.endswith(".tmp") for name in _names(folder))
        left += sum(name.startswith(".") and name.endswith(".tmp") for name in _names(folder / PRIVATE_NAME))
        if left:
            notes.append(
                f"{_many(left, 'unfinished file')} left behind (.tmp) by a writer that was cut off: no evidence."
            )

    def _check_private(self, folder: Path, problems: list[str], notes: list[str]) -> None:
        try:
            if not stat.S_ISDIR((folder / PRIVATE_NAME).lstat().st_mode):
                problems.append("The private part is no folder of its own: it was put in its place.")
                return
        except FileNotFoundError:
            pass
        try:
            self._check_payloads(folder, problems, notes)
            self._check_key(folder, problems, notes)
        except PermissionError:
            self.missing = max(1, len(self.payloads))
            notes.append("The private part may not be read by you: whether it is complete was not checked.")

    def _check_payloads(self, folder: Path, problems: list[str], notes: list[str]) -> None:
        missing = erased = changed = back = 0
        for commitment, bucket in sorted(self.payloads.items()):
            try:
                holds = stored_holds(folder, commitment.hex(), bucket=bucket)
            except ProvenanceError:
                holds = False
            missing += holds is None
            erased += holds is None and commitment in self.erased
            changed += holds is False
            back += holds is True and commitment in self.erased
        if back:
            self.unfinished = True
            notes.append(
                f"{_many(back, 'erased payload')} still there: the writer was cut off before it deleted them, which "
                "the next run does, or somebody put them back."
            )
        if changed:
            problems.append(f"{_many(changed, 'private payload')} not what the log committed to.")
        if missing:
            self.missing += missing
            others = "" if erased == missing else " Others were not handed on, or somebody removed them."
            notes.append(f"{_many(missing, 'private payload')} absent, {erased} of them with an erasure entry.{others}")
        if orphans := sum(self._unnamed(name) for name in _names(folder / PRIVATE_NAME)):
            notes.append(
                f"{_many(orphans, 'file')} in the private part without an entry: a writer was cut off before it wrote "
                "the entry, or somebody put them there. They are no evidence."
            )

    def _unnamed(self, name: str) -> bool:
        stem, dot, ending = name.rpartition(".")
        if not dot or ending != "bin":
            return False
        try:
            return _digest(stem) not in self.payloads
        except ValueError:
            return True

    def _check_key(self, folder: Path, problems: list[str], notes: list[str]) -> None:
        try:
            key = read_pseudonym_key(folder)
        except ProvenanceError:
            key = b""
        if key is None and self.key_id is not None:
            self.missing += 1
            notes.append("The pseudonym key is absent: nobody can link pseudonyms to names with this folder.")
        elif key is not None and key_id_of(key) != self.key_id:
            problems.append("The pseudonym key is not the one that the log announced.")

    def _check_reports(self, folder: Path, problems: list[str], notes: list[str]) -> None:
        if not set(self.listed) <= set(REPORT_NAMES):
            problems.append("The log lists a report file of an unknown name.")
            return
        for name in REPORT_NAMES:
            try:
                digest = _file_digest(folder / name)
            except ProvenanceError:
                problems.append(f"{name} is no plain file.")
                continue
            if digest == self.listed.get(name):
                continue
            self._judge_report(name, digest, problems, notes)

    def _judge_report(self, name: str, digest: bytes | None, problems: list[str], notes: list[str]) -> None:
        if digest is None:
            notes.append(f"{name} is absent: {CUT_OFF}, or somebody removed it. The log holds its findings: {AGAIN}.")
        elif digest in self.otherwise.get(name, ()):
            notes.append(f"{name} is not the newest: {CUT_OFF}, or somebody put an older one back: {AGAIN}.")
        elif name in self.listed:
            problems.append(f"{name} is not the file that was sealed.")
            return
        else:
            notes.append(f"{name} is not sealed in the log: compare it with the findings before you rely on it.")
        self.unfinished = True


def _many(count: int, what: str) -> str:
    return f"{count} {what} is" if count == 1 else f"{count} {what}s are"


def _digest(text: object) -> bytes:
    """The bytes of 64 hex digits.

    Raises:
        ValueError: if it is something else.
    """
    if not is_hex(text):
        raise ValueError("no digest")
    return bytes.fromhex(text)


def _file_digest(path: Path) -> bytes | None:
    try:
        handle = open_file(path)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        if os.fstat(file.fileno()).st_size > MOST_REPORT:
            return b""  # like nothing that the log lists
        return hashlib.file_digest(file, "sha256").digest()


def _names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                yield entry.name
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
