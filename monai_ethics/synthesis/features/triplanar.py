# SPDX-License-Identifier: Apache-2.0
"""Features of volumes from a 2D extractor: as many slices of each of the three planes."""

from __future__ import annotations

from dataclasses import replace

import torch

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.protocol import FeatureProtocol
from monai_ethics.synthesis.features.extractor import FeatureExtractor

__all__ = ["TriplanarExtractor", "slice_positions"]

RULE = "{slices} slices of each plane, evenly spaced from {low:g} to {high:g} of the axis, whatever its length"
JOINED = "mean over the slices of a plane; the three planes side by side"


class TriplanarExtractor:
    """2.5D features: every volume gives equally many slices in each plane, so none counts more than another.

    The slices of a plane stand at fixed parts of the axis, not at fixed distances: a volume with more slices does not
    get more of them. The features of a plane are the mean over its slices, and the three planes stand side by side in
    the order of the axes.

    Args:
        extractor: a 2D extractor.
        slices: slices of each plane.
        margin: part of the axis left out at either end.
    """

    def __init__(self, extractor: FeatureExtractor, *, slices: int = 8, margin: float = 0.15) -> None:
        inner = extractor.protocol
        if inner.spatial_dims not in (2, None) or inner.planes:
            raise InputError("Expected an extractor for 2D images: got one for volumes. Use it as it is.")
        if slices < 1 or not 0 <= margin < 0.5:
            raise InputError("Expected at least one slice and a margin from 0 to below 0.5: got others. Give those.")
        self._extractor, self._slices, self._margin = extractor, slices, margin
        rule = {"slices": RULE.format(slices=slices, low=margin, high=1 - margin), "joined": JOINED}
        self._protocol = replace(
            inner,
            name=f"{inner.name}, three planes",
            width=3 * inner.width,
            preprocessing={**inner.preprocessing, **rule},
            spatial_dims=3,
            planes=True,
        )

    @property
    def protocol(self) -> FeatureProtocol:
        """How the features are computed."""
        return self._protocol

    def __call__(self, images: torch.Tensor, /) -> torch.Tensor:
        """Features of volumes.

        Args:
            images: shape ``(B, C, D, H, W)``.

        Returns:
            Shape ``(B, 3 * d)``.

        Raises:
            InputError: if they are no volumes.
        """
        if images.ndim != 5:
            raise InputError(
                f"Expected volumes of shape (batch, channels, D, H, W): got {images.ndim} axes. "
                "Use the 2D extractor itself."
            )
        planes = []
        for axis in (2, 3, 4):
            at = slice_positions(images.shape[axis], self._slices, margin=self._margin)
            cut = images.index_select(axis, torch.tensor(at, device=images.device)).movedim(axis, 1)
            rows = self._extractor(cut.flatten(0, 1))
            planes.append(rows.reshape(len(images), len(at), -1).mean(dim=1))
        return torch.cat(planes, dim=1)


def slice_positions(length: int, slices: int, *, margin: float) -> list[int]:
    """Which slices of an axis are taken.

    Args:
        length: slices of the volume along the axis.
        slices: how many are taken; a slice is taken again where there are fewer.
        margin: part of the axis left out at either end.

    Example:
        >>> slice_positions(100, 3, margin=0.15)
        [15, 50, 84]
    """
    parts = [0.5] if slices == 1 else [margin + (1 - 2 * margin) * i / (slices - 1) for i in range(slices)]
    return [round(part * (length - 1)) for part in parts]
