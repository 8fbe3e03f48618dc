# SPDX-License-Identifier: Apache-2.0
"""The keyed pattern, and how an image is prepared to look for it; on any device."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from monai_ethics.errors import InputError

__all__ = ["BLOCK", "SCHEME", "body", "high_pass", "key_id", "noise_level", "pattern", "repeated", "tile_shape"]

SCHEME = "me-block2/1"
BLOCK = 2  # pixels along each axis with one sign: finer structure does not survive resampling and back
TILES = {2: (512, 512), 3: (128, 128, 128)}  # after that many pixels the pattern repeats
_DOMAIN = b"monai_ethics.watermark/1\x00"
_BRIGHT = 0.1  # share of the 99th percentile from which on a pixel belongs to the body
_POOL = {2: functional.avg_pool2d, 3: functional.avg_pool3d}
_MOST = {2: functional.max_pool2d, 3: functional.max_pool3d}


def key_id(key: bytes) -> str:
    """What records say of a watermark key: 32 hex digits that do not reveal it."""
    return hashlib.sha256(b"monai_ethics.watermark_key/1\x00" + key).hexdigest()[:32]


def tile_shape(dimensions: int) -> tuple[int, ...]:
    """Shape of the pattern before it repeats.

    Raises:
        InputError: if the image is neither 2D nor 3D.
    """
    if dimensions not in TILES:
        raise InputError(f"A watermark is for 2D and 3D images: got {dimensions} axes. Give one image, one channel.")
    return TILES[dimensions]


def pattern(dimensions: int, key: bytes) -> torch.Tensor:
    """One tile of the pattern, shape `tile_shape`, values -1 and 1, constant over blocks of 2 pixels an axis.

    Args:
        dimensions: of the image, 2 or 3.
        key: at least 16 bytes; who knows it can take the pattern out again.

    Raises:
        InputError: if the key is too short.
    """
    if len(key) < 16:
        raise InputError(f"A watermark key must have 16 bytes or more: got {len(key)}. Create one of 32.")
    shape = tuple(size // BLOCK for size in tile_shape(dimensions))
    seed = int.from_bytes(hmac.new(key, _DOMAIN + bytes([dimensions]), hashlib.sha256).digest(), "big")
    signs = np.random.Generator(np.random.PCG64(seed)).integers(0, 2, size=shape, dtype=np.int8) * 2 - 1
    for axis in range(dimensions):
        signs = np.repeat(signs, BLOCK, axis=axis)
    return torch.from_numpy(signs).float()


def repeated(tile: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """The pattern over a whole image."""
    times = [-(-size // part) for size, part in zip(shape, tile.shape, strict=True)]
    return tile.repeat(times)[tuple(slice(size) for size in shape)]


def body(image: torch.Tensor, *, inset: int = 3) -> torch.Tensor:
    """Where the image shows something, less a rim: edges of the skull would swamp the pattern.

    Args:
        image: shape of 2 or 3 axes.
        inset: pixels of the rim.

    Returns:
        Bool, shape of the image.
    """
    flat = image.flatten()
    step = max(1, len(flat) // 100_000)
    low = torch.quantile(flat[::step], 0.01)
    inside = image - low > _BRIGHT * (torch.quantile(flat[::step], 0.99) - low)
    outside = (~inside).float()[None, None]
    grown = _MOST[image.ndim](outside, kernel_size=2 * inset + 1, stride=1, padding=inset)
    shrunk: torch.Tensor = grown[0, 0] == 0
    return shrunk


def high_pass(image: torch.Tensor) -> torch.Tensor:
    """The image less its mean over 3 pixels an axis."""
    padding = [1] * (2 * image.ndim)
    padded = functional.pad(image[None, None], padding, mode="replicate")
    smooth: torch.Tensor = _POOL[image.ndim](padded, kernel_size=3, stride=1)[0, 0]
    return image - smooth


def noise_level(image: torch.Tensor, inside: torch.Tensor) -> float:
    """Standard deviation of the noise where the image shows least structure, rather too low than too high.

    The mean deviation of the high-passed image over windows of 5 pixels an axis, its first quartile inside the body.

    Raises:
        InputError: if the body has too few pixels.
    """
    if (pixels := int(inside.sum())) < 1000:
        raise InputError(f"A watermark needs a body of 1000 pixels or more: got {pixels}. Leave the image as it is.")
    padded = functional.pad(high_pass(image).abs()[None, None], [2] * (2 * image.ndim), mode="replicate")
    local = _POOL[image.ndim](padded, kernel_size=5, stride=1)[0, 0][inside]
    spread = float(local.sort().values[len(local) // 4]) * math.sqrt(math.pi / 2)
    kept = 1.0 - 3.0**-image.ndim  # variance that the high pass leaves of white noise
    return float(spread / kept**0.5)
