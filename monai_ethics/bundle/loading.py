# SPDX-License-Identifier: Apache-2.0
"""Read a bundle's configs as MONAI merges them, without evaluating anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError

__all__ = ["load_config"]


def load_config(files: Sequence[str | Path], *, resolve: bool = True) -> dict[str, Any]:
    """Merge config files; macros and relative ids are resolved, ``$`` expressions stay text.

    Args:
        files: config files of one bundle, the bundle's first.
        resolve: whether macros and relative ids are resolved.

    Returns:
        The merged config as nested dicts and lists.

    Raises:
        InputError: if a file is missing, is no JSON or YAML, or the files do not fit together.
    """
    from monai.bundle import ConfigParser

    for position, name in enumerate(files):
        if not Path(name).is_file():
            raise InputError(f"Config {position + 1} must be a file: there is none. Check the path.")
    try:
        parser: Any = ConfigParser()
        parser.read_config([str(name) for name in files])
        if resolve:
            parser.resolve_macro_and_relative_ids()
    except OSError:
        raise
    except Exception as error:  # MONAI's parser raises whatever its readers and merges stumble over
        raise InputError(
            f"Expected bundle configs that fit together: got a {type(error).__name__} while merging them. "
            "Give the bundle's own file first and check each file."
        ) from error
    config: dict[str, Any] = parser.get()
    return config
