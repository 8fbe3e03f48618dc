# SPDX-License-Identifier: Apache-2.0
"""Reading a small file that a user names, whatever it turns out to be (ring 0, standard library only)."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["read_input"]


def read_input(path: str | Path, *, most: int) -> bytes:
    """The bytes of a file, or of a pipe that somebody writes to, such as ``<(command)`` of a shell.

    A pipe without a writer is empty, in place of being waited for, and a device without an end ends.

    Args:
        path: what the user named.
        most: bytes that are read; one more tells that there are more.

    Raises:
        OSError: if it cannot be read, or is a folder.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    with os.fdopen(handle, "rb") as file:
        return file.read(most + 1)
