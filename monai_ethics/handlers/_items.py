# SPDX-License-Identifier: Apache-2.0
"""Digests of dataset items: read again from disk in one background thread, each file once a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

__all__ = ["ItemDigests", "item_files"]

Key = tuple[int, int, int, int]


def item_files(item: Mapping[str, Any]) -> dict[str, str]:
    """Key to path of every file in a dataset item."""
    out = {}
    for key, value in item.items():
        first = value[0] if isinstance(value, (list, tuple)) and value else value
        if isinstance(first, (str, os.PathLike)) and os.fspath(first) and os.path.isfile(first):
            out[str(key)] = os.fspath(first)
    return out


class ItemDigests:
    """A queue of files to digest. Constructing it starts nothing; the thread starts with the first file."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._by_path: dict[str, tuple[str, Key]] = {}
        self._by_key: dict[Key, Future[dict[str, Any]]] = {}

    def add(self, item: Mapping[str, Any]) -> None:
        """Queue the files of an item; returns at once."""
        for key, path in item_files(item).items():
            self.add_file(path, role=key)

    def add_file(self, path: str, *, role: str) -> None:
        """Queue one file, unless it is known by size, time of change and inode."""
        if path in self._by_path:
            return
        try:
            info = os.stat(path)
        except OSError:
            return
        stamp = (info.st_size, info.st_mtime_ns, info.st_ino, info.st_dev)
        self._by_path[path] = (role, stamp)
        if stamp not in self._by_key:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="monai-ethics-digest")
            self._by_key[stamp] = self._pool.submit(_digest, path)

    def results(self, *, wait: bool) -> list[dict[str, Any]]:
        """Every file by path with its digests, or the type of the error that prevented them.

        Args:
            wait: whether to wait for the thread; otherwise files that are not done have the error ``"NotDigested"``.
        """
        waiting: dict[str, Any] = {"digests": None, "error": "NotDigested"}
        out = []
        for path, (role, stamp) in sorted(self._by_path.items()):
            future = self._by_key[stamp]
            out.append({"path": path, "role": role, **(future.result() if wait or future.done() else waiting)})
        return out

    def close(self) -> None:
        """Drop what is still queued."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _digest(path: str) -> dict[str, Any]:
    from monai_ethics.provenance.digest import digest_file

    try:
        digests = digest_file(Path(path), slices=False)
    except Exception as error:  # a broken file is a fact about the file, not an end of the run
        return {"digests": None, "error": type(error).__name__}
    return {"digests": _plain(digests), "error": None}


def _plain(digests: Any) -> Any:
    if hasattr(digests, "to_dict"):
        return digests.to_dict()
    import dataclasses

    return dataclasses.asdict(digests) if dataclasses.is_dataclass(digests) else digests  # type: ignore[arg-type]
