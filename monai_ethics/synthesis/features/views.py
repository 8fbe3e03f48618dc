# SPDX-License-Identifier: Apache-2.0
"""The same image flipped and shifted, so that a copy is found that was flipped or shifted on its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from monai_ethics.errors import InputError

__all__ = ["View", "standard_views"]

SHIFTED = 1 / 16


@dataclass(frozen=True, kw_only=True)
class View:
    """One change of an image that leaves what it shows.

    Args:
        flip: spatial axes that are reversed; 0 is the first after the channels.
        shift: for each spatial axis the part of its length by which the image moves; what is uncovered repeats the
            edge. No shift if empty.
    """

    flip: tuple[int, ...] = ()
    shift: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """What is done, in words."""
        parts = [f"flip {axis}" for axis in self.flip]
        parts += [f"shift {axis} by {part:g}" for axis, part in enumerate(self.shift) if part]
        return ", ".join(parts) or "as it is"

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Changed images.

        Args:
            images: shape ``(B, C, *spatial)``.

        Returns:
            The same shape, type and device.

        Raises:
            InputError: if the images have fewer axes than the view.
        """
        if max((*self.flip, len(self.shift) - 1, 0)) + 2 >= images.ndim:
            raise InputError("Expected images with as many axes as the view: got fewer. Use the views of their number.")
        changed = images.flip([axis + 2 for axis in self.flip]) if self.flip else images
        for axis, part in enumerate(self.shift):
            changed = _moved(changed, axis + 2, round(part * images.shape[axis + 2]))
        return changed


def standard_views(spatial_dims: int, *, shift: float = SHIFTED) -> tuple[View, ...]:
    """Flips along each axis, along the first two, and shifts both ways along each axis.

    Args:
        spatial_dims: 2 or 3.
        shift: part of an axis's length; 0 for flips only.

    Returns:
        Seven views of a 2D image and ten of a volume; the image itself is not among them.
    """
    if spatial_dims not in (2, 3) or not 0 <= shift < 1:
        raise InputError("Expected 2 or 3 dimensions and a shift from 0 to below 1: got others. Give those.")
    flips: Sequence[tuple[int, ...]] = [*((axis,) for axis in range(spatial_dims)), (0, 1)]
    moves = [
        tuple(way * shift * (axis == at) for at in range(spatial_dims))
        for axis in range(spatial_dims)
        for way in (1, -1)
    ]
    return (*(View(flip=axes) for axes in flips), *(View(shift=move) for move in moves if shift))


def _moved(images: torch.Tensor, axis: int, by: int) -> torch.Tensor:
    if not by:
        return images
    length = images.shape[axis]
    source = (torch.arange(length, device=images.device) - by).clamp(0, length - 1)
    return images.index_select(axis, source)
