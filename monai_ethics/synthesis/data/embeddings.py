# SPDX-License-Identifier: Apache-2.0
"""What a network makes of images of both sources: embeddings with source, class and unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monai_ethics.errors import InputError

__all__ = ["EmbeddingTable"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingTable:
    """Embeddings of images that the network was not trained on.

    Args:
        embeddings: shape ``(N, d)``, float.
        synthetic: whether each image is synthetic; ``None`` = not known.
        classes: class of each image; ``None`` = not recorded.
        units: what is independent: its patient, or what a synthetic image was generated with.

    Raises:
        InputError: if lengths differ or a number is not finite.
    """

    embeddings: np.ndarray
    synthetic: Sequence[bool | None]
    classes: Sequence[str | None]
    units: Sequence[str]

    def __post_init__(self) -> None:
        array = np.asarray(self.embeddings, dtype=np.float64)
        if array.ndim != 2 or not np.isfinite(array).all():
            raise InputError("`embeddings` must be finite numbers of shape (images, features): got others. Reshape.")
        object.__setattr__(self, "embeddings", array)
        for name in ("synthetic", "classes", "units"):
            if len(getattr(self, name)) != len(array):
                raise InputError(
                    f"`{name}` must have one entry per image: got {len(getattr(self, name))} for {len(array)}. "
                    "Match them."
                )

    def reordered(self, order: Sequence[int]) -> EmbeddingTable:
        """The same images in another order."""
        return replace(
            self,
            embeddings=self.embeddings[list(order)],
            synthetic=tuple(self.synthetic[i] for i in order),
            classes=tuple(self.classes[i] for i in order),
            units=tuple(self.units[i] for i in order),
        )

    def canonical(self) -> EmbeddingTable:
        """The same images in an order that depends on their content only."""
        columns = (self.units, self.classes, self.synthetic)
        keys = [
            (*(str(column[i]) for column in columns), self.embeddings[i].tobytes()) for i in range(len(self.embeddings))
        ]
        return self.reordered(sorted(range(len(keys)), key=keys.__getitem__))
