# SPDX-License-Identifier: Apache-2.0
"""Published measures of copying: each for synthetic and for held-out images against the same training images.

None is a test at a known error: without any copying, each has a value that depends on the data, which is why it is
never computed without the same number for held-out images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.neighbors import nearest

__all__ = ["above_correlation", "authentic", "cells_of", "copying_z", "copying_z_of_halves"]

FEWEST_IN_CELL = 5
FEWEST_FEATURES = 3  # the correlation of two numbers is 1 or -1
ROUNDS = 25  # of Lloyd's algorithm


def authentic(queries: np.ndarray, train: np.ndarray, *, device: str = "cpu") -> np.ndarray:
    """Whether each image lies farther from its nearest training image than that one from the nearest other one.

    Alaa et al. (2022), section 3.4, for each generated image, as it is defined there.

    Args:
        queries: shape ``(N, d)``.
        train: shape ``(M, d)``, two rows or more.
        device: where distances are computed.

    Returns:
        Shape ``(N,)``, bool.
    """
    near = nearest(queries, train, device=device)
    own = nearest(train, train, k=2, device=device).distance[:, 1]
    farther: np.ndarray = near.distance[:, 0] > own[near.index[:, 0]]
    return farther


def above_correlation(
    queries: Sequence[np.ndarray], train: np.ndarray, holdout: np.ndarray, *, percentile: float, device: str = "cpu"
) -> tuple[float, list[np.ndarray]] | None:
    """Which images correlate more with a training image than training images do with held-out ones.

    Dar et al. (2024): of each training image the largest correlation with a held-out one; a percentile of these is the
    threshold for the largest correlation of an image with a training one.

    Args:
        queries: images that are looked at, arrays of shape ``(N, d)``.
        train: shape ``(M, d)``.
        holdout: shape ``(H, d)``.
        percentile: between 0 and 100.
        device: where distances are computed.

    Returns:
        The threshold and, for each array of `queries`, which rows exceed it; ``None`` with fewer than three features
        or where all rows are constant.
    """
    between = _largest_correlation(train, holdout, device=device)
    if train.shape[1] < FEWEST_FEATURES or not np.isfinite(between).any():
        return None
    threshold = float(np.percentile(between[np.isfinite(between)], percentile))
    return threshold, [_largest_correlation(rows, train, device=device) > threshold for rows in queries]


def copying_z(
    synthetic: np.ndarray, holdout: np.ndarray, *, synthetic_cells: np.ndarray, holdout_cells: np.ndarray
) -> float | None:
    """``C_T`` of Meehan et al. (2020): whether synthetic images are closer to training than held-out ones, by ranks.

    In each cell the Mann-Whitney statistic of the distances as a z-score, negative if synthetic ones are smaller;
    averaged over cells with the share of held-out images.

    Args:
        synthetic: distances to training of synthetic images, shape ``(N,)``.
        holdout: of held-out images, shape ``(H,)``.
        synthetic_cells: cell of each synthetic image.
        holdout_cells: cell of each held-out image.

    Returns:
        The score; ``None`` if no cell has five images of each.
    """
    scores, weights = [], []
    for cell in np.unique(holdout_cells):
        made, real = synthetic[synthetic_cells == cell], holdout[holdout_cells == cell]
        if min(len(made), len(real)) >= FEWEST_IN_CELL:
            ranks = rankdata(np.concatenate([made, real]))[: len(made)].sum()
            greater = ranks - len(made) * (len(made) + 1) / 2
            spread = np.sqrt(len(made) * len(real) * (len(made) + len(real) + 1) / 12)
            scores.append((greater - len(made) * len(real) / 2) / spread)
            weights.append(len(real))
    return float(np.average(scores, weights=weights)) if scores else None


def copying_z_of_halves(
    distance: np.ndarray, cells: np.ndarray, patients: Sequence[str], *, splits: int, seed: int
) -> np.ndarray:
    """`copying_z` between random halves of held-out patients: what it is where nothing was copied.

    Args:
        distance: distances to training of held-out images, shape ``(H,)``.
        cells: their cells.
        patients: their patients.
        splits: number of random halves.
        seed: seed of the halves.

    Returns:
        The scores that are defined, at most `splits`.
    """
    rng = np.random.default_rng(seed)
    names, owner = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    scores = []
    for _ in range(splits):
        first = np.isin(owner, rng.permutation(len(names))[: len(names) // 2])
        score = copying_z(distance[first], distance[~first], synthetic_cells=cells[first], holdout_cells=cells[~first])
        scores += [] if score is None else [score]
    return np.array(scores)


def cells_of(sets: FeatureSets, *, cells: int, seed: int, device: str = "cpu") -> dict[str, np.ndarray]:
    """Cell of each synthetic and held-out image among `cells` groups of training images, in the main space.

    Args:
        sets: features.
        cells: number of cells (k-means of the training images).
        seed: seed of the starting centers.
        device: where distances are computed.
    """
    space = sets.spaces[0]
    train = sets.rows("train", space).astype(np.float64)
    rng = np.random.default_rng(seed)
    centers = train[rng.choice(len(train), min(cells, len(train)), replace=False)]
    for _ in range(ROUNDS):
        own = nearest(train, centers, device=device).index[:, 0]
        moved = np.stack([train[own == i].mean(axis=0) if (own == i).any() else c for i, c in enumerate(centers)])
        if np.array_equal(moved, centers):
            break
        centers = moved
    return {
        role: nearest(sets.rows(role, space).astype(np.float64), centers, device=device).index[:, 0]
        for role in ("synthetic", "holdout")
    }


def _largest_correlation(queries: np.ndarray, reference: np.ndarray, *, device: str) -> np.ndarray:
    """Largest Pearson correlation of each row with a reference row, shape ``(N,)``; not a number for constant rows."""
    (rows, varied), (others, other_varied) = _unit(queries), _unit(reference)
    largest = np.full(len(rows), np.nan)
    if varied.any() and other_varied.any():
        near = nearest(rows[varied], others[other_varied], device=device).distance[:, 0]
        largest[varied] = 1 - np.square(near) / 2
    return largest


def _unit(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centered = rows.astype(np.float64) - rows.mean(axis=1, keepdims=True, dtype=np.float64)
    norms = np.linalg.norm(centered, axis=1, keepdims=True)
    varied = norms[:, 0] > np.finfo(np.float64).eps * np.abs(rows).max(axis=1, initial=0.0) * rows.shape[1]
    return np.divide(centered, norms, out=np.zeros_like(centered), where=norms > 0), varied
