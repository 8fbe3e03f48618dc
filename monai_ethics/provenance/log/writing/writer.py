# SPDX-License-Identifier: Apache-2.0
"""The evidence log: append-only JSON lines, leaves of one RFC 6962 tree under a signed head; one writer a folder."""

from __future__ import annotations

import contextlib
import os
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from monai_ethics import __version__
from monai_ethics.errors import InputError, ProvenanceError, SchemaError
from monai_ethics.evidence import Finding, plain
from monai_ethics.provenance.keys.home import key_home, load_or_create_key
from monai_ethics.provenance.keys.key import Signer
from monai_ethics.provenance.keys.rotation import key_entries
from monai_ethics.provenance.log.files.payload import (
    commitment_of,
    key_id_of,
    payload_path,
    pseudonym_of,
    salted,
    size_bucket,
)
from monai_ethics.provenance.log.files.storage import sync_folder, write_atomically
from monai_ethics.provenance.log.reading.entries import ENTRY_SCHEMA, LOG_NAME
from monai_ethics.provenance.log.tree.canonical import MAX_BYTES, canonical
from monai_ethics.provenance.log.tree.digits import time_text
from monai_ethics.provenance.log.tree.head import HEAD_NAME, Head, read_head, sign_head
from monai_ethics.provenance.log.writing.appending import Appender
from monai_ethics.provenance.log.writing.folder import (
    clean_folder,
    erase_payloads,
    keep_pseudonym_key,
    lock_folder,
    prepare_folder,
    private_files,
    pseudonym_key,
    refuse_public_copy,
    unlock_folder,
    writable,
)
from monai_ethics.provenance.log.writing.held import hold, release
from monai_ethics.provenance.log.writing.large import in_place_of, too_large
from monai_ethics.provenance.log.writing.resume import Tail, inspect_log, leave_resume
from monai_ethics.provenance.log.writing.witness import leave_witness, site_from
from monai_ethics.provenance.records.record import record_id

__all__ = ["EvidenceLog", "utc_now"]

_MAX_RUN_ID = 128


def utc_now() -> datetime:
    """The present time, in UTC."""
    return datetime.now(UTC)


class EvidenceLog:
    """The one writer of an evidence folder; made by `open`, used as a context manager.

    Leaving the context seals what was appended, also when an error ends it, and closes the log; a site log, where
    there is one, then witnesses the head.
    Calls may come from several threads, which then share fsyncs, but not from a forked child or a signal handler.

    Attributes:
        folder: the evidence folder.
        run_id: id of this run in the log: the one asked for, with a number behind it if the log has it already.
        key: the signing key.
        log_id: random id of the log.
    """

    def __init__(self, folder: Path, run_id: str, *, clock: Callable[[], datetime], key: Signer, lock: int) -> None:
        self.folder, self.run_id, self.key = folder, run_id, key
        self._clock, self._lock, self._pid = clock, lock, os.getpid()
        self._appender: Appender | None = None
        self._head: Head | None = None
        self._tail: Tail | None = None  # as this run found it, with what it announced
        self._payloads = threading.RLock()  # while a payload has no entry, nothing is sealed or closed
        self.log_id = ""
        self._site: Path | None = None
        self._unwitnessed: Head | None = None
        self._pseudonym_key = b""
        self._announced: str | None = None  # the public key that the log announced last, hex

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        run_id: str,
        clock: Callable[[], datetime] = utc_now,
        key: Signer | None = None,
        site: str | Path | None = None,
        private: bool = True,
    ) -> EvidenceLog:
        """Create an evidence folder, or check an existing one and go on where it ends.

        Args:
            folder: the evidence folder; created with its parents.
            run_id: id of the run, at most 128 characters.
            clock: gives the time of each entry; times are this writer's claim.
            key: signing key; by default the one of the key home.
            site: site log that witnesses the head when this log is closed; by default the one that
                ``MONAI_ETHICS_SITE`` names. The folder itself stands for none.
            private: whether it has a pseudonym key; a copy for the public has none, and makes no pseudonyms.

        Raises:
            InputError: if the folder cannot be written, the run id is empty or too long, or the key was revoked.
            BusyError: if another writer holds the folder.
            ProvenanceError: if what it holds is not intact.
        """
        folder, run_id = Path(folder), unicodedata.normalize("NFC", run_id)
        if not run_id or len(run_id) > _MAX_RUN_ID or not run_id.isprintable():
            raise InputError("A run id must be 1 to 128 printable characters: got another text. Give a shorter one.")
        lock = lock_folder(folder)
        try:
            signing = load_or_create_key(folder, site=Path(site) if site else None, given=key)
        except BaseException:
            os.close(lock)
            raise
        log = cls(folder, run_id, clock=clock, key=signing, lock=lock)
        try:
            log._start(private=private)
        except BaseException:
            log.close()
            raise
        log._site = site_from(site)
        hold(log)
        return log

    def _start(self, *, private: bool) -> None:
        path = self.folder / LOG_NAME
        existed = os.path.lexists(path)
        if not existed and os.path.lexists(self.folder / HEAD_NAME):
            raise ProvenanceError("Expected a log beside head.json: got none. Restore it, or use a new folder.")
        if private and existed:
            refuse_public_copy(self.folder)
        with writable():
            prepare_folder(self.folder)
            tail = inspect_log(self.folder, private=lambda: private_files(self.folder)) if existed else Tail()
            flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW
            handle = os.open(path, flags if existed else flags | os.O_CREAT | os.O_EXCL, 0o644)
            self._appender, self._head = Appender(handle, end=tail.end, frontier=tail.frontier), tail.head
            if not existed:
                sync_folder(self.folder)
            if tail.torn:
                os.ftruncate(handle, tail.end)
            os.fsync(handle)  # what was read is on the disk, and what was cut off is not, before anything follows
            if tail.erased:  # by a run that may have been cut off before it deleted them
                erase_payloads(self.folder, tail.erased)
            self._pseudonym_key = pseudonym_key(self.folder) if private else b""
            removed = clean_folder(self.folder, tail)
        self._announce(tail, removed)
        self._tail = tail

    def _announce(self, tail: Tail, removed: Mapping[str, int]) -> None:
        """Write what opens a run: repair, tool, and keys not announced before."""
        entries: list[tuple[str, Mapping[str, Any]]] = []
        self.run_id = tail.runs.free(self.run_id, size=tail.frontier.size)
        tail.runs.add(self.run_id)
        if tail.frontier.size and (tail.torn or tail.unsealed or removed):
            entries.append(("repair", {"truncated_bytes": tail.torn, "unsealed_entries": tail.unsealed, **removed}))
        self.log_id = tail.log_id or os.urandom(16).hex()
        entries.append(("open", {"tool": f"monai_ethics {__version__}", "log_id": self.log_id}))
        key_id = key_id_of(self._pseudonym_key)
        if self._pseudonym_key and tail.key_id != key_id:
            entries.append(("pseudonym_key", {"key_id": key_id}))
        tail.log_id, tail.key_id = self.log_id, key_id
        self._announced = tail.public_key
        entries.extend(self._key_entries())
        self.append_many(entries)
        if self._pseudonym_key:
            with writable():
                keep_pseudonym_key(self.folder, self._pseudonym_key)
        if tail.head is None:
            self.seal()

    def _key_entries(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What announces the key; nothing if the last announced one is the same."""
        if self.key.public.hex() == self._announced:
            return []
        bodies = key_entries(self.key, self._announced, home=key_home())
        self._announced = str(bodies[-1]["public_key"])
        return [("key", body) for body in bodies]

    def append(self, kind: str, body: Mapping[str, Any]) -> str:
        """Append one entry; returns its id once it is on the disk.

        Args:
            kind: what the body is, such as ``"run"``.
            body: JSON; numpy scalars are converted.

        Raises:
            InputError: if the body is no JSON or longer than 1 MB.
            ProvenanceError: if the log is closed or cannot be written.
        """
        return self.append_many([(kind, body)])[0]

    def append_many(self, entries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
        """Append entries under one fsync; none of them stays if writing fails."""
        return self._append(entries) if entries else []

    def _append(self, entries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
        """Append entries, after the last head where that does not stand in the log yet."""
        stated = 0

        def make(first: int) -> list[bytes]:
            nonlocal stated
            every, head, time = list(entries), self._head, self._time()
            if head is not None and head.size == first:
                # every head but the newest stands in the log: that is what makes an older copy visible
                every.insert(0, ("head", head.to_dict()))
            stated = len(every) - len(entries)
            return [self._line(seq, time, *entry) for seq, entry in enumerate(every, start=first)]

        leaves = self._open().put(make)
        return [leaf.hex() for leaf in leaves[stated:]]

    def _line(self, seq: int, time: str, kind: str, body: Mapping[str, Any]) -> bytes:
        entry = {
            "schema": ENTRY_SCHEMA,
            "seq": seq,
            "time": time,
            "run_id": self.run_id,
            "kind": kind,
            "body": plain(body),
        }
        line = canonical(entry)
        if len(line) > MAX_BYTES:
            raise InputError("A log entry must be at most 1 MB: got more. Store it with put_private, or split it.")
        return line

    def _time(self) -> str:
        return time_text(self._clock())

    def _open(self) -> Appender:
        if self._appender is None:
            raise ProvenanceError("Expected an open evidence log: got a closed one. Open it again.")
        self._appender.require_open()
        return self._appender

    def add_findings(self, findings: Sequence[Finding]) -> None:
        """Append findings, in order, under one fsync.

        One that no entry can hold becomes a private payload, and one that says so stands in its place.
        """
        self.append_many([("finding", self._fitting(finding).to_dict()) for finding in findings])

    def _fitting(self, finding: Finding) -> Finding:
        data = too_large(finding)
        if data is None:
            return finding
        if self._pseudonym_key:  # a copy for the public has no private part
            self.put_private("finding", data, media_type="application/json")
        return in_place_of(finding, len(data), kept=bool(self._pseudonym_key))

    def add_record(self, record: Mapping[str, Any]) -> str:
        """Append a provenance record and return its id, which is computed, or checked where given.

        Raises:
            InputError: if the given id is not the record's.
        """
        content = plain({key: value for key, value in record.items() if key != "id"})
        identity = record_id(content)
        if record.get("id", identity) != identity:
            raise InputError("A record's id must be the digest of its content: got another. Leave it out.")
        self.append("record", {**content, "id": identity})
        return identity

    def add_report(self, digests: Mapping[str, str]) -> str:
        """Append the SHA-256 of each report file by its name; seal afterwards, so that it is the last entry."""
        return self.append("report", {"files": dict(digests)})

    def put_private(self, kind: str, payload: bytes, *, media_type: str) -> str:
        """Store bytes in `private/`, salted and readable by the owner only, and commit to them in the log.

        Args:
            kind: what it is, such as ``"cases"``.
            payload: the bytes.
            media_type: such as ``"application/json"``.

        Returns:
            The commitment, hex: name of the file and what the log holds.
        """
        stored = salted(payload)
        commitment = commitment_of(stored)
        size = size_bucket(payload)
        body = {"commitment": commitment, "kind": kind, "media_type": media_type, "size_bucket": size}
        with self._payloads:
            self._append(())  # no payload lies beside a log that its head covers: `clean_folder` rests on it
            with writable():
                write_atomically(payload_path(self.folder, commitment), stored, mode=0o600, replace=False)
            self.append("payload", body)
        return commitment

    def erase(self, commitments: Sequence[str], *, reason: str) -> None:
        """Record the erasure of payloads, then delete them with their salts: the log still verifies, as redacted.

        A run that is cut off in between leaves the entry; the next one deletes them.
        """
        for commitment in commitments:
            payload_path(self.folder, commitment)  # what names no payload is refused before it stands in the log
        self.append("erasure", {"commitments": list(commitments), "reason": reason})
        with self._payloads, writable():
            tail, self._tail = self._tail, None  # no resume file unless they are gone: the next run shall look
            erase_payloads(self.folder, commitments)
            self._tail = tail

    def pseudonym(self, domain: str, identifier: str) -> str:
        """Keyed pseudonym of an identifier, 32 hex digits, the same for every run of this folder."""
        if not self._pseudonym_key:
            raise ProvenanceError("Expected a log with a pseudonym key: got a copy for the public. It names nobody.")
        return pseudonym_of(self._pseudonym_key, domain, identifier)

    def seal(self) -> Head:
        """Sign all entries so far and write `head.json`; without new entries the present head is returned.

        Raises:
            ProvenanceError: if the log is closed or the head cannot be written.
        """
        with self._payloads, self._open().settled() as frontier:
            before = self._head
            if before is not None and before.size == frontier.size:
                return before
            head = self._signed(before)
            try:
                with writable():
                    write_atomically(self.folder / HEAD_NAME, head.to_bytes())
                self._head = self._unwitnessed = head
            except BaseException:  # it may be in its place all the same; then the next entry has to state it
                with contextlib.suppress(SchemaError, OSError):
                    self._head = read_head(self.folder)
                raise
            return head

    def _signed(self, before: Head | None) -> Head:
        """A head of all entries; a key that was lost with its process is replaced, and the new one announced first."""
        while True:
            self.append_many(self._key_entries())
            frontier = self._open().frontier
            head = sign_head(
                self.key,
                size=frontier.size,
                root=frontier.root(),
                time=self._time(),
                run_id=self.run_id,
                previous=before.fingerprint if before else None,
            )
            if head.public_key == self.key.public.hex():
                return head

    def close(self) -> None:
        """Release the folder and have the site log witness the new head; closing twice is harmless.

        Entries since the last `seal` stay unsigned. A witness that fails is told on standard error and harms nothing.
        """
        if self._pid != os.getpid():
            return
        release(self)
        with self._payloads:
            if self._appender is not None:
                self._appender.close()
        lock, self._lock = self._lock, -1
        if lock >= 0:
            try:
                self._leave_resume()
            finally:
                unlock_folder(lock)
        head, self._unwitnessed = self._unwitnessed, None
        if head is not None and self._site is not None:
            leave_witness(self._site, head, folder=self.folder, log_id=self.log_id, key=self.key)

    def _leave_resume(self) -> None:
        tail, written = self._tail, self._appender
        if tail is not None and written is not None:
            tail.head, tail.public_key = self._head, self._announced
            tail.frontier, tail.end = written.frontier, written.end
            leave_resume(self.folder, tail, self.key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._appender is not None and self._appender.is_open:
                self.seal()
        finally:
            self.close()
