# SPDX-License-Identifier: Apache-2.0
"""Altered copies of training images, to be planted among the synthetic ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.feature_sets import Features, FeatureSets

__all__ = ["PlantedCopies"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PlantedCopies:
    """Features of a user's own sets, and of altered copies of some of the training images.

    Args:
        sets: training, held-out and synthetic images.
        patients: the training patient of each copied image, length ``M``.
        copies: by kind of alteration (``"exact"``, ``"flipped"`` and so on) and space, features of the copies, shape
            ``(M, 1 + views, d)`` with as many views as the synthetic images have in that space, or ``(M, d)``
            without views; each kind alters the same ``M`` images.

    Raises:
        InputError: if a space, a shape or a patient does not fit the sets, or a number is not finite.
    """

    sets: FeatureSets
    patients: Sequence[str]
    copies: Mapping[str, Features]

    def __post_init__(self) -> None:
        patients = tuple(self.patients)
        object.__setattr__(self, "patients", patients)
        if {*patients} - {*self.sets.train_patients}:
            raise InputError("Copied images must be of training patients: got others. Copy training images.")
        kinds = {kind: self._fitting(spaces) for kind, spaces in self.copies.items()}
        object.__setattr__(self, "copies", kinds)

    def _fitting(self, spaces: Features) -> dict[str, np.ndarray]:
        fitting: dict[str, np.ndarray] = {}
        for space in self.sets.spaces:
            if space not in spaces:
                raise InputError("Copies must have features in the spaces of the sets: one is missing. Compute it.")
            rows = np.asarray(spaces[space])
            rows = rows[:, None, :] if rows.ndim == 2 else rows
            expected = (len(self.patients), *self.sets.views("synthetic", space).shape[1:])
            if rows.shape != expected or not np.isfinite(rows).all():
                raise InputError(
                    f"Copies must have finite features of shape {expected}, like the synthetic images: got "
                    f"{rows.shape}. Compute them with the extractor and the views of the synthetic images."
                )
            fitting[space] = rows
        return fitting

    def reordered(self, order: Sequence[int]) -> PlantedCopies:
        """The same sets and copies in another order; what is shorter than `order` uses the part it can."""
        kept = [i for i in order if i < len(self.patients)]
        rows = [*kept, *range(len(order), len(self.patients))]
        return replace(self._taken(rows), sets=self.sets.reordered(order))

    def canonical(self) -> PlantedCopies:
        """The same in an order that depends on the content only."""
        columns = [rows for _, spaces in sorted(self.copies.items()) for _, rows in sorted(spaces.items())]
        keys = [(patient, *(rows[i].tobytes() for rows in columns)) for i, patient in enumerate(self.patients)]
        return replace(self._taken(sorted(range(len(keys)), key=keys.__getitem__)), sets=self.sets.canonical())

    def _taken(self, rows: Sequence[int]) -> PlantedCopies:
        index = np.asarray(rows, dtype=np.int64)
        copies = {kind: {space: part[index] for space, part in spaces.items()} for kind, spaces in self.copies.items()}
        return replace(self, patients=tuple(self.patients[i] for i in index), copies=copies)
