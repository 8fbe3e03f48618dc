# SPDX-License-Identifier: Apache-2.0
"""Pairs of a training and a synthetic image for a human to look at; nothing here is a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monai_ethics.evidence import Observation
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.neighbors import nearest
from monai_ethics.synthesis.methods.closest import closest

__all__ = ["Pairs", "list_pairs", "neighbor_ratio"]

FEWEST_NEIGHBORS = 10  # an average over fewer says little about how dense the training images lie
NO_INFERENCE = "For review; no p-value belongs to a single pair."


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """What stands out among pairs of a synthetic and its nearest training image, in the first space.

    Args:
        observations: pairs by pseudonym, at most `listed` of each kind; none if pseudonyms were not given.
        identical: synthetic images whose digest or features are a training image's.
        outlying: synthetic images with a ratio below 1; ``None`` if there are fewer than ten training
            images, or all are the same.
        closer_than_real: synthetic images nearer to training than every held-out image.
        of_held_out: synthetic images whose digest or features are a held-out image's.
    """

    observations: tuple[Observation, ...]
    identical: int
    outlying: int | None
    closer_than_real: int
    of_held_out: int


def list_pairs(sets: FeatureSets, *, neighbors: int, scale: float, listed: int, device: str = "cpu") -> Pairs:
    """Find identical, outlying and nearest pairs.

    The ratio of Carlini et al.: distance to the nearest training image, over all views, over `scale` times the mean
    distance to the `neighbors` nearest ones as they are. Below 1, an image is closer to one training image than its
    surroundings explain.

    Args:
        sets: features, in canonical order and without duplicates among real images; the first space is looked at.
        neighbors: training images to average over.
        scale: factor of the average.
        listed: pairs listed of each kind.
        device: where distances are computed.
    """
    space = sets.spaces[0]
    near = closest(sets, space, queries=("synthetic", "holdout"), reference="train", device=device)
    distance, partner = near["synthetic"].distance, near["synthetic"].index.copy()
    real = near["holdout"].distance.min()
    ratio = neighbor_ratio(sets, "synthetic", distance, neighbors=neighbors, scale=scale, device=device)
    identical, outlying = _same_content(sets, partner) | (distance == 0), ratio < 1
    rows = np.arange(len(distance))
    kinds = (
        ("identical", rows[identical], distance),
        ("outlying", rows[outlying & ~identical], ratio),
        ("nearest", rows[~outlying & ~identical], distance),
    )
    observations = [
        _observation(sets, kind, synthetic_row=row, train_row=int(partner[row]), value=float(value[row]))
        for kind, members, value in kinds
        for row in members[np.argsort(value[members], kind="stable")][:listed].tolist()
        if sets.train_items is not None and sets.synthetic_items is not None
    ]
    return Pairs(
        observations=tuple(observations),
        identical=int(identical.sum()),
        outlying=int((outlying | identical).sum()) if np.isfinite(ratio).any() else None,
        closer_than_real=int((distance < real).sum()),
        of_held_out=_of_held_out(sets, device=device),
    )


def neighbor_ratio(
    sets: FeatureSets, role: str, distance: np.ndarray, *, neighbors: int, scale: float, device: str = "cpu"
) -> np.ndarray:
    """Distance to the nearest training image over what its surroundings explain, shape ``(N,)``, in the main space.

    Args:
        sets: features.
        role: the images that are looked at.
        distance: their smallest distances to training images, shape ``(N,)``.
        neighbors: training images to average over.
        scale: factor of the average.
        device: where distances are computed.

    Returns:
        The ratios; infinite where there are fewer than ten training images or the average is 0.
    """
    space = sets.spaces[0]
    found = nearest(sets.rows(role, space), sets.rows("train", space), k=neighbors, device=device)
    mean = scale * found.distance.mean(axis=1)
    enough = found.distance.shape[1] >= FEWEST_NEIGHBORS
    ratio: np.ndarray = np.divide(distance, mean, out=np.full(len(mean), np.inf), where=(mean > 0) & enough)
    return ratio


def _same_content(sets: FeatureSets, partner: np.ndarray) -> np.ndarray:
    """Where the content of a synthetic image is a training image's; `partner` is set to it."""
    known: dict[str, int] = {}
    for row, digest in enumerate(sets.train_digests or ()):
        if digest is not None:
            known.setdefault(digest, row)
    digests: Sequence[str | None] = sets.synthetic_digests or (None,) * len(partner)
    same = np.array([digest is not None and digest in known for digest in digests], dtype=bool)
    for repeat in np.flatnonzero(same).tolist():
        partner[repeat] = known[str(digests[repeat])]
    return same


def _of_held_out(sets: FeatureSets, *, device: str) -> int:
    """How many synthetic images repeat a held-out one, as `identical` counts those that repeat a training image."""
    near = closest(sets, sets.spaces[0], queries=("synthetic",), reference="holdout", device=device)["synthetic"]
    known, digests = {*(sets.holdout_digests or ())} - {None}, sets.synthetic_digests or (None,) * len(near.distance)
    return int((np.array([digest in known for digest in digests], dtype=bool) | (near.distance == 0)).sum())


def _observation(sets: FeatureSets, kind: str, *, synthetic_row: int, train_row: int, value: float) -> Observation:
    notes = {
        "identical": f"The synthetic image repeats a training image. {NO_INFERENCE}",
        "outlying": f"Ratio below 1: nearer than the surroundings of the training image explain. {NO_INFERENCE}",
        "nearest": f"Among the nearest pairs, which any set has. {NO_INFERENCE}",
    }
    items = ((sets.train_items or ())[train_row], (sets.synthetic_items or ())[synthetic_row])
    unit = "1" if kind == "outlying" else "feature distance"
    return Observation(label=f"{kind} pair", items=items, value=value, unit=unit, note=notes[kind])
