# SPDX-License-Identifier: Apache-2.0
"""A small disk cache for volumes that are slow to make; losing it costs seconds, never correctness."""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

__all__ = ["cache_folder", "cached_volume"]

FORMAT = "v1"


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/monai_ethics``, or the same below the home folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "monai_ethics"


def cached_volume(key: str, make: Callable[[], torch.Tensor | None]) -> torch.Tensor | None:
    """Read a volume from the cache, or make and store it.

    Args:
        key: names what the volume is made from: source, its release, its resolution.
        make: makes it, values in [-1, 1]; ``None`` if its source is missing, which is not cached.

    Returns:
        The volume in steps of 1/127, the same whether it was stored or just made.
    """
    file = cache_folder() / f"{key}-{FORMAT}.npz"
    with contextlib.suppress(OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile), file.open("rb") as stream:
        return torch.as_tensor(np.load(stream)["volume"], dtype=torch.float32) / 127
    volume = make()
    if volume is None:
        return None
    steps = torch.round(volume.clamp(-1, 1) * 127).to(torch.int8)
    with contextlib.suppress(OSError):  # a folder that cannot be written: go on without a cache
        _write(file, steps.numpy())
    return steps.float() / 127


def _write(file: Path, steps: np.ndarray) -> None:
    """Write beside the target, then rename: a reader sees all of it or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez_compressed(stream, volume=steps)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
