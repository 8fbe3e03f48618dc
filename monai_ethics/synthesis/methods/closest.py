# SPDX-License-Identifier: Apache-2.0
"""Smallest distances that see through flips and shifts, the same way for every set that is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.neighbors import nearest

__all__ = ["Closest", "closest", "patient_minima", "views_compared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closest:
    """Nearest reference image of each query image over all views.

    Args:
        distance: shape ``(N,)``, float64, in the unit of the features.
        index: row of the reference, shape ``(N,)``, int64.
    """

    distance: np.ndarray
    index: np.ndarray


def closest(
    sets: FeatureSets, space: str, *, queries: Sequence[str], reference: str, device: str = "cpu"
) -> dict[str, Closest]:
    """Nearest reference image of each image of the queried sets, by role.

    Views of the reference are compared with the queried images as they are: the queried sets are then treated alike
    whatever views they have. Without them, views of the queried images are used if all queried sets have equally
    many, and none otherwise, since whoever has more views is near more easily.

    Args:
        sets: the features.
        space: the space in which distances are taken.
        queries: roles of the sets that are compared with each other.
        reference: role of the set they are near to.
        device: where distances are computed.
    """
    known = sets.views(reference, space)
    flat = known.reshape(-1, known.shape[2])
    seen = {role: sets.views(role, space) for role in queries}
    if known.shape[1] > 1 or len({views.shape[1] for views in seen.values()}) > 1:
        seen = {role: views[:, :1] for role, views in seen.items()}
    return {role: _closest(views, flat, per_image=known.shape[1], device=device) for role, views in seen.items()}


def views_compared(sets: FeatureSets, *, queries: Sequence[str], reference: str) -> dict[str, int]:
    """How many views `closest` uses besides the images themselves, by space."""
    used = {}
    for space in sets.spaces:
        counts = {sets.views(role, space).shape[1] for role in queries}
        own = sets.views(reference, space).shape[1]
        used[space] = (own if own > 1 or len(counts) > 1 else min(counts)) - 1
    return used


def patient_minima(sets: FeatureSets, patients: Sequence[str], *, device: str = "cpu") -> np.ndarray:
    """Smallest distance of any training or held-out image of each patient to any synthetic image.

    Args:
        sets: the features.
        patients: patients with training or held-out images.
        device: where distances are computed.

    Returns:
        Shape ``(patients, spaces)``, in the unit of the features.
    """
    row = {patient: i for i, patient in enumerate(patients)}
    owners = np.array([row[patient] for patient in [*sets.train_patients, *sets.holdout_patients]], dtype=np.int64)
    values = np.full((len(patients), len(sets.spaces)), np.inf)
    for column, space in enumerate(sets.spaces):
        near = closest(sets, space, queries=("train", "holdout"), reference="synthetic", device=device)
        both = np.concatenate([near["train"].distance, near["holdout"].distance])
        np.minimum.at(values[:, column], owners, both)
    return values


def _closest(queried: np.ndarray, flat: np.ndarray, *, per_image: int, device: str) -> Closest:
    n, views, width = queried.shape
    found = nearest(queried.reshape(n * views, width), flat, device=device)
    distance, index = found.distance[:, 0].reshape(n, views), found.index[:, 0].reshape(n, views) // per_image
    best = np.lexsort((index, distance), axis=1)[:, :1]
    return Closest(
        distance=np.take_along_axis(distance, best, axis=1)[:, 0],
        index=np.take_along_axis(index, best, axis=1)[:, 0],
    )
