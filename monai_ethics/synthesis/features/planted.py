# SPDX-License-Identifier: Apache-2.0
"""Copies of training images as a generator might give them back: flipped, shifted, noisy, or in part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.planted_copies import PlantedCopies
from monai_ethics.synthesis.features.extract import extract
from monai_ethics.synthesis.features.extractor import FeatureExtractor
from monai_ethics.synthesis.features.views import View

__all__ = ["KINDS", "altered", "planted_copies"]

KINDS = ("exact", "flipped", "shifted", "noisy", "slices")
NOISE = 0.1  # of the image's own standard deviation
SHIFT = 0.03  # of each axis, unlike the views that are looked at


def altered(image: torch.Tensor, kind: str, *, background: torch.Tensor | None = None, seed: int = 0) -> torch.Tensor:
    """One training image, altered.

    ``flipped``: along the last axis. ``shifted``: by 3 % of every axis. ``noisy``: with normal noise of a tenth of the
    image's standard deviation. ``slices``: the middle half of a volume's slices, in place of those of `background`.

    Args:
        image: shape ``(C, *spatial)``.
        kind: one of `KINDS`.
        background: a synthetic volume of the same shape, for ``slices``.
        seed: of the noise.

    Returns:
        The same shape and type.

    Raises:
        InputError: if the kind is unknown, or ``slices`` lacks a volume and a background of its shape.
    """
    dims = image.ndim - 1
    if kind == "exact":
        return image.clone()
    if kind == "flipped":
        return View(flip=(dims - 1,))(image[None])[0]
    if kind == "shifted":
        return View(shift=(SHIFT,) * dims)(image[None])[0]
    if kind == "noisy":
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed)).to(image)
        return image + NOISE * image.std() * noise
    if kind != "slices" or dims != 3 or background is None or background.shape != image.shape:
        raise InputError(
            f"Expected one of {', '.join(KINDS)}, and for slices volumes and a synthetic one of the same shape: got "
            "another. Leave that kind out."
        )
    depth, mixed = image.shape[1], background.clone().to(image)
    mixed[:, depth // 4 : depth - depth // 4] = image[:, depth // 4 : depth - depth // 4]
    return mixed


def planted_copies(
    sets: FeatureSets,
    images: Sequence[torch.Tensor],
    patients: Sequence[str],
    extractors: Sequence[FeatureExtractor],
    *,
    backgrounds: Sequence[torch.Tensor] = (),
    views: Sequence[View] = (),
    seed: int = 0,
) -> PlantedCopies:
    """Features of altered copies of some training images, by the extractors of the sets.

    Args:
        sets: the sets, in the spaces of `extractors`.
        images: training images, each of shape ``(C, *spatial)``; some tens of patients are enough.
        patients: patient of each.
        extractors: those that computed the sets.
        backgrounds: synthetic volumes into which slices are put; without them, that kind is left out.
        views: those with which the synthetic images were computed, if any.
        seed: of the noise.
    """
    copies = {}
    for kind in KINDS:
        if kind == "slices" and (not backgrounds or images[0].ndim != 4):
            continue
        behind = [backgrounds[i % len(backgrounds)] if backgrounds else None for i in range(len(images))]
        made = (
            altered(image, kind, background=back, seed=seed + i)
            for i, (image, back) in enumerate(zip(images, behind, strict=True))
        )
        found = extract(made, extractors, views=views)
        copies[kind] = {
            space: np.concatenate([rows[:, None], found.views[space]], axis=1)
            if sets.views("synthetic", space).shape[1] > 1
            else rows
            for space, rows in found.features.items()
        }
    return PlantedCopies(sets=sets, patients=patients, copies=copies)
