# SPDX-License-Identifier: Apache-2.0
"""Where an engine's own handlers and transforms write."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ignite.engine import Engine

__all__ = ["engine_transforms", "output_folders", "saved_files"]

ATTRIBUTES = ("save_dir", "_save_dir", "log_dir", "output_dir")
HOLDERS = ("folder_layout", "_writer", "saver", "_saver")


def output_folders(engine: Engine) -> set[str]:
    """Folders into which handlers of the engine write, as far as they say so."""
    found: set[str] = set()
    for entries in getattr(engine, "_event_handlers", {}).values():
        for entry in entries:
            owner = getattr(entry[0], "__self__", None)
            if owner is not None and not type(owner).__module__.startswith("monai_ethics."):
                found.update(_folders(owner))
            found.update(folder for part in _closed_over(entry[0]) for folder in _folders(part))
    return found


def engine_transforms(engine: Engine) -> list[Any]:
    """Transforms that the engine's own handlers apply to its output, in order."""
    found = []
    for entries in getattr(engine, "_event_handlers", {}).values():
        for entry in entries:
            parts = (part for part in _closed_over(entry[0]) if callable(part) and _is_transform(part))
            found += [part for part in parts if type(part).__name__ != "Decollated"]
    return found


def _is_transform(part: Any) -> bool:
    return any(kind.__name__ == "Transform" for kind in type(part).__mro__)


def _folders(owner: Any, depth: int = 2) -> Iterator[str]:
    """Folders that an object names, or that the savers and writers it holds name."""
    held = getattr(owner, "__dict__", {})
    for name in ATTRIBUTES:
        value = held.get(name)
        if isinstance(value, (str, os.PathLike)) and os.fspath(value):
            yield os.fspath(value)
    for name in HOLDERS if depth else ():
        if (inner := held.get(name)) is not None:
            yield from _folders(inner, depth - 1)


def _closed_over(callback: Any) -> Iterator[Any]:
    """Transforms in the closure with which an engine runs its postprocessing."""
    for cell in getattr(callback, "__closure__", None) or ():
        try:
            yield from _flat(cell.cell_contents)
        except ValueError:  # an empty cell
            continue


def _flat(transform: Any) -> Iterator[Any]:
    parts = getattr(transform, "transforms", None)
    if isinstance(parts, Sequence) and not isinstance(parts, str):
        for part in parts:
            yield from _flat(part)
    elif not isinstance(transform, Engine):
        yield transform


def saved_files(output: Any) -> list[str]:
    """Files that the images of an output say they were written to."""
    items = output if isinstance(output, Sequence) and not isinstance(output, str) else [output]
    found = []
    for item in items:
        for value in item.values() if isinstance(item, Mapping) else [item]:
            meta = getattr(value, "meta", None)
            saved = meta.get("saved_to") if isinstance(meta, dict) else None
            names = saved if isinstance(saved, (list, tuple)) else [saved]
            found += [str(name) for name in names if isinstance(name, (str, os.PathLike)) and str(name)]
    return found
