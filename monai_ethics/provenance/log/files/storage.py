# SPDX-License-Identifier: Apache-2.0
"""Files that are on the disk when the call returns: whole, never through a symbolic link, private where asked."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from monai_ethics.errors import ProvenanceError

__all__ = [
    "make_folder",
    "open_file",
    "open_new",
    "private_folder",
    "read_file",
    "remove_files",
    "remove_leftovers",
    "same_folder",
    "settle_folder",
    "sync_folder",
    "write_all",
    "write_atomically",
    "write_text",
]


def open_file(path: Path) -> int:
    """Descriptor for reading a plain file; nothing else is opened, and nothing is waited for.

    Raises:
        FileNotFoundError: if there is none.
        ProvenanceError: if it is a link, a folder, a device or a pipe.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ProvenanceError(_NO_FILE)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except NotADirectoryError as error:
        raise FileNotFoundError(error.errno, error.strerror) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ProvenanceError(_NO_FILE)
    return handle


def read_file(path: Path, *, most: int = 64_000_000) -> bytes:
    """All bytes of a plain file; raises as `open_file` does, and where there are more than `most`."""
    with os.fdopen(open_file(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:  # a file without blocks may claim any size
            raise ProvenanceError(_TOO_LARGE)
        return file.read(size)


_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{12}\.(?:tmp|part)", re.DOTALL)  # .part: reports of older versions
_TOO_LARGE = "Expected a file of an evidence folder or key home: got one far too large. Restore it from a copy."
_NO_FILE = (
    "Expected the files of an evidence folder to be plain files: got a link, a folder or a device. "
    "Restore the folder from a copy."
)


def sync_folder(folder: Path) -> None:
    """Make new, renamed and removed names of a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes) -> None:
    """Write every byte; a short write is continued."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def open_new(path: Path, *, mode: int) -> int:
    """Descriptor of a file that did not exist: an existing one, or a link, raises `FileExistsError`."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644, replace: bool = True) -> None:
    """Write a file so that a reader finds the old bytes or the new ones, and a crash leaves no half.

    Args:
        path: where the file shall be; its folder exists.
        data: all of its bytes.
        mode: permission bits, reduced by the umask.
        replace: whether an existing file gives way.

    Raises:
        FileExistsError: if it exists and `replace` is False.
        OSError: if the folder cannot be written.
    """
    temporary = path.parent / f".{path.name}.{os.urandom(6).hex()}.tmp"
    handle = open_new(temporary, mode=mode)
    try:
        try:
            write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        if replace:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)  # fails if another process was faster
            os.unlink(temporary)
    except FileExistsError:
        os.unlink(temporary)
        settle_folder(path.parent)  # that process may be dead, and the caller takes its file for kept
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; what is no plain file, such as ``/dev/stdout``, is written to as it is.

    A pipe that nobody reads raises `OSError` in place of being waited for.
    """
    data = text.encode("utf-8", "backslashreplace")
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o666)
        os.set_blocking(handle, True)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    else:
        write_atomically(path, data)


def make_folder(path: Path, *, mode: int = 0o777) -> None:
    """Create a folder and its parents, each durable before the next; one that is there already is made durable, too.

    Args:
        path: the folder.
        mode: permission bits of the folder itself where it is new, reduced by the umask.

    Raises:
        OSError: if it cannot be created, or is something else.
    """
    missing = []
    present = path.absolute()
    while not present.exists():
        missing.append(present)
        present = present.parent
    settle_folder(present.parent)  # whoever made it may have been killed before that
    for folder in reversed(missing):
        folder.mkdir(mode=mode if folder == missing[0] else 0o777, exist_ok=True)
        settle_folder(folder.parent)
    if not path.is_dir():
        raise NotADirectoryError(20, "Not a directory")


def settle_folder(folder: Path) -> None:
    """Make the names of a folder durable that somebody else may have left unsynced; one that cannot be read is let be.

    What a killed process did is seen by the next one, and is on the disk only after this.
    """
    with contextlib.suppress(PermissionError):
        sync_folder(folder)


def private_folder(path: Path) -> None:
    """Create a folder that only its owner can enter, or tighten an existing one; a link raises `OSError`."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if path.is_symlink() or not path.is_dir():
            raise
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)
    sync_folder(path.parent)


def remove_files(paths: Iterable[Path]) -> None:
    """Remove files of one folder for good: with second names that a crash left while they were written; then sync.

    Absent files are let be.
    """
    by_folder: dict[Path, set[str]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, set()).add(path.name)
    for folder, names in by_folder.items():
        for name in os.listdir(folder):
            if name in names or _written_as(name) in names:
                (folder / name).unlink(missing_ok=True)
        sync_folder(folder)


def remove_leftovers(folder: Path, *, of: str | None = None) -> int:
    """Remove what interrupted calls of `write_atomically` left in a folder; how many files that were.

    Only the one writer of the folder may call this: to others a file that is being written looks the same.

    Args:
        folder: where.
        of: only what was to become a file of this name.
    """
    with os.scandir(folder) as files:
        meant = {file.name: _written_as(file.name) for file in files if file.is_file(follow_symlinks=False)}
    found = [name for name, goal in meant.items() if goal is not None and of in (None, goal)]
    for name in found:
        (folder / name).unlink(missing_ok=True)
    if found:
        sync_folder(folder)
    return len(found)


def _written_as(name: str) -> str | None:
    """Which file a temporary file was to become, or ``None`` if it is none of ours."""
    found = _TEMPORARY.fullmatch(name)
    return found[1] if found else None


def same_folder(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder."""
    try:
        return Path(one).samefile(other)
    except OSError:
        return False
