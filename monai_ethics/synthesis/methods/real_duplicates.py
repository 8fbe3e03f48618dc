# SPDX-License-Identifier: Apache-2.0
"""Real images that occur twice: they break the comparison of training with held-out patients if left in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.neighbors import nearest

__all__ = ["SharedImages", "shared_images", "without_duplicates"]

FOREIGN = 10  # nearest images of other patients that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedImages:
    """Images that two patients share; rows count training images first, then held-out ones.

    Args:
        first: row of one image of each pair, shape ``(pairs,)``, int64, below `second`.
        second: row of the other image.
        distance: distance of the two over all views, shape ``(pairs,)``, in the unit of the features.
        same_digest: whether their digests are equal, shape ``(pairs,)``, bool.
        person: which patients are taken for one, by patient.
    """

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    same_digest: np.ndarray
    person: dict[str, int]


def shared_images(sets: FeatureSets, *, ratio: float, device: str = "cpu") -> SharedImages:
    """Images that two patients share.

    Two real images are one if their digests are equal, or if in the main space their distance, or that of one to a
    flipped or shifted view of the other, is at most `ratio` of the median distance between a real image and the
    nearest image of another patient. The ten nearest of other patients are looked at, and patients are joined through
    one another. The rule does not look at who is in which set and so favors neither.

    Args:
        sets: features, in canonical order.
        ratio: share of the median distance.
        device: where distances are computed.
    """
    owners = [*sets.train_patients, *sets.holdout_patients]
    patients = sorted(set(owners))
    row = {patient: i for i, patient in enumerate(patients)}
    index = np.array([row[patient] for patient in owners], dtype=np.int64)
    pairs = {**_near_pairs(sets, index, ratio=ratio, device=device)}
    marked = _digest_pairs(sets, index)
    for pair in marked:
        pairs.setdefault(pair, _apart(sets, *pair))
    found = sorted(pairs)
    first = np.array([pair[0] for pair in found], dtype=np.int64)
    second = np.array([pair[1] for pair in found], dtype=np.int64)
    ones = np.ones(len(found), dtype=np.int8)
    graph = coo_array((ones, (index[first], index[second])), shape=(len(patients), len(patients)))
    person = connected_components(graph, directed=False)[1]
    return SharedImages(
        first=first,
        second=second,
        distance=np.array([pairs[pair] for pair in found]),
        same_digest=np.array([pair in marked for pair in found], dtype=bool),
        person={patient: int(person[i]) for patient, i in row.items()},
    )


def without_duplicates(sets: FeatureSets, *, ratio: float, device: str = "cpu") -> FeatureSets:
    """Leave out patients whose image is another patient's image too.

    Patients who share an image are taken for one: within one set the first of them is kept, and where they are in both
    sets none is.

    Args:
        sets: features, in canonical order.
        ratio: see `shared_images`.
        device: where distances are computed.

    Returns:
        The sets without such patients.
    """
    person = shared_images(sets, ratio=ratio, device=device).person
    in_both = {person[patient] for patient in sets.train_patients} & {person[p] for p in sets.holdout_patients}
    representative = {person[patient]: patient for patient in sorted(person, reverse=True)}
    kept = {patient for who, patient in representative.items() if who not in in_both}
    return sets.taken(
        train=[i for i, patient in enumerate(sets.train_patients) if patient in kept],
        holdout=[i for i, patient in enumerate(sets.holdout_patients) if patient in kept],
    )


def _near_pairs(sets: FeatureSets, owners: np.ndarray, *, ratio: float, device: str) -> dict[tuple[int, int], float]:
    """Pairs of rows of different patients that are near enough to be one image, and their distance."""
    space = sets.spaces[0]
    seen = [sets.views(role, space) for role in ("train", "holdout")]
    views = min(part.shape[1] for part in seen) if len({part.shape[1] for part in seen}) == 1 else 1
    real = np.concatenate([part[:, :views] for part in seen])
    if len(np.unique(owners)) < 2:
        return {}
    most = int(np.unique(owners, return_counts=True)[1].max())
    found = nearest(real[:, 0], real.reshape(-1, real.shape[2]), k=most * views + FOREIGN, device=device)
    neighbor = found.index // views  # at least ten of them are another patient's
    distance = np.where(owners[neighbor] != owners[:, None], found.distance, np.inf)
    smallest = distance.min(axis=1)
    limit = ratio * float(np.median(smallest[np.isfinite(smallest)]))
    pairs: dict[tuple[int, int], float] = {}
    for at, place in np.argwhere(distance <= limit).tolist():
        pair = (min(at, int(neighbor[at, place])), max(at, int(neighbor[at, place])))
        pairs[pair] = min(pairs.get(pair, np.inf), float(distance[at, place]))
    return pairs


def _digest_pairs(sets: FeatureSets, owners: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of rows of different patients with one digest: each row with the first of that digest."""
    columns = [getattr(sets, f"{role}_digests") or (None,) * sets.size(role) for role in ("train", "holdout")]
    known: dict[str, int] = {}
    pairs = set()
    for row, digest in enumerate([*columns[0], *columns[1]]):
        if digest is not None and owners[known.setdefault(digest, row)] != owners[row]:
            pairs.add((known[digest], row))
    return pairs


def _apart(sets: FeatureSets, first: int, second: int) -> float:
    train = sets.size("train")
    space = sets.spaces[0]
    ends = [
        sets.rows("train", space)[row] if row < train else sets.rows("holdout", space)[row - train]
        for row in (first, second)
    ]
    return float(np.linalg.norm(ends[0].astype(np.float64) - ends[1]))
