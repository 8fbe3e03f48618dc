# SPDX-License-Identifier: Apache-2.0
"""Looking for the pattern: over all translations and flips, with the chance of a false alarm stated."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats

from monai_ethics.provenance.watermark.pattern import BLOCK, body, high_pass, noise_level, pattern, tile_shape

__all__ = ["Detection", "detect"]

_FAR = 4.0  # robust deviations beyond which a pixel weighs no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How strongly the pattern shows.

    Args:
        z: highest correlation over translations and flips, in standard deviations of all correlations.
        p_value: chance of as high a one in an image without the pattern, at most; from a normal distribution, times
            the number of places looked at.
        places: translations times flips looked at.
        flips: axes that were flipped where it is highest.
    """

    z: float
    p_value: float
    places: int
    flips: tuple[int, ...]

    def found(self, *, significance: float = 1e-3) -> bool:
        """Whether the pattern is there, at a chance of a false alarm."""
        return self.p_value <= significance


def detect(image: np.ndarray, key: bytes, *, device: str = "cpu") -> Detection:
    """Look for the pattern of a key.

    Args:
        image: one channel, 2D or 3D.
        key: the key that it may have been embedded with.
        device: where to compute.

    Returns:
        How strongly it shows. A pattern that is not found was never there, or was lost: rotation by more than a few
        degrees and another grid destroy it, and so can whoever wants to.

    Raises:
        InputError: if the image is of another shape or shows too little.
    """
    shape = tile_shape(image.ndim)
    values = torch.from_numpy(np.array(image, dtype=np.float32)).to(device)
    values = torch.nan_to_num(values)
    inside = body(values)
    spread = noise_level(values, inside)
    residue = (high_pass(values) / max(spread, 1e-12)).clamp(-_FAR, _FAR)
    seen = torch.fft.rfftn(_fold(torch.where(inside, residue, torch.zeros_like(residue)), shape))
    sought = torch.fft.rfftn(high_pass(pattern(image.ndim, key).to(device))).conj()
    best, flips = -float("inf"), tuple[int, ...]()
    for number in range(image.ndim + 1):
        for chosen in itertools.combinations(range(image.ndim), number):
            z = _highest(torch.fft.irfftn(_flipped(seen, chosen) * sought, s=shape))
            if z > best:
                best, flips = z, chosen
    places = 2**image.ndim * int(np.prod(shape))
    chance = min(1.0, places * float(stats.norm.sf(best)))
    return Detection(z=best, p_value=chance, places=places, flips=tuple(flips))


def _flipped(spectrum: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """Half spectrum of a real image that is flipped along axes, but for a translation, which the search covers."""
    last = spectrum.ndim - 1
    others = set(range(last))
    reverse = others - set(axes) if last in axes else others & set(axes)
    for axis in reverse:
        spectrum = torch.roll(torch.flip(spectrum, (axis,)), 1, axis)
    return spectrum.conj() if last in axes else spectrum


def _highest(match: torch.Tensor) -> float:
    """Highest correlation in standard deviations of those in step with it.

    The pattern is made of blocks of two pixels: an image that was resampled by two correlates more at every second
    place, whatever it shows, so that each of these classes of places has a spread of its own.
    """
    values = []
    for start in itertools.product(range(BLOCK), repeat=match.ndim):
        part = match[tuple(slice(first, None, BLOCK) for first in start)]
        values.append(float((part.max() - part.mean()) / part.std()))
    return max(values)


def _fold(values: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Sum of an image over the repetitions of the pattern."""
    padding: list[int] = []
    for size, part in zip(reversed(values.shape), reversed(shape), strict=True):
        padding += [0, -size % part]
    values = torch.nn.functional.pad(values, padding)
    for axis, part in enumerate(shape):
        split = (*values.shape[:axis], -1, part, *values.shape[axis + 1 :])
        values = values.reshape(split).sum(dim=axis)
    return values
