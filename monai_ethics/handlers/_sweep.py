# SPDX-License-Identifier: Apache-2.0
"""Files that a run wrote: those reported to us, and those that are new or changed in the folders it writes to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from monai_ethics.provenance.log.tree.canonical import file_sha256

__all__ = ["CHECKPOINTS", "OutputFile", "OutputSweep"]

CHECKPOINTS = frozenset((".pt", ".pth", ".ckpt", ".ts", ".onnx", ".safetensors", ".bin"))
MOST = 50_000  # files looked at in one folder
SKIPPED = frozenset(("__pycache__", ".git", ".venv", "node_modules"))
Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """A file that the run wrote.

    Args:
        path: where it lies.
        role: ``"checkpoint"`` or ``"output"``.
        size: in bytes.
        sha256: digest of its bytes.
    """

    path: Path
    role: str
    size: int
    sha256: str


class OutputSweep:
    """Find the files that a run wrote by comparing folders before and after.

    Args:
        exclude: folder whose files are no outputs (the evidence itself).
    """

    def __init__(self, *, exclude: Path) -> None:
        self._exclude = exclude.resolve()
        self._before: dict[Path, dict[Path, Stamp]] = {}
        self._noted: dict[Path, str] = {}
        self.partial = False

    def watch(self, folder: str | Path) -> None:
        """Remember what lies below `folder` now; a folder that does not exist yet is empty."""
        root = Path(folder).resolve()
        if root not in self._before and root != self._exclude:
            self._before[root] = dict(self._walk(root))

    def note(self, path: str | Path, role: str) -> None:
        """A file that is known to be an output."""
        self._noted[Path(path).resolve()] = role

    def _walk(self, root: Path) -> Iterator[tuple[Path, Stamp]]:
        seen = 0
        for folder, names, files in os.walk(root):
            names[:] = sorted(n for n in names if n not in SKIPPED and Path(folder, n) != self._exclude)
            for name in sorted(files):
                seen += 1
                if seen > MOST:
                    self.partial = True
                    return
                path = Path(folder, name)
                try:
                    info = path.lstat()
                except OSError:
                    continue
                if not path.is_symlink():
                    yield path, (info.st_mtime_ns, info.st_size, info.st_ino)

    def collect(self) -> list[OutputFile]:
        """Every output by path, digested; files that are gone again are left out."""
        found = dict(self._noted)
        for root, before in self._before.items():
            for path, stamp in self._walk(root):
                if before.get(path) != stamp:
                    found.setdefault(path, "checkpoint" if path.suffix.lower() in CHECKPOINTS else "output")
        out = []
        for path in sorted(found):
            try:
                out.append(OutputFile(path=path, role=found[path], size=path.stat().st_size, sha256=file_sha256(path)))
            except OSError:
                continue
        return out
