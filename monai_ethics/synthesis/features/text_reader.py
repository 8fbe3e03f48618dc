# SPDX-License-Identifier: Apache-2.0
"""Reading text in images with rapidocr, an optional dependency (``monai_ethics[ocr]``)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from scipy import ndimage

from monai_ethics._optional import need
from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.text_scan import Box, TextHit

__all__ = ["TextReader"]

PATCH = (8, 32)  # pixels of the small picture by which regions are compared
TALLEST = 0.25  # of the image: what fills more is a round head read as a zero, not a line of text
READABLE = 640  # pixels of the longer side to which smaller images are enlarged


class TextReader:
    """Finds and reads text in 2D images and in slices of volumes.

    Images are windowed to 8 bits between their 0.1 and 99.9 percentile and enlarged to 640 pixels if smaller. On 36
    easy renders (one font, 10-28 pixels, on slices of 512 pixels) it found 0.89 to 0.92, and nothing on nine clean
    slices; handwriting, other fonts and other languages were not measured. Regions taller than a quarter of the image
    are left out: a head in the middle of a slice is read as a zero.

    Args:
        slices: of a volume, how many are read, equally spaced along the first axis.
        threads: of the reader.

    Raises:
        MissingDependencyError: if rapidocr is not installed.
    """

    def __init__(self, *, slices: int = 8, threads: int = 1) -> None:
        module = need("rapidocr", extra="ocr")
        need("onnxruntime", extra="ocr")
        settings = {"EngineConfig.onnxruntime.intra_op_num_threads": threads, "Global.log_level": "critical"}
        self._engine: Any = module.RapidOCR(params=settings)
        self._slices = slices

    @property
    def name(self) -> str:
        """Name and version."""
        return f"rapidocr {version('rapidocr')}"

    def __call__(self, images: Sequence[np.ndarray], /) -> list[tuple[TextHit, ...]]:
        """Text-like regions of each image.

        Args:
            images: each of shape ``(H, W)`` or ``(D, H, W)``, any intensity unit.

        Raises:
            InputError: if an image has other axes.
        """
        return [tuple(hit for plane in _planes(image, self._slices) for hit in self._read(plane)) for image in images]

    def _read(self, plane: np.ndarray) -> list[TextHit]:
        gray = _readable(plane)
        found = self._engine(np.repeat(gray[..., None], 3, axis=2))
        if found.txts is None or found.boxes is None:
            return []
        boxes = [_bounds(np.asarray(corners), gray.shape) for corners in found.boxes]
        return [
            TextHit(box=box, text=str(text), score=round(float(score), 6), patch=_patch(gray, box))
            for text, score, box in zip(found.txts, found.scores, boxes, strict=True)
            if box[2] - box[0] <= TALLEST
        ]


def _planes(image: np.ndarray, slices: int) -> list[np.ndarray]:
    array = np.asarray(image, dtype=np.float64)
    if array.ndim == 2:
        return [array]
    if array.ndim != 3:
        raise InputError(f"Text is read in images of 2 or 3 axes: got {array.ndim}. Average color channels.")
    return [array[i] for i in sorted({*np.linspace(0, len(array) - 1, min(slices, len(array))).round().astype(int)})]


def _readable(plane: np.ndarray) -> np.ndarray:
    low, high = np.percentile(plane, (0.1, 99.9))
    high = max(high, low + 1e-12) if high > low else plane.max()
    scaled = np.clip((plane - low) / max(high - low, 1e-12), 0, 1) * 255
    factor = max(1.0, READABLE / max(plane.shape))
    enlarged = ndimage.zoom(scaled, factor, order=1) if factor > 1 else scaled
    gray: np.ndarray = enlarged.round().astype(np.uint8)
    return gray


def _bounds(corners: np.ndarray, shape: tuple[int, ...]) -> Box:
    left, top = corners.min(axis=0) / (shape[1], shape[0])
    right, bottom = corners.max(axis=0) / (shape[1], shape[0])
    clipped = np.clip([top, left, bottom, right], 0, 1).round(6)
    return (float(clipped[0]), float(clipped[1]), float(clipped[2]), float(clipped[3]))


def _patch(gray: np.ndarray, box: Box) -> tuple[float, ...]:
    rows = slice(int(box[0] * gray.shape[0]), max(int(box[2] * gray.shape[0]), int(box[0] * gray.shape[0]) + 2))
    columns = slice(int(box[1] * gray.shape[1]), max(int(box[3] * gray.shape[1]), int(box[1] * gray.shape[1]) + 2))
    cut = gray[rows, columns].astype(np.float64)
    small = ndimage.zoom(cut, (PATCH[0] / cut.shape[0], PATCH[1] / cut.shape[1]), order=1)
    spread = small.std()
    return tuple(((small - small.mean()) / spread).ravel().round(3).tolist()) if spread > 0 else ()
