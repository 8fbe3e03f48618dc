# SPDX-License-Identifier: Apache-2.0
"""The evidence log: append-only JSON lines, leaves of one RFC 6962 tree under a signed head; one writer a folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from monai_ethics import __version__
from monai_ethics.errors import BusyError, InputError, ProvenanceError
from monai_ethics.evidence import Finding, plain
from monai_ethics.provenance.keys.home import load_or_create_key
from monai_ethics.provenance.keys.key import SigningKey, fingerprint
from monai_ethics.provenance.log.canonical import MAX_BYTES, canonical
from monai_ethics.provenance.log.head import HEAD_NAME, Head, sign_head
from monai_ethics.provenance.log.merkle import leaf_hash
from monai_ethics.provenance.log.payload import (
    PRIVATE_NAME,
    PSEUDONYM_KEY_NAME,
    commitment_of,
    key_id_of,
    payload_path,
    pseudonym_of,
    read_pseudonym_key,
    salted,
    size_bucket,
)
from monai_ethics.provenance.log.read import ENTRY_SCHEMA, LOG_NAME
from monai_ethics.provenance.log.resume import Tail, inspect_log
from monai_ethics.provenance.log.storage import private_folder, sync_folder, write_all, write_atomically
from monai_ethics.provenance.records.record import record_id

__all__ = ["EvidenceLog", "utc_now"]

LOCK_NAME = ".lock"
_SMALL_FILES = {".gitattributes": b"* -text\n", ".gitignore": b"private/\n.lock\nindex.sqlite*\n"}
_MAX_RUN_ID = 128


def utc_now() -> datetime:
    """The present time, in UTC."""
    return datetime.now(UTC)


class EvidenceLog:
    """The one writer of an evidence folder; made by `open`, used as a context manager.

    Leaving the context seals what was appended, also when an error ends it, and closes the log.
    Calls may come from several threads, not from a forked child.

    Attributes:
        folder: the evidence folder.
        run_id: id of this run in the log: the one asked for, with a number behind it if the log has it already.
        key: the signing key.
    """

    def __init__(self, folder: Path, run_id: str, *, clock: Callable[[], datetime], key: SigningKey, lock: int) -> None:
        self.folder, self.run_id, self.key = folder, run_id, key
        self._clock, self._lock, self._pid = clock, lock, os.getpid()
        self._mutex = threading.RLock()
        self._file = -1
        self._tail = Tail()
        self._pseudonym_key = b""

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        run_id: str,
        clock: Callable[[], datetime] = utc_now,
        key: SigningKey | None = None,
    ) -> EvidenceLog:
        """Create an evidence folder, or check an existing one and go on where it ends.

        Args:
            folder: the evidence folder; created with its parents.
            run_id: id of the run, at most 128 characters.
            clock: gives the time of each entry; times are this writer's claim.
            key: signing key; by default the one of the key home.

        Raises:
            InputError: if the folder cannot be written, or the run id is empty or too long.
            BusyError: if another writer holds the folder.
            ProvenanceError: if what it holds is not intact.
        """
        folder = Path(folder)
        if not run_id or len(run_id) > _MAX_RUN_ID or not run_id.isprintable():
            raise InputError("A run id must be 1 to 128 printable characters: got another text. Give a shorter one.")
        lock = _lock(folder)
        try:
            signing = key or load_or_create_key(folder)
        except BaseException:
            os.close(lock)
            raise
        log = cls(folder, run_id, clock=clock, key=signing, lock=lock)
        try:
            log._start()
        except BaseException:
            log.close()
            raise
        return log

    def _start(self) -> None:
        path = self.folder / LOG_NAME
        existed = os.path.lexists(path)
        if not existed and os.path.lexists(self.folder / HEAD_NAME):
            raise ProvenanceError("Expected a log beside head.json: got none. Restore it, or use a new folder.")
        with _writable():
            private_folder(self.folder / PRIVATE_NAME)
            for name, data in _SMALL_FILES.items():
                if not os.path.lexists(self.folder / name):
                    write_atomically(self.folder / name, data)
            if existed:
                self._tail = inspect_log(self.folder)
                self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
            else:
                self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
                sync_folder(self.folder)
            if self._tail.torn:
                os.ftruncate(self._file, self._tail.end)
            self._pseudonym_key = _pseudonym_key(self.folder)
        self._announce()

    def _announce(self) -> None:
        """Write what opens a run: repair, tool, and keys not announced before."""
        tail = self._tail
        entries: list[tuple[str, Mapping[str, Any]]] = []
        number, wanted = 1, self.run_id
        while self.run_id in tail.run_ids:
            number += 1
            self.run_id = f"{wanted}-{number}"
        if tail.frontier.size and (tail.torn or tail.unsealed):
            entries.append(("repair", {"truncated_bytes": tail.torn, "unsealed_entries": tail.unsealed}))
        log_id = tail.log_id or os.urandom(16).hex()
        entries.append(("open", {"tool": f"monai_ethics {__version__}", "log_id": log_id}))
        key_id = key_id_of(self._pseudonym_key)
        if tail.key_id != key_id:
            entries.append(("pseudonym_key", {"key_id": key_id}))
        public = self.key.public.hex()
        if tail.public_key != public:
            entries.append(("key", self._key_body(public, tail.public_key)))
        self.append_many(entries)
        if tail.head is None:
            self.seal()

    def _key_body(self, public: str, previous: str | None) -> dict[str, Any]:
        return {
            "public_key": public,
            "fingerprint": fingerprint(self.key.public),
            "key": self.key.storage,
            "previous": previous,
            "endorsement": None,  # the previous key's signature, where a rotation has one
        }

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
        if not entries:
            return []
        with self._mutex:
            self._require_open()
            tail = self._tail
            if tail.head is not None and not tail.headed:
                # every head but the newest stands in the log: that is what makes an older copy visible
                entries = [("head", tail.head.to_dict()), *entries]
            time = self._time()
            lines = [self._line(seq, time, *entry) for seq, entry in enumerate(entries, start=tail.frontier.size)]
            self._write(b"".join(line + b"\n" for line in lines))
            leaves = [leaf_hash(line) for line in lines]
            for leaf in leaves:
                tail.frontier.append(leaf)
            ids = [leaf.hex() for leaf in leaves]
            if tail.head is not None and not tail.headed:
                tail.headed, ids = True, ids[1:]
            return ids

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

    def _write(self, data: bytes) -> None:
        try:
            write_all(self._file, data)
            os.fsync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):  # leave no half line; what fsync refused is not trusted again
                os.ftruncate(self._file, self._tail.end)
            os.close(self._file)
            self._file = -1
            raise ProvenanceError(
                f"Expected to append to the evidence log: got '{error.strerror}'. Free space and start a new run."
            ) from error
        self._tail.end += len(data)

    def _time(self) -> str:
        return self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _require_open(self) -> None:
        if self._file < 0 or self._pid != os.getpid():
            raise ProvenanceError("Expected an open evidence log: got a closed one or a forked copy. Open it again.")

    def add_findings(self, findings: Sequence[Finding]) -> None:
        """Append findings, in order, under one fsync."""
        self.append_many([("finding", finding.to_dict()) for finding in findings])

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
        with self._mutex:
            self._require_open()
            with _writable():
                write_atomically(payload_path(self.folder, commitment), stored, mode=0o600, replace=False)
            body = {
                "commitment": commitment,
                "kind": kind,
                "media_type": media_type,
                "size_bucket": size_bucket(payload),
            }
            self.append("payload", body)
        return commitment

    def erase(self, commitments: Sequence[str], *, reason: str) -> None:
        """Record the erasure of payloads, then delete them with their salts: the log still verifies, as redacted."""
        self.append("erasure", {"commitments": list(commitments), "reason": reason})
        for commitment in commitments:
            payload_path(self.folder, commitment).unlink(missing_ok=True)
        sync_folder(self.folder / PRIVATE_NAME)

    def pseudonym(self, domain: str, identifier: str) -> str:
        """Keyed pseudonym of an identifier, 32 hex digits, the same for every run of this folder."""
        return pseudonym_of(self._pseudonym_key, domain, identifier)

    def seal(self) -> Head:
        """Sign all entries so far and write `head.json`; without new entries the present head is returned.

        Raises:
            ProvenanceError: if the log is closed or the head cannot be written.
        """
        with self._mutex:
            self._require_open()
            tail = self._tail
            if tail.head is not None and not tail.unsealed:
                return tail.head
            head = sign_head(
                self.key,
                size=tail.frontier.size,
                root=tail.frontier.root(),
                time=self._time(),
                run_id=self.run_id,
                previous=tail.head.fingerprint if tail.head else None,
            )
            with _writable():
                write_atomically(self.folder / HEAD_NAME, head.to_bytes())
            tail.head, tail.headed = head, False
            return head

    def close(self) -> None:
        """Release the folder; entries since the last `seal` stay unsigned. Closing twice is harmless."""
        if self._pid != os.getpid():
            return
        with self._mutex:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
            if self._lock >= 0:
                fcntl.flock(self._lock, fcntl.LOCK_UN)  # also for children that inherited the descriptor
                os.close(self._lock)
                self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._file >= 0 and self._pid == os.getpid():
                self.seal()
        finally:
            self.close()


@contextlib.contextmanager
def _writable() -> Iterator[None]:
    """Name the reason, not the path, when the folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"Expected an evidence folder that can be written: got '{error.strerror}'. Choose another folder."
        ) from error


def _lock(folder: Path) -> int:
    with _writable():
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise BusyError(
            "Expected to be the only writer of this evidence folder: got a second one. "
            "Wait for the other run to end, or choose another folder."
        ) from error
    return handle


def _pseudonym_key(folder: Path) -> bytes:
    key = read_pseudonym_key(folder)
    if key is None:
        key = os.urandom(32)
        write_atomically(folder / PRIVATE_NAME / PSEUDONYM_KEY_NAME, key, mode=0o600, replace=False)
    return key
