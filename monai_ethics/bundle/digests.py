# SPDX-License-Identifier: Apache-2.0
"""Digests of a bundle's files as they lie on disk: parsing would change their strings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["bundle_digests"]

SHIPPED = ("configs", "scripts", "docs")
SINGLE = ("LICENSE", "large_files.yml", "large_files.yaml")
IGNORED = {"__pycache__"}


def bundle_digests(root: Path, extra: Iterable[Path] = ()) -> dict[str, str]:
    """SHA-256 of each shipped text file of a bundle, scripts included; weights are digested where they are loaded.

    Args:
        root: folder of the bundle.
        extra: config files that may lie elsewhere, such as overlays.

    Returns:
        Name below the bundle (or ``extra/<position>``) to hex digest, sorted. The `ethics` block of `metadata.json`,
        which may point to evidence about this very digest, is left out of its digest.
    """
    found: dict[str, str] = {}
    for folder in SHIPPED:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and not IGNORED & set(path.parts):
                found[path.relative_to(root).as_posix()] = _digest(path)
    for name in SINGLE:
        if (root / name).is_file():
            found[name] = _digest(root / name)
    inside = root.resolve()
    for number, path in enumerate(extra):
        if path.is_file() and inside not in path.resolve().parents:
            found[f"extra/{number}{path.suffix}"] = _digest(path)
    return dict(sorted(found.items()))


def _digest(path: Path) -> str:
    data = path.read_bytes()
    if path.name == "metadata.json":
        data = _without_ethics(data)
    return hashlib.sha256(data).hexdigest()


def _without_ethics(data: bytes) -> bytes:
    try:
        metadata: Any = json.loads(data)
    except ValueError:
        return data
    if not isinstance(metadata, dict) or "ethics" not in metadata:
        return data
    del metadata["ethics"]
    return json.dumps(metadata, sort_keys=True).encode()
