# SPDX-License-Identifier: Apache-2.0
"""Features of many images, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.protocol import FeatureProtocol
from monai_ethics.synthesis.features.extractor import FeatureExtractor
from monai_ethics.synthesis.features.views import View

__all__ = ["Extracted", "batches", "extract"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Extracted:
    """Features of images in several spaces, in the order of the images.

    Args:
        features: by space, shape ``(N, d)``, float32.
        views: by space, shape ``(N, views, d)``; empty without views.
        protocols: by space.
    """

    features: dict[str, np.ndarray]
    views: dict[str, np.ndarray]
    protocols: dict[str, FeatureProtocol]


def extract(
    images: Iterable[torch.Tensor],
    extractors: Sequence[FeatureExtractor],
    *,
    views: Sequence[View] = (),
    batch_size: int = 16,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> Extracted:
    """Compute the features of images, of which a batch is in memory at a time.

    Args:
        images: each of shape ``(C, *spatial)``; neighbors of one shape form a batch.
        extractors: one for each space, the main one first.
        views: what else is computed of each image.
        batch_size: images in a batch at most.
        device: where the images are put.
        progress: called with the number of images done.

    Raises:
        InputError: if there is no image or no extractor, or two extractors have one name.
    """
    protocols = {extractor.protocol.name: extractor.protocol for extractor in extractors}
    if not extractors or len(protocols) != len(extractors):
        raise InputError("Expected extractors with names of their own: got none, or two of one name. Name each.")
    rows: dict[str, list[np.ndarray]] = {name: [] for name in protocols}
    done = 0
    for batch in batches(images, batch_size):
        seen = batch.to(device)
        for name, extractor in zip(protocols, extractors, strict=True):
            found = [extractor(seen), *(extractor(view(seen)) for view in views)]
            rows[name].append(torch.stack([part.detach().float().cpu() for part in found], dim=1).numpy())
        done += len(batch)
        if progress is not None:
            progress(done)
    if not done:
        raise InputError("Expected at least one image: got none. Give some.")
    whole = {name: np.concatenate(parts) for name, parts in rows.items()}
    for array in whole.values():
        if not np.isfinite(array).all():
            raise InputError("Expected finite features: got NaN or infinity. Check the network and its preprocessing.")
    return Extracted(
        features={name: np.ascontiguousarray(array[:, 0]) for name, array in whole.items()},
        views={name: np.ascontiguousarray(array[:, 1:]) for name, array in whole.items()} if views else {},
        protocols=protocols,
    )


def batches(images: Iterable[torch.Tensor], batch_size: int) -> Iterator[torch.Tensor]:
    """Images in batches: neighbors of one shape together, the order kept.

    Args:
        images: each of shape ``(C, *spatial)``.
        batch_size: images in a batch at most.

    Returns:
        Tensors of shape ``(B, C, *spatial)``.
    """
    if batch_size < 1:
        raise InputError(f"`batch_size` must be at least 1: got {batch_size}. Give how many images fit in memory.")
    held: list[torch.Tensor] = []
    for image in images:
        if held and (image.shape != held[0].shape or len(held) == batch_size):
            yield torch.stack(held)
            held = []
        held.append(image)
    if held:
        yield torch.stack(held)
