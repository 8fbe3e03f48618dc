# SPDX-License-Identifier: Apache-2.0
"""Features without a network: small, intensity-normalized copies of the images themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.protocol import FeatureProtocol

__all__ = ["FLAT", "PixelExtractor", "area_weights", "raw_pixels"]

FLAT = 1e-9  # spread over magnitude below which an image is constant but for rounding


def raw_pixels(images: Sequence[np.ndarray], *, size: int = 16) -> np.ndarray:
    """Images shrunk to `size` pixels a side and normalized to mean 0 and standard deviation 1.

    Each output pixel is the exact mean of the area it covers (a box filter, separable), so that nothing aliases
    whatever the input size. Volumes become cubes: a copy anywhere in the volume stays a copy. A change of gain or
    offset, and a resave at another precision, leave the features as they were; a flip or a shift does not.
    A constant image becomes zeros.

    Args:
        images: ``N`` arrays of shape ``(H, W)`` or ``(D, H, W)``, any intensity unit, leading axes of length one
            allowed; all of the same number of dimensions, of any sizes.
        size: pixels a side of the output.

    Returns:
        Features, shape ``(N, size**2)`` or ``(N, size**3)``, float32, unitless; ``(0, 0)`` without images.

    Raises:
        InputError: if an image has no pixels, another number of dimensions than the first, or a number that is not
            finite.

    Example:
        >>> raw_pixels([np.arange(16.0).reshape(4, 4)], size=2).round(2).tolist()
        [[-1.21, -0.73, 0.73, 1.21]]
    """
    if size < 1:
        raise InputError(f"`size` must be at least 1: got {size}. Give the pixels a side.")
    rows, dims = [], 0
    for position, image in enumerate(images):
        array = _squeezed(np.asarray(image), position)
        dims = dims or array.ndim
        if array.ndim != dims:
            raise InputError(
                f"All images must be 2D or all 3D: image {position} has {array.ndim} dimensions and the first has "
                f"{dims}. Compare them apart."
            )
        rows.append(_normalized(_shrunk(array, size)).ravel())
    return np.stack(rows).astype(np.float32) if rows else np.zeros((0, 0), dtype=np.float32)


class PixelExtractor:
    """`raw_pixels` as an extractor: needs no network, and is always among the spaces of an audit.

    Args:
        spatial_dims: 2 or 3.
        size: pixels a side of the output.
    """

    def __init__(self, *, spatial_dims: int, size: int = 16) -> None:
        if spatial_dims not in (2, 3) or size < 1:
            raise InputError("Expected 2 or 3 dimensions and a size of at least 1: got others. Give those.")
        self._size = size
        self._protocol = FeatureProtocol(
            name=f"raw pixels {'x'.join([str(size)] * spatial_dims)}",
            width=size**spatial_dims,
            preprocessing={"size": size, "scale": "standard", "channels": 1},
            spatial_dims=spatial_dims,
        )

    @property
    def protocol(self) -> FeatureProtocol:
        """How the features are computed."""
        return self._protocol

    def __call__(self, images: torch.Tensor, /) -> torch.Tensor:
        """Features of images of shape ``(B, C, *spatial)``, channels averaged: shape ``(B, d)``, float32."""
        if images.ndim != 2 + (self._protocol.spatial_dims or 0):
            raise InputError(
                f"Expected images of shape (batch, channels, {self._protocol.spatial_dims} axes): got {images.ndim} "
                "axes. Use an extractor for as many dimensions as the images have."
            )
        if not torch.isfinite(images).all():
            raise InputError("Images must be finite: got NaN or infinity. Replace or leave out such pixels.")
        rows = np.zeros((len(images), self._protocol.width), dtype=np.float32)
        for row, image in zip(rows, images.detach().cpu(), strict=True):  # one in double precision at a time
            row[:] = _normalized(_shrunk(image.double().mean(dim=0).numpy(), self._size)).ravel()
        return torch.from_numpy(rows).to(images.device)


def area_weights(length: int, size: int) -> np.ndarray:
    """Weights with which `length` input pixels enter `size` output pixels of equal total extent.

    Args:
        length: input pixels along an axis.
        size: output pixels along that axis.

    Returns:
        Shape ``(size, length)``, float64, each row adding up to 1.
    """
    edges = np.linspace(0.0, length, size + 1)
    pixels = np.arange(length, dtype=np.float64)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = np.clip(overlap, 0.0, None)
    normalized: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return normalized


def _squeezed(array: np.ndarray, position: int) -> np.ndarray:
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in (2, 3) or not array.size:
        raise InputError(
            f"Image {position} must be a 2D or 3D array with pixels: got {array.ndim} dimensions and {array.size} "
            "pixels. Average color channels, and leave out empty images."
        )
    if not np.isfinite(array).all():
        raise InputError(f"Image {position} must be finite: got NaN or infinity. Replace or leave out such pixels.")
    return array.astype(np.float64)


def _shrunk(array: np.ndarray, size: int) -> np.ndarray:
    for axis in range(array.ndim):
        weights = area_weights(array.shape[axis], size)
        array = np.moveaxis(np.tensordot(weights, array, axes=(1, axis)), 0, axis)
    return array


def _normalized(array: np.ndarray) -> np.ndarray:
    centered = array - array.mean()
    spread = centered.std()
    flat = spread <= FLAT * max(np.abs(array).max(), 1e-300)
    normalized: np.ndarray = np.zeros_like(array) if flat else centered / spread
    return normalized
