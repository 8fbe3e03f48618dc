# SPDX-License-Identifier: Apache-2.0
"""What is done to an image before an extractor sees it; the same to real and to synthetic images."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from monai_ethics.errors import InputError
from monai_ethics.synthesis.features.pixels import FLAT, area_weights

__all__ = ["SCALES", "Preprocessing"]

SCALES = ("standard", "range", "none")
TAIL = 0.005  # share of the pixels beyond either end of the range


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Channels, size and intensity of the images that an extractor sees.

    Args:
        size: pixels a side, each the exact mean of the area it covers; ``None`` leaves the size as it is.
        scale: ``"standard"``: each image to mean 0 and standard deviation 1; ``"range"``: each image's 0.5th to 99.5th
            percentile to -1 to 1, cut off there; ``"none"``: as it is, for images that the bundle's own transforms
            have scaled.
        channels: channels that the extractor takes: one is repeated, several are averaged into one; ``None`` leaves
            them as they are.

    Raises:
        InputError: if a value is none of these.
    """

    size: int | None = None
    scale: str = "standard"
    channels: int | None = None

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise InputError(f"`scale` must be one of {', '.join(SCALES)}: got another. Choose one.")
        if (self.size is not None and self.size < 1) or (self.channels is not None and self.channels < 1):
            raise InputError("`size` and `channels` must be at least 1: got less. Give those of the network.")

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Images as the extractor sees them.

        Args:
            images: shape ``(B, C, *spatial)``.

        Returns:
            Shape ``(B, channels, size, size[, size])``, float32, on the same device.

        Raises:
            InputError: if an image is not finite, or its channels cannot become those of the extractor.
        """
        if not torch.isfinite(images).all():
            raise InputError("Images must be finite: got NaN or infinity. Replace or leave out such pixels.")
        wide = images.double() if images.device.type != "mps" else images.float()
        wide = self._single(wide)
        for axis in range(2, wide.ndim) if self.size is not None else ():
            wide = _resampled(wide, axis, self.size or 1)
        wide = _scaled(wide, self.scale)
        if self.channels is not None and wide.shape[1] == 1:
            wide = wide.expand(-1, self.channels, *wide.shape[2:])
        return wide.float()

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the protocol."""
        return asdict(self)

    def _single(self, images: torch.Tensor) -> torch.Tensor:
        given = images.shape[1]
        if self.channels in (None, given) or given == 1:
            return images
        if self.channels == 1:
            return images.mean(dim=1, keepdim=True)
        raise InputError(
            f"Expected images of 1 or {self.channels} channels: got {given}. Use an extractor for as many channels."
        )


def _resampled(images: torch.Tensor, axis: int, size: int) -> torch.Tensor:
    if images.shape[axis] == size:
        return images
    weights = torch.from_numpy(area_weights(images.shape[axis], size)).to(images)
    resampled: torch.Tensor = torch.tensordot(images, weights, dims=([axis], [1])).movedim(-1, axis)
    return resampled


def _scaled(images: torch.Tensor, scale: str) -> torch.Tensor:
    if scale == "none" or not images.numel():
        return images
    rows = images.flatten(1)
    if scale == "standard":
        center, spread = rows.mean(dim=1, keepdim=True), rows.std(dim=1, correction=0, keepdim=True)
    else:
        low, high = _ends(rows)
        center, spread = (low + high) / 2, (high - low) / 2
    flat = spread <= FLAT * rows.abs().amax(dim=1, keepdim=True).clamp_min(1e-300)
    scaled = torch.where(flat, 0.0, (rows - center) / torch.where(flat, 1.0, spread))
    return (scaled if scale == "standard" else scaled.clamp(-1, 1)).reshape(images.shape)


def _ends(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Percentiles by order; unlike `torch.quantile` for images of any size."""
    count = rows.shape[1]
    beyond = min(int(TAIL * count), (count - 1) // 2)
    ordered = rows.sort(dim=1).values
    return ordered[:, beyond, None], ordered[:, count - 1 - beyond, None]
