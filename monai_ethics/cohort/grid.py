# SPDX-License-Identifier: Apache-2.0
"""The one coordinate system of the cohort: a cube of 236 mm in MNI space, as [-1, 1] along x, y and z (RAS)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
import torch.nn.functional as F

__all__ = ["CENTER_MM", "FIELD_OF_VIEW_MM", "blur", "cube", "image_affine", "pixel_centers", "resample_file", "sample"]

FIELD_OF_VIEW_MM = 236.0
CENTER_MM = (0.0, -18.0, 8.0)


def cube(n: int) -> torch.Tensor:
    """Normalized coordinates of a cubic grid whose corners are the corners of the field of view, ``(n, n, n, 3)``."""
    axis = torch.linspace(-1, 1, n)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)


def pixel_centers(size: Sequence[int], *, height_mm: float | None = None) -> torch.Tensor:
    """Normalized coordinates of the pixel centers of an image.

    Args:
        size: 2 (axial slice) or 3 (volume) lengths in pixels.
        height_mm: z of the slice in MNI space; only with 2 lengths.

    Returns:
        Float tensor ``(*size, 3)``, or ``(*size, 1, 3)`` for a slice.
    """
    axes = [torch.linspace(-1 + 1 / k, 1 - 1 / k, k) for k in size]
    if height_mm is not None:
        axes.append(torch.tensor([(height_mm - CENTER_MM[2]) / (FIELD_OF_VIEW_MM / 2)]))
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def image_affine(size: Sequence[int], *, height_mm: float | None = None) -> np.ndarray:
    """Pixel index to MNI millimeters of the grid of `pixel_centers`, ``(4, 4)`` float64."""
    half = FIELD_OF_VIEW_MM / 2
    spacing = [FIELD_OF_VIEW_MM / k for k in size]
    origin = [c - half + s / 2 for c, s in zip(CENTER_MM, spacing, strict=False)]
    if height_mm is not None:
        spacing.append(1.0)
        origin.append(height_mm)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return affine


def sample(volume: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Read a volume by linear interpolation; zero outside.

    Args:
        volume: ``(C, X, Y, Z)``.
        points: ``(..., 3)`` in [-1, 1], order x, y, z.

    Returns:
        ``(C, ...)``.
    """
    flat = points.flip(-1).reshape(1, 1, 1, -1, 3)
    values = F.grid_sample(volume[None], flat, mode="bilinear", padding_mode="zeros", align_corners=True)
    return values.reshape(volume.shape[0], *points.shape[:-1])


def blur(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """Separable Gaussian over all trailing dimensions of ``(C, *spatial)`` (2 or 3), `sigma` in pixels."""
    if sigma <= 0:
        return x
    radius = max(1, math.ceil(3 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=x.dtype) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    dims = x.ndim - 1
    convolve = F.conv3d if dims == 3 else F.conv2d
    out = x[:, None]
    for d in range(dims):
        shape, pad = [1] * dims, [0, 0] * dims
        shape[d] = -1
        pad[2 * (dims - 1 - d)] = pad[2 * (dims - 1 - d) + 1] = radius
        out = convolve(F.pad(out, pad, mode="replicate"), kernel.view(1, 1, *shape))
    return out[:, 0]


def resample_file(path: Path, n: int, *, scale: float = 1.0, above: float | None = None) -> torch.Tensor:
    """Read a NIfTI volume onto the cube of `n` points, smoothed to that resolution.

    Args:
        path: file in MNI space.
        n: points along each axis.
        scale: divides the values.
        above: if given, the volume is first made binary: 1 where a value is above it.

    Returns:
        Float tensor ``(n, n, n)``.
    """
    image = nib.load(path)
    values = np.asarray(image.dataobj)  # type: ignore[attr-defined]
    values = values / scale if above is None else values > above
    volume = torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float32)[None]
    mm = FIELD_OF_VIEW_MM / (n - 1)
    volume = blur(volume, mm / 2.355 * 0.6)
    inverse = torch.as_tensor(np.linalg.inv(image.affine), dtype=torch.float32)  # type: ignore[attr-defined]
    world = cube(n) * (FIELD_OF_VIEW_MM / 2) + torch.tensor(CENTER_MM)
    index = world @ inverse[:3, :3].T + inverse[:3, 3]
    return sample(volume, 2 * index / (torch.tensor(volume.shape[1:]) - 1) - 1)[0]
