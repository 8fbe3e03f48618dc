# SPDX-License-Identifier: Apache-2.0
"""Which position is which file: said in a private file, because messages and logs name no file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from monai_ethics.errors import InputError

__all__ = ["HINT", "Names", "check_names", "write_names"]

HINT = "Positions count the files as they are given, those of a folder by path; --names FILE writes which is which."

Names = Annotated[Path | None, typer.Option(help="New private file (JSON) that tells which position is which file.")]


def check_names(names: Path | None) -> None:
    """Refuse a file that is there, before anything is judged.

    Raises:
        InputError: if it exists.
    """
    if names is not None and names.exists():
        raise InputError("Expected a new file for `--names`: got one that exists. Name another one.")


def write_names(names: Path | None, paths: Sequence[Path]) -> None:
    """Write position and path of each image, readable by the owner only; nothing happens without a file.

    Args:
        names: file to write.
        paths: files and folders as they were given.

    Raises:
        InputError: if it cannot be written.
    """
    if names is None:
        return
    from monai_ethics.provenance.images.listing import image_files
    from monai_ethics.provenance.log.files.storage import write_atomically

    table = {str(position): str(path) for position, path in enumerate(image_files(paths), start=1)}
    try:
        write_atomically(names, json.dumps(table, indent=1).encode() + b"\n", mode=0o600, replace=False)
    except OSError as error:
        raise InputError(
            f"Expected a place for `--names` that can be written: got '{error.strerror}'. Choose another."
        ) from error
