# SPDX-License-Identifier: Apache-2.0
"""The synthetic images that a run wrote, as features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monai_ethics.errors import NotAssessableError
from monai_ethics.handlers._real_sets import features_of
from monai_ethics.provenance.marks.sidecar import sidecar_path
from monai_ethics.synthesis.data.images import ENDINGS, read_image

__all__ = ["declared_images", "image_features"]


def declared_images(paths: Sequence[Path], *, all_are: bool) -> list[Path]:
    """Images among files that are declared synthetic, sorted.

    Args:
        paths: files that a run wrote.
        all_are: whether the run declared all of them; otherwise each file's own sidecar says so.
    """
    images = sorted(path for path in paths if path.name.lower().endswith(ENDINGS))
    return [path for path in images if all_are or _says_so(path)]


def _says_so(path: Path) -> bool:
    try:
        sidecar = json.loads(sidecar_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(sidecar, dict) and sidecar.get("synthetic") == "yes"


def image_features(paths: Sequence[Path], extractor: Any) -> np.ndarray:
    """Features of images, one a file.

    Args:
        paths: files of images, all 2D or all 3D.
        extractor: computes features.

    Returns:
        Shape ``(N, d)``, float32.

    Raises:
        InputError: if one cannot be read; it is named by its position in sorted order.
        NotAssessableError: if they are of different kinds.
    """
    rows = [
        features_of(torch.from_numpy(read_image(path, called=f"written image {i + 1}"))[None], extractor)
        for i, path in enumerate(paths)
    ]
    if len({row.shape for row in rows}) != 1:
        raise NotAssessableError("The images that the run wrote are of 2D and 3D, and cannot be compared together.")
    return np.concatenate(rows)
