# SPDX-License-Identifier: Apache-2.0
"""The folder of an evidence log while a writer holds it: its lock, its small files, its pseudonym key."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from monai_ethics.errors import BusyError, InputError, ProvenanceError
from monai_ethics.provenance.log.files.payload import PRIVATE_NAME, PSEUDONYM_KEY_NAME, payload_path, read_pseudonym_key
from monai_ethics.provenance.log.files.storage import (
    make_folder,
    private_folder,
    remove_files,
    remove_leftovers,
    sync_folder,
    write_atomically,
)
from monai_ethics.provenance.log.reading.entries import PUBLIC_EXPORT, iter_entries
from monai_ethics.provenance.log.writing.resume import Tail

__all__ = [
    "clean_folder",
    "erase_payloads",
    "keep_pseudonym_key",
    "lock_folder",
    "prepare_folder",
    "private_files",
    "pseudonym_key",
    "refuse_public_copy",
    "unlock_folder",
    "writable",
]

LOCK_NAME = ".lock"
_PAYLOAD = re.compile(r"([0-9a-f]{64})\.bin")
_IGNORED = b"private/\n.lock\nindex.sqlite*\n"
_SMALL_FILES = {".gitattributes": b"* -text\n", ".gitignore": _IGNORED + b".resume.json\n"}
_OLDER = {".gitignore": _IGNORED}  # what an older version wrote, and nobody changed


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
        make_folder(folder)
        handle = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        if not os.access(folder, os.W_OK | os.X_OK):  # the log might be written, and the head not
            os.close(handle)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
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
    """Make what lies beside the log; raises `OSError` where that cannot be.

    What a killed writer did last is seen already and may not be on the disk yet: it is, before anything is built on it.
    """
    private_folder(folder / PRIVATE_NAME)
    sync_folder(folder / PRIVATE_NAME)
    for name, data in _SMALL_FILES.items():
        path = folder / name
        if not os.path.lexists(path) or _is_older(path, _OLDER.get(name)):
            write_atomically(path, data)


def _is_older(path: Path, data: bytes | None) -> bool:
    return data is not None and path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def refuse_public_copy(folder: Path) -> None:
    """Refuse to go on with a copy for the public, before anything private is made beside it.

    Which one it is, is known from its first entries: every other log announces its pseudonym key there.

    Raises:
        InputError: if the log is such a copy.
    """
    with contextlib.suppress(ProvenanceError):  # whatever is no log is refused by whoever reads it whole
        for entry in iter_entries(folder):
            if entry.kind == "pseudonym_key":
                return
            if entry.kind == PUBLIC_EXPORT:
                raise InputError(
                    "Expected evidence of runs: got a copy for the public, to which nothing is added. "
                    "Use the evidence it was made of, or another folder."
                )


def pseudonym_key(folder: Path) -> bytes:
    """The folder's pseudonym key; a new one, which lies nowhere yet, where there is none."""
    return read_pseudonym_key(folder) or os.urandom(32)


def keep_pseudonym_key(folder: Path, key: bytes) -> None:
    """Store the pseudonym key where there is none; the log announces it first: no key is a stranger to its log."""
    path = folder / PRIVATE_NAME / PSEUDONYM_KEY_NAME
    if not os.path.lexists(path):
        write_atomically(path, key, mode=0o600, replace=False)


def erase_payloads(folder: Path, commitments: Iterable[str]) -> None:
    """Delete payloads, with their salts, for good; absent ones are let be."""
    remove_files([payload_path(folder, commitment) for commitment in commitments])


def private_files(folder: Path) -> set[str]:
    """Commitments of which files lie in the private part."""
    found = (_PAYLOAD.fullmatch(name) for name in os.listdir(folder / PRIVATE_NAME))
    return {match[1] for match in found if match}


def clean_folder(folder: Path, tail: Tail) -> dict[str, int]:
    """Remove what a writer that was cut off left, and nothing else; raises `OSError` where that cannot be.

    Files on their way into place are removed always, in the private part only where the log was read whole.
    Payloads that no entry names are removed where the log goes on after its head: nobody was told that they are kept,
    and no payload is ever written while the head covers the whole log.
    In a log that ends with its head they can only come from a newer copy of it, and are let be; `verify` names them.

    Args:
        folder: the evidence folder, held by this process.
        tail: the end of its log.

    Returns:
        What was removed, for the `repair` entry: `leftover_files` and `orphan_payloads`, each left out where none.
    """
    removed = {"leftover_files": remove_leftovers(folder)}
    if tail.whole:
        private = folder / PRIVATE_NAME
        for place in (private, *(found for found in private.iterdir() if found.is_dir() and not found.is_symlink())):
            removed["leftover_files"] += remove_leftovers(place)
    if tail.cut_off and tail.unnamed:
        remove_files(payload_path(folder, commitment) for commitment in tail.unnamed)
        removed["orphan_payloads"] = len(tail.unnamed)
    return {name: count for name, count in removed.items() if count}
