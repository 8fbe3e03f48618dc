# SPDX-License-Identifier: Apache-2.0
"""Putting the pattern into a synthetic image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from monai_ethics.errors import InputError
from monai_ethics.provenance.watermark.pattern import SCHEME, body, key_id, noise_level, pattern, repeated

__all__ = ["MOST", "Watermarked", "embed"]

MOST = 0.25  # of the noise: what is stronger changes what a reader or a network sees
FEW_VALUES = 64  # an integer image of fewer different values is taken for a label map


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watermarked:
    """An image with the pattern in it.

    Args:
        image: the image, shape and dtype as given.
        amplitude: what was added or taken away, in units of the image.
        noise: its noise, in units of the image.
        key_id: which key.
        pixels: how many were changed.
    """

    image: np.ndarray
    amplitude: float
    noise: float
    key_id: str
    pixels: int

    @property
    def record(self) -> dict[str, Any]:
        """What a record says of it."""
        return {
            "scheme": SCHEME,
            "key_id": self.key_id,
            "amplitude": self.amplitude,
            "noise": self.noise,
            "pixels": self.pixels,
        }


def embed(
    image: np.ndarray,
    key: bytes,
    *,
    synthetic: str,
    strength: float = MOST,
    spare: np.ndarray | None = None,
    device: str = "cpu",
) -> Watermarked:
    """Add the keyed pattern inside the body of a synthetic image.

    Args:
        image: one channel, 2D or 3D.
        key: see `pattern`.
        synthetic: what is known of the image: only ``"yes"`` is watermarked, since every pattern changes what an
            acquired image shows.
        strength: amplitude over the noise of the image, at most `MOST`.
        spare: where nothing may be changed, such as lesions; bool, shape of the image.
        device: where to compute.

    Returns:
        The image with its pattern. Audit before: a pattern weighs on comparisons with acquired images, on memorization
        tests, and on whatever is trained on it.

    Raises:
        InputError: if the image is not synthetic, a label map, too small, or too smooth for its pattern to be stored.

    References: spread-spectrum marks, I. J. Cox et al. (1997).
    """
    if synthetic != "yes":
        raise InputError("Only images known to be synthetic are watermarked: got another. Stamp it first, or leave it.")
    if not 0 < strength <= MOST:
        raise InputError(f"`strength` must be above 0 and at most {MOST} of the noise: got {strength:g}. Choose less.")
    whole = np.issubdtype(image.dtype, np.integer) or bool(np.all(image == np.round(image)))
    if image.dtype == bool or (whole and len(np.unique(image)) < FEW_VALUES):
        raise InputError("A label map is never watermarked: got an image of few whole numbers. Leave it as it is.")
    values = torch.from_numpy(np.ascontiguousarray(image)).to(device=device, dtype=torch.float32)
    if not bool(values.isfinite().all()):
        raise InputError("A watermark needs finite values: got NaN or infinity. Clean the image first.")
    inside = body(values)
    noise = noise_level(values, inside)
    amplitude = strength * noise
    if amplitude <= 0 or (np.issubdtype(image.dtype, np.integer) and amplitude < 0.5):
        raise InputError("The pattern would be lost in rounding: got an image with almost no noise. Leave it as it is.")
    if spare is not None:
        inside &= ~torch.from_numpy(np.ascontiguousarray(spare, dtype=bool)).to(device)
    signs = repeated(pattern(values.ndim, key).to(device), values.shape)
    added = torch.where(inside, amplitude * signs, torch.zeros_like(signs)).cpu().numpy()
    return Watermarked(
        image=_as_stored(image.astype(np.float64) + added, image.dtype),
        amplitude=amplitude,
        noise=noise,
        key_id=key_id(key),
        pixels=int(inside.sum()),
    )


def _as_stored(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    stored: np.ndarray = values.astype(dtype)
    return stored
