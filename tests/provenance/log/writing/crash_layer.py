# SPDX-License-Identifier: Apache-2.0
"""A file layer that remembers what was synced, and gives every disk that a power cut may leave.

`Recorder` wraps the functions of `os` that change files under one folder and writes a journal of what they did;
`Disk` in `crash_disk` replays it. What changes files otherwise is not recorded: tests compare with the real folder.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = 0


class Killed(BaseException):
    """The process ends here: nothing of it runs any more, not even what cleans up."""


@dataclass(frozen=True)
class Op:
    """One change. `node` is the file or folder that it is about, `what` depends on the kind."""

    kind: str  # "create", "name", "write", "truncate", "sync"
    node: int
    what: tuple[Any, ...] = ()


class Recorder:
    """Journal of the changes under a folder.

    Args:
        root: the folder; what it holds already is taken as durable.
        deaf: "files" or "folders" whose syncs are overheard: a writer without fsync, or without sync of folders.
    """

    def __init__(self, root: Path, *, deaf: str = "") -> None:
        self.root = os.path.abspath(root)
        self.journal: list[Op] = []
        self.kill_at: int | None = None
        self._deaf = deaf
        self._mutex = threading.RLock()
        self._next = ROOT + 1
        self._names: dict[int, dict[str, int]] = {ROOT: {}}  # live folders
        self._handles: dict[int, int] = {}  # descriptor to node
        self._scan(self.root, ROOT)
        self.start = self.now  # what was there is durable from here on

    def _scan(self, folder: str, node: int) -> None:
        for entry in sorted(os.scandir(folder), key=lambda found: found.name):
            child = self._new(node, entry.name, folder=entry.is_dir(), mode=entry.stat().st_mode & 0o777)
            if entry.is_dir():
                self._scan(entry.path, child)
            else:
                self.journal.append(Op("write", child, (0, Path(entry.path).read_bytes())))
                self.journal.append(Op("sync", child))
        self.journal.append(Op("sync", node))

    @property
    def now(self) -> int:
        """Operations so far: what is acknowledged now stands after this many."""
        return len(self.journal)

    # names -----------------------------------------------------------------------------------------------------------

    def _new(self, parent: int, name: str, *, folder: bool, mode: int) -> int:
        node, self._next = self._next, self._next + 1
        if folder:
            self._names[node] = {}
        self.journal.append(Op("create", node, (folder, mode)))
        self._name(parent, name, node)
        return node

    def _name(self, parent: int, name: str, node: int | None) -> None:
        self.journal.append(Op("name", parent, (name, node)))
        if node is None:
            self._names[parent].pop(name, None)
        else:
            self._names[parent][name] = node

    def _place(self, path: Any) -> tuple[int, str]:
        """Folder and name of a path under the root."""
        text = os.path.abspath(os.fsdecode(os.fspath(path)))
        *folders, name = text[len(self.root) + 1 :].split(os.sep)
        node = ROOT
        for part in folders:
            node = self._names[node][part]
        return node, name

    def _node(self, path: Any) -> int | None:
        """Node of a path; `None` outside the root."""
        if os.path.abspath(os.fsdecode(os.fspath(path))) == self.root:
            return ROOT
        if not self._inside(path):
            return None
        folder, name = self._place(path)
        return self._names[folder][name]

    def _inside(self, path: Any) -> bool:
        text = os.path.abspath(os.fsdecode(os.fspath(path)))
        return text.startswith(self.root + os.sep)

    # the wrapped functions -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def recording(self) -> Iterator[Recorder]:
        """Wrap the functions of `os`; `Killed` ends the block quietly, and frees what the dead process held."""
        wrapped = ("open", "close", "write", "pwrite", "fsync", "fdatasync", "ftruncate", "replace", "rename")
        wrapped += ("link", "unlink", "remove", "mkdir", "rmdir")
        real = {name: getattr(os, name) for name in wrapped}
        try:
            for name in wrapped:
                setattr(os, name, self._wrapped(name, real[name]))
            with contextlib.suppress(Killed):
                yield self
        finally:
            for name in wrapped:
                setattr(os, name, real[name])
            for handle in self._handles:
                with contextlib.suppress(OSError):
                    os.close(handle)
            self._handles.clear()

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        act = getattr(self, f"_{name}")

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._mutex:
                return act(real, *args, **kwargs)

        return call

    def _step(self) -> None:
        if self.kill_at is not None and self.now >= self.kill_at:
            raise Killed

    def _open(self, real: Callable[..., Any], path: Any, flags: int, mode: int = 0o777, **kwargs: Any) -> int:
        existed = os.path.lexists(path)
        changes = self._inside(path) and (not existed or bool(flags & os.O_TRUNC))
        if changes:
            self._step()
        handle = int(real(path, flags, mode, **kwargs))
        self._handles.pop(handle, None)  # the one before was closed by a file object
        if changes and not existed:
            node: int | None = self._new(*self._place(path), folder=False, mode=mode & ~0o022)
        else:
            node = self._node(path)
            if changes and node is not None:
                self.journal.append(Op("truncate", node, (0,)))
        if node is not None:
            self._handles[handle] = node
        return handle

    def _close(self, real: Callable[..., Any], handle: int) -> None:
        self._handles.pop(handle, None)
        real(handle)

    def _write(self, real: Callable[..., Any], handle: int, data: Any) -> int:
        node = self._handles.get(handle)
        if node is None:
            return int(real(handle, data))
        self._step()
        written = int(real(handle, data))
        offset = os.lseek(handle, 0, os.SEEK_CUR) - written  # also of a file opened to append
        self.journal.append(Op("write", node, (offset, bytes(data[:written]))))
        return written

    def _pwrite(self, real: Callable[..., Any], handle: int, data: Any, offset: int) -> int:
        node = self._handles.get(handle)
        if node is not None:
            self._step()
            self.journal.append(Op("write", node, (offset, bytes(data))))
        return int(real(handle, data, offset))

    def _fsync(self, real: Callable[..., Any], handle: int) -> None:
        node = self._handles.get(handle)
        if node is not None:
            self._step()
            if self._deaf != ("folders" if node in self._names else "files"):
                self.journal.append(Op("sync", node))
        real(handle)

    _fdatasync = _fsync

    def _ftruncate(self, real: Callable[..., Any], handle: int, size: int) -> None:
        node = self._handles.get(handle)
        if node is not None:
            self._step()
            self.journal.append(Op("truncate", node, (size,)))
        real(handle, size)

    def _replace(self, real: Callable[..., Any], source: Any, target: Any, **kwargs: Any) -> None:
        inside = self._inside(source)
        assert inside == self._inside(target), "a rename across the edge of what is recorded"
        node = self._node(source)
        if inside:
            self._step()
        real(source, target, **kwargs)
        if inside:
            self._name(*self._place(target), node)
            self._name(*self._place(source), None)

    _rename = _replace

    def _link(self, real: Callable[..., Any], source: Any, target: Any, **kwargs: Any) -> None:
        inside = self._inside(target)
        if inside:
            self._step()
        real(source, target, **kwargs)
        if inside:
            self._name(*self._place(target), self._node(source))

    def _unlink(self, real: Callable[..., Any], path: Any, **kwargs: Any) -> None:
        inside = self._inside(path)
        if inside:
            self._step()
        real(path, **kwargs)
        if inside:
            self._name(*self._place(path), None)

    _remove = _rmdir = _unlink

    def _mkdir(self, real: Callable[..., Any], path: Any, mode: int = 0o777, **kwargs: Any) -> None:
        inside = self._inside(path)
        if inside:
            self._step()
        real(path, mode, **kwargs)
        if inside:
            self._new(*self._place(path), folder=True, mode=mode & ~0o022)
