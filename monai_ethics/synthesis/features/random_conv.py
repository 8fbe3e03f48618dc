# SPDX-License-Identifier: Apache-2.0
"""Features from a convolutional network with random weights: offline, for any size, the same wherever it runs."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from monai_ethics.errors import InputError
from monai_ethics.synthesis.features.extractor import FeatureExtractor, module_extractor
from monai_ethics.synthesis.features.preprocessing import Preprocessing

__all__ = ["RandomConv", "random_conv"]

WIDTHS = (16, 32, 64, 128)
SIZES = {2: 96, 3: 48}


class RandomConv(nn.Module):
    """Four strided convolutions with fixed random weights; mean and standard deviation of every map of every layer.

    Each filter has mean zero over its input, so that it answers to structure and not to brightness. The weights come
    from a generator of their own; the global random numbers are neither read nor changed.

    Args:
        spatial_dims: 2 or 3.
        seed: seed of the weights.
        widths: filters of each layer.
    """

    def __init__(self, spatial_dims: int, *, seed: int = 0, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        if spatial_dims not in (2, 3):
            raise InputError("Expected 2 or 3 dimensions: got another number. Give that of the images.")
        self._convolve: Any = F.conv2d if spatial_dims == 2 else F.conv3d
        self._layers = len(widths)
        generator = torch.Generator().manual_seed(seed)
        given = 1
        for number, width in enumerate(widths):
            weights = torch.randn(width, given, *[3] * spatial_dims, generator=generator, dtype=torch.float64)
            weights -= weights.flatten(1).mean(dim=1).reshape(-1, *[1] * (spatial_dims + 1))
            weights *= (2.0 / (given * 3**spatial_dims)) ** 0.5
            self.register_buffer(f"weights_{number}", weights.float())
            given = width

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features, shape ``(B, 2 * sum(widths))``, of images of shape ``(B, 1, *spatial)``."""
        found, maps = [], images
        for number in range(self._layers):
            maps = F.relu(self._convolve(maps, getattr(self, f"weights_{number}"), stride=2, padding=1))
            flat = maps.flatten(2)
            found += [flat.mean(dim=2), flat.std(dim=2, correction=0)]
        return torch.cat(found, dim=1)


def random_conv(
    spatial_dims: int, *, seed: int = 0, size: int | None = None, device: torch.device | str = "cpu"
) -> FeatureExtractor:
    """Extractor with `RandomConv`: 480 features.

    Args:
        spatial_dims: 2 or 3.
        seed: seed of the weights.
        size: pixels a side that the network sees; by default 96 in 2D and 48 in 3D.
        device: where it runs.
    """
    return module_extractor(
        RandomConv(spatial_dims, seed=seed).to(device),
        name=f"random convolutions {spatial_dims}D",
        spatial_dims=spatial_dims,
        preprocessing=Preprocessing(size=size or SIZES[spatial_dims], channels=1),
        fitted_on_train=False,
    )
