# SPDX-License-Identifier: Apache-2.0
"""Digests of dataset items: read again from disk in one background thread, each file once a run."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

__all__ = ["ItemDigests", "item_files"]

Key = tuple[int, int, int, int]
MOST_IN_SERIES = 5000
NIFTI, DICOM = "monai_ethics.provenance.images.nifti", "monai_ethics.provenance.images.dicom"
READERS = {".gz": NIFTI, ".nii": NIFTI, ".dcm": DICOM, "": DICOM, ".png": "PIL.Image", ".jpg": "PIL.Image"}


def item_files(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Key and path of every file in a dataset item; a folder stands for the files of a series in it."""
    out = []
    for key, value in item.items():
        for name in value if isinstance(value, (list, tuple)) else [value]:
            if not isinstance(name, (str, os.PathLike)) or not os.fspath(name):
                continue
            path = os.fspath(name)
            if os.path.isfile(path):
                out.append((str(key), path))
            elif os.path.isdir(path):
                names = sorted(entry.path for entry in os.scandir(path) if entry.is_file())
                out += [(str(key), inner) for inner in names[:MOST_IN_SERIES]]
    return out


class ItemDigests:
    """A queue of files to digest. Constructing it starts nothing; the thread starts with the first file."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._by_path: dict[str, tuple[str, Key]] = {}
        self._by_key: dict[Key, Future[dict[str, Any]]] = {}

    def add(self, item: Mapping[str, Any]) -> None:
        """Queue the files of an item; returns at once."""
        for key, path in item_files(item):
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
            _import_reader(path)
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


def _import_reader(path: str) -> None:
    """Import here what the thread will need: a loader that forks during an import would inherit its lock."""
    for name in ("monai_ethics.provenance.images.digest", READERS.get(os.path.splitext(path)[1].lower())):
        if name is not None:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def _digest(path: str) -> dict[str, Any]:
    from monai_ethics.provenance.images.digest import digest_file

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
