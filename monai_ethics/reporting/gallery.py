# SPDX-License-Identifier: Apache-2.0
"""A page of images for a reviewer: samples of a generator, and pairs side by side. It belongs into the private part."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monai_ethics._optional import need
from monai_ethics.errors import InputError
from monai_ethics.reporting.html import environment

__all__ = ["ImagePair", "Picture2D", "render_gallery", "thumbnail"]

SIDE = 160  # pixels of the longer side
WINDOW = (0.5, 99.5)  # percentiles shown as black and white


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture2D:
    """An image as it is shown.

    Args:
        png: bytes of a grayscale PNG file.
        label: its pseudonym, and nothing else.
    """

    png: bytes
    label: str

    @property
    def address(self) -> str:
        """Address that an ``img`` can show."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePair:
    """A training image beside the synthetic image that resembles it.

    Args:
        kind: why it is shown, such as ``"nearest pair"``.
        train: the training image.
        synthetic: the synthetic image.
        measured: the number that put it on the list, in words.
        note: one sentence beside it.
    """

    kind: str
    train: Picture2D
    synthetic: Picture2D
    measured: str = ""
    note: str = ""


def thumbnail(image: np.ndarray, *, label: str, rows_first: bool = True, side: int = SIDE) -> Picture2D:
    """Shrink an image for the page; a volume shows the middle slices of its three planes in a row.

    Args:
        image: shape ``(H, W)`` or ``(D, H, W)``, any intensity unit.
        label: pseudonym below it.
        rows_first: whether axes are rows before columns, as in PNG and DICOM; NIfTI's run right, anterior, superior.
        side: pixels of the longer side of a slice.

    Raises:
        InputError: if the image has another number of dimensions.
        MissingDependencyError: if Pillow is not installed.
    """
    array = np.nan_to_num(np.asarray(image, dtype=np.float64))
    if array.ndim not in (2, 3) or not array.size:
        raise InputError(f"A picture needs a 2D or 3D image: got {array.ndim} dimensions. Give one image.")
    low, high = np.percentile(array, WINDOW)
    scaled = np.clip((array - low) / (high - low), 0, 1) if high > low else np.zeros_like(array)
    middle = [length // 2 for length in array.shape]
    planes = [scaled] if array.ndim == 2 else [np.take(scaled, middle[axis], axis=axis) for axis in (0, 1, 2)]
    slices = planes if rows_first else [plane.T[::-1] for plane in reversed(planes)]
    return Picture2D(png=_png(slices, side=side), label=label)


def render_gallery(samples: Sequence[Picture2D], pairs: Sequence[ImagePair], *, total: int) -> str:
    """The page as text: no script, nothing loaded from anywhere.

    Args:
        samples: synthetic images, in the order in which they are shown.
        pairs: pairs for review.
        total: synthetic images there are.
    """
    template = environment().get_template("gallery.html")
    return template.render(samples=samples, pairs=pairs, total=total) + "\n"


def _png(slices: Sequence[np.ndarray], *, side: int) -> bytes:
    images: Any = need("PIL.Image", extra="report")
    shown = []
    for part in slices:
        factor = side / max(part.shape)
        size = (max(1, round(part.shape[1] * factor)), max(1, round(part.shape[0] * factor)))
        shown.append(images.fromarray((part * 255).astype(np.uint8)).resize(size, images.Resampling.BILINEAR))
    sheet = images.new("L", (sum(item.width for item in shown), max(item.height for item in shown)))
    left = 0
    for item in shown:
        sheet.paste(item, (left, 0))
        left += item.width
    stream = io.BytesIO()
    sheet.save(stream, format="PNG", optimize=True)
    return stream.getvalue()
