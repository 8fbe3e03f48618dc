# SPDX-License-Identifier: Apache-2.0
"""Lines at the end of a file: threads that append at the same time share one fsync; none returns before its own."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from monai_ethics.errors import ProvenanceError
from monai_ethics.provenance.log.files.storage import write_all
from monai_ethics.provenance.log.tree.merkle import Frontier, leaf_hash

__all__ = ["Appender"]

PATIENCE = 0.05  # seconds after which a waiting caller looks for itself
_CLOSED = "Expected an open evidence log: got a closed one or a forked copy. Open it again."


class _Batch(NamedTuple):
    """Lines of one caller, their leaf hashes, the number of entries once they are written, where the caller waits."""

    data: bytes
    leaves: tuple[bytes, ...]
    stop: int
    gate: threading.Lock


class _Written(NamedTuple):
    """What an fsync covers: bytes of the file and the tree over its lines."""

    end: int
    frontier: Frontier


class Appender:
    """Group commit without a thread of its own.

    A caller puts its lines into the queue under one lock, which fixes their order. If nobody writes, it takes a second
    lock and writes and syncs everything in the queue; else it waits at its gate, until its lines are on the disk or it
    is its turn to write. A gate is also tried again after `PATIENCE`, so that a wake-up lost to an interrupt is none.
    What is written is told by one assignment, so that an interrupt at any moment leaves either state, never a part:
    a write that was cut short is cut off before the next one, and its lines are written again.

    Args:
        handle: descriptor of the file, opened to append; closed by `close`.
        end: bytes of the complete lines.
        frontier: tree over them.
    """

    def __init__(self, handle: int, *, end: int, frontier: Frontier) -> None:
        self._handle, self._pid = handle, os.getpid()
        self._order, self._disk = threading.RLock(), threading.Lock()
        self._queue: list[_Batch] = []
        self._written = _Written(end, frontier)
        self._dirty = False  # whether the file may hold more than `_written`
        self._failed: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether this process may append."""
        return self._handle >= 0 and self._pid == os.getpid()

    @property
    def end(self) -> int:
        """Bytes that are on the disk."""
        return self._written.end

    @property
    def frontier(self) -> Frontier:
        """Tree over the lines that are on the disk; not to be changed."""
        return self._written.frontier

    def put(self, make: Callable[[int], Sequence[bytes]]) -> list[bytes]:
        """Append lines; returns their leaf hashes once an fsync that covers them returned.

        Args:
            make: gives the lines, without newlines, when it is told the number of the first.

        Raises:
            ProvenanceError: if the file is closed or cannot be written; then nothing of the batch stays.
        """
        self.require_open()
        with self._order:
            self.require_open()
            first = self._next()
            lines = make(first)
            while first != self._next():  # a signal handler appended in between
                first = self._next()
                lines = make(first)
            leaves = tuple(leaf_hash(line) for line in lines)
            batch = _Batch(b"".join(line + b"\n" for line in lines), leaves, first + len(lines), threading.Lock())
            batch.gate.acquire()
            self._queue.append(batch)
        while self._written.frontier.size < batch.stop:
            if self._disk.locked():
                batch.gate.acquire(timeout=PATIENCE)
            else:
                self._commit(batch.stop)
        return list(batch.leaves)

    @contextlib.contextmanager
    def settled(self) -> Iterator[Frontier]:
        """Everything is on the disk, and nobody appends until the block ends; gives the tree."""
        self.require_open()
        with self._order:
            self.require_open()
            self._commit(self._next())
            yield self._written.frontier

    def close(self) -> None:
        """Close the file; what was interrupted before it was written is cut off. Closing twice is harmless."""
        if self._handle < 0 or self._pid != os.getpid():
            return
        with self._order, self._disk:
            if self._handle >= 0:
                self._release()

    def require_open(self) -> None:
        """Raise `ProvenanceError` unless this process may append."""
        if not self.is_open:
            raise ProvenanceError(_CLOSED)

    def _next(self) -> int:
        """Number of the next entry; what is written leaves the queue. The caller holds `_order`."""
        size = self._written.frontier.size
        done = sum(batch.stop <= size for batch in self._queue)
        del self._queue[:done]
        return self._queue[-1].stop if self._queue else size

    def _commit(self, stop: int) -> None:
        """Write the queue unless somebody else did so far, and open the gates of those who need not wait any longer."""
        try:
            with self._disk:
                if self._written.frontier.size >= stop:
                    return
                if self._handle < 0:
                    raise ProvenanceError(self._failed or _CLOSED)
                self._write()
        finally:
            self._wake()

    def _wake(self) -> None:
        """Let go whose lines are written, and one whose are not; all of them where nothing is written any more."""
        size, one = self._written.frontier.size, False
        for batch in list(self._queue):
            if batch.stop <= size or self._handle < 0 or not one:
                one = one or batch.stop > size
                with contextlib.suppress(RuntimeError):  # it is open
                    batch.gate.release()

    def _write(self) -> None:
        """Write and sync the queue. The caller holds `_disk`."""
        end, frontier = self._written.end, self._written.frontier.copy()
        batches = [batch for batch in list(self._queue) if batch.stop > frontier.size]
        data = b"".join(batch.data for batch in batches)
        for batch in batches:
            for leaf in batch.leaves:
                frontier.append(leaf)
        try:
            if self._dirty:
                os.ftruncate(self._handle, end)
            self._dirty = True
            write_all(self._handle, data)
            os.fsync(self._handle)
        except OSError as error:  # what fsync refused is not trusted again
            self._failed = (
                f"Expected to append to the evidence log: got '{error.strerror}'. Free space and start a new run."
            )
            self._release()
            raise ProvenanceError(self._failed) from error
        self._written = _Written(end + len(data), frontier)
        self._dirty = False

    def _release(self) -> None:
        """Leave no half line, and close. The caller holds `_disk`."""
        handle, self._handle = self._handle, -1
        if self._dirty:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, self._written.end)
        os.close(handle)
