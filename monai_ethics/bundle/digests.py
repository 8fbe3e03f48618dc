# SPDX-License-Identifier: Apache-2.0
"""Digests of a bundle's files as they lie on disk: parsing would change their strings."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["bundle_digests", "is_software_name"]

SHIPPED = ("configs", "scripts", "docs")
SINGLE = ("LICENSE", "large_files.yml", "large_files.yaml")
IGNORED = {"__pycache__"}
_SOFTWARE = re.compile(r"[a-z0-9_.@/#:\- ]+")  # as files and ids of bundles are spelled
_NUMBER = re.compile(r"\d{4}")  # dates and numbers of patients
WITHOUT_ETHICS = " (canonical JSON without `ethics`)"


def bundle_digests(root: Path, extra: Iterable[Path] = ()) -> dict[str, str]:
    """SHA-256 of each shipped text file of a bundle, scripts included; weights are digested where they are loaded.

    Args:
        root: folder of the bundle.
        extra: config files that may lie elsewhere, such as overlays.

    Returns:
        Name below the bundle (or ``extra/<position>``, and ``configs/<position>`` of one that is not spelled as files
        of software are and may be a person's) to hex digest, sorted. The `ethics` block of `metadata.json`
        may point to evidence about this very digest. So that file is digested as canonical JSON without the block,
        whether it has one or not, and its name says so: adding the block changes nothing.
    """
    found: dict[str, str] = {}
    for folder in SHIPPED:
        for number, path in enumerate(sorted((root / folder).rglob("*"))):
            if path.is_file() and not IGNORED & set(path.parts):
                note, digest = _digest(path)
                name = path.relative_to(root).as_posix()
                found[(name if _is_shipped(name) else f"{folder}/{number}{path.suffix.lower()}") + note] = digest
    for name in SINGLE:
        if (root / name).is_file():
            found[name] = _digest(root / name)[1]
    inside = root.resolve()
    for number, path in enumerate(extra):
        if path.is_file() and inside not in path.resolve().parents:
            note, digest = _digest(path)
            found[f"extra/{number}{path.suffix}{note}"] = digest
    return dict(sorted(found.items()))


def is_software_name(text: str) -> bool:
    """Whether a name is spelled as ids of configs are, in lower case without long numbers: others may be a person's."""
    return _SOFTWARE.fullmatch(text) is not None and _NUMBER.search(text) is None


def _is_shipped(name: str) -> bool:
    known = Path(name).name in ("README.md", "LICENSE", "data_license.txt")
    return is_software_name(Path(name).parent.as_posix() if known else name)


def _digest(path: Path) -> tuple[str, str]:
    """What is to be said of the digest beside the file's name, and the digest."""
    data = path.read_bytes()
    content = _metadata(data) if path.name == "metadata.json" else None
    if content is None:
        return "", hashlib.sha256(data).hexdigest()
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return WITHOUT_ETHICS, hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _metadata(data: bytes) -> dict[str, Any] | None:
    """Metadata without its `ethics` block; ``None`` if it is no JSON object, whose bytes are digested then."""
    try:
        metadata: Any = json.loads(data)
    except ValueError:
        return None
    if not isinstance(metadata, dict):
        return None
    return {key: value for key, value in metadata.items() if key != "ethics"}
