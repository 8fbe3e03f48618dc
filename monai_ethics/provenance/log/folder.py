# SPDX-License-Identifier: Apache-2.0
"""The folder of an evidence log while a writer holds it: its lock, its small files, its pseudonym key."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from monai_ethics.errors import BusyError, InputError
from monai_ethics.provenance.log.payload import PRIVATE_NAME, PSEUDONYM_KEY_NAME, read_pseudonym_key
from monai_ethics.provenance.log.storage import private_folder, write_atomically

__all__ = ["lock_folder", "prepare_folder", "pseudonym_key", "unlock_folder", "writable"]

LOCK_NAME = ".lock"
_SMALL_FILES = {".gitattributes": b"* -text\n", ".gitignore": b"private/\n.lock\nindex.sqlite*\n"}


@contextlib.contextmanager
def writable() -> Iterator[None]:
    """Name the reason, not the path, when the folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"Expected an evidence folder that can be written: got '{error.strerror}'. Choose another folder."
        ) from error


def lock_folder(folder: Path) -> int:
    """Make the folder and hold it; gives the descriptor for `unlock_folder`.

    Raises:
        InputError: if it cannot be written.
        BusyError: if another writer holds it.
    """
    with writable():
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


def unlock_folder(handle: int) -> None:
    """Let another writer in."""
    fcntl.flock(handle, fcntl.LOCK_UN)  # also for children that inherited the descriptor
    os.close(handle)


def prepare_folder(folder: Path) -> None:
    """Make what lies beside the log; raises `OSError` where that cannot be."""
    private_folder(folder / PRIVATE_NAME)
    for name, data in _SMALL_FILES.items():
        if not os.path.lexists(folder / name):
            write_atomically(folder / name, data)


def pseudonym_key(folder: Path) -> bytes:
    """The folder's pseudonym key, made where there is none."""
    key = read_pseudonym_key(folder)
    if key is None:
        key = os.urandom(32)
        write_atomically(folder / PRIVATE_NAME / PSEUDONYM_KEY_NAME, key, mode=0o600, replace=False)
    return key
