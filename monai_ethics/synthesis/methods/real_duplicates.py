# SPDX-License-Identifier: Apache-2.0
"""Real images that occur twice: they break the comparison of training with held-out patients if left in."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.neighbors import nearest

__all__ = ["without_duplicates"]


def without_duplicates(sets: FeatureSets, *, ratio: float, device: str = "cpu") -> FeatureSets:
    """Leave out patients whose image is another patient's image too.

    Two real images are one if their digests are equal, or if in the main space their distance is at most `ratio` of
    the median distance between a real image and the nearest image of another patient. Patients who share an image are
    taken for one: within one set the first of them is kept, and where they are in both sets none is. The rule does
    not look at who is in which set before patients are joined, and so favors neither.

    Args:
        sets: features, in canonical order.
        ratio: share of the median distance.
        device: where distances are computed.

    Returns:
        The sets without such patients.
    """
    owners = [*sets.train_patients, *sets.holdout_patients]
    patients = sorted(set(owners))
    row = {patient: i for i, patient in enumerate(patients)}
    index = np.array([row[patient] for patient in owners])
    first, second = _shared(sets, index, ratio=ratio, device=device)
    ones = np.ones(len(first), dtype=np.int8)
    graph = coo_array((ones, (first, second)), shape=(len(patients), len(patients)))
    person = connected_components(graph, directed=False)[1]
    in_train = {person[row[patient]] for patient in sets.train_patients}
    in_both = in_train & {person[row[patient]] for patient in sets.holdout_patients}
    representative = {person[i]: patient for i, patient in reversed(list(enumerate(patients)))}
    kept = {patient for who, patient in representative.items() if who not in in_both}
    return sets.taken(
        train=[i for i, patient in enumerate(sets.train_patients) if patient in kept],
        holdout=[i for i, patient in enumerate(sets.holdout_patients) if patient in kept],
    )


def _shared(sets: FeatureSets, owners: np.ndarray, *, ratio: float, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of patients, as rows of the sorted list of patients, who share an image."""
    space = sets.spaces[0]
    real = np.concatenate([sets.rows("train", space), sets.rows("holdout", space)])
    most = int(np.unique(owners, return_counts=True)[1].max())
    found = nearest(real, real, k=most + 1, device=device)  # at least one of them is another patient's
    foreign = owners[found.index] != owners[:, None]
    distance = np.where(foreign, found.distance, np.inf)
    smallest = distance.min(axis=1)
    smallest = smallest[np.isfinite(smallest)]
    limit = ratio * float(np.median(smallest)) if len(smallest) else -1.0
    at, neighbor = np.nonzero(distance <= limit)
    first, second = owners[at].tolist(), owners[found.index[at, neighbor]].tolist()
    owner_of: dict[str, int] = {}
    for digest, owner in zip([*(sets.train_digests or ()), *(sets.holdout_digests or ())], owners, strict=False):
        if digest is not None:
            first.append(owner_of.setdefault(digest, int(owner)))
            second.append(int(owner))
    return np.array(first, dtype=np.int64), np.array(second, dtype=np.int64)
