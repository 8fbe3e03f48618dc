# SPDX-License-Identifier: Apache-2.0
"""A linear probe of a binary flag, given a class, under many labelings at once.

Ridge regression on the flag, after the class means of the training folds are taken off: one factorization of a fold
serves every labeling. Scores of two folds are not comparable, so areas are taken within a fold and a class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import linalg, stats

__all__ = ["flag_permutations", "fold_of_units", "probe_areas"]


def fold_of_units(units: Sequence[str], *, folds: int, seed: int) -> np.ndarray:
    """Fold of each row, shape ``(N,)``: units go to folds at random and whole."""
    names, codes = np.unique(np.asarray(units, dtype=str), return_inverse=True)
    dealt = np.arange(len(names)) % folds
    fold: np.ndarray = np.random.default_rng(seed).permutation(dealt)[codes]
    return fold


def flag_permutations(
    flags: np.ndarray, classes: Sequence[str], units: Sequence[str], *, draws: int, seed: int
) -> np.ndarray | None:
    """Random labelings under which flag and embedding are independent given the class.

    Flags of units with one flag move between such units with the same numbers of images of each class; those of units
    with both, within the images of a class of a unit.

    Args:
        flags: shape ``(N,)``, bool.
        classes: class of each row.
        units: unit of each row.
        draws: number of labelings.
        seed: of the draws.

    Returns:
        Labelings of shape ``(N, draws)``; ``None`` if nothing can move.
    """
    rng = np.random.default_rng(seed)
    names, owner = np.unique(np.asarray(units, dtype=str), return_inverse=True)
    kinds, kind = np.unique(np.asarray(classes, dtype=str), return_inverse=True)
    made = np.bincount(owner, weights=flags)
    both = (made > 0) & (made < np.bincount(owner))
    content = np.zeros((len(names), len(kinds)), dtype=np.int64)
    np.add.at(content, (owner, kind), 1)
    alike = np.unique(content, axis=0, return_inverse=True)[1].reshape(-1)
    rows = np.flatnonzero(both[owner])
    of_units, whole = _moved(np.where(both, -1, alike), made > 0, draws=draws, rng=rng)
    of_rows, within = _moved((owner * len(kinds) + kind)[rows], flags[rows], draws=draws, rng=rng)
    moved: np.ndarray = of_units[owner]
    moved[rows] = of_rows
    return moved if whole or within else None


def _moved(places: np.ndarray, values: np.ndarray, *, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Values permuted within their place, shape ``(N, draws)``, and whether any can differ; place -1 stays."""
    moved, free = np.repeat(values[:, None], draws, axis=1), False
    for place in np.unique(places[places >= 0]):
        rows = np.flatnonzero(places == place)
        free |= bool(0 < values[rows].sum() < len(rows))
        moved[rows] = values[rows][rng.random((len(rows), draws)).argsort(axis=0)]
    return moved, free


def probe_areas(
    embeddings: np.ndarray, labelings: np.ndarray, classes: Sequence[str], fold: np.ndarray, *, ridge: float
) -> dict[str, np.ndarray]:
    """Area under the ROC curve of the probe in each class, over folds weighted by their pairs.

    Args:
        embeddings: shape ``(N, d)``.
        labelings: flags of each labeling, shape ``(N, B)``.
        classes: class of each row.
        fold: fold of each row.
        ridge: penalty as a share of the mean squared length of a row.

    Returns:
        Class to areas, shape ``(B,)``, with NaN where a class has no pair; under ``""`` over all classes.
    """
    kinds, kind = np.unique(np.asarray(classes, dtype=str), return_inverse=True)
    tops = np.zeros((len(kinds), labelings.shape[1]))
    pairs = np.zeros_like(tops)
    for each in np.unique(fold):
        train, test = np.flatnonzero(fold != each), np.flatnonzero(fold == each)
        scores = _scores(embeddings, labelings.astype(np.float64), kind, train, test, ridge=ridge)
        for code in range(len(kinds)):
            rows = kind[test] == code
            won, of = _wins(scores[rows], labelings[test[rows]])
            tops[code] += won
            pairs[code] += of
    with np.errstate(invalid="ignore"):
        areas = {str(name): tops[code] / pairs[code] for code, name in enumerate(kinds)}
        return {"": tops.sum(0) / pairs.sum(0), **areas}


def _scores(
    x: np.ndarray, y: np.ndarray, kind: np.ndarray, train: np.ndarray, test: np.ndarray, *, ridge: float
) -> np.ndarray:
    count = int(kind.max(initial=0)) + 1
    sizes = np.maximum(np.bincount(kind[train], minlength=count), 1)[:, None]

    def centered(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        means = np.zeros((count, values.shape[1]))
        np.add.at(means, kind[train], values[train])
        return values[train] - (means / sizes)[kind[train]], means / sizes

    rows, means = centered(x)
    answers, _ = centered(y)
    scale = rows.std(0)
    scale[scale == 0] = 1.0
    rows, asked = rows / scale, (x[test] - means[kind[test]]) / scale
    penalty = ridge * float((rows**2).sum()) / max(len(rows), 1) + 1e-12
    if rows.shape[0] < rows.shape[1]:
        gram = rows @ rows.T + penalty * np.eye(len(rows))
        found: np.ndarray = (asked @ rows.T) @ linalg.solve(gram, answers, assume_a="pos")
        return found
    gram = rows.T @ rows + penalty * np.eye(rows.shape[1])
    direct: np.ndarray = asked @ linalg.solve(gram, rows.T @ answers, assume_a="pos")
    return direct


def _wins(scores: np.ndarray, flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a flagged and an unflagged row in which the flagged one scores higher (ties half), and all pairs."""
    positive = flags.sum(0).astype(np.float64)
    pairs = positive * (len(flags) - positive)
    if not len(flags):
        return pairs, pairs
    ranks = stats.rankdata(scores, axis=0)
    return (ranks * flags).sum(0) - positive * (positive + 1) / 2, pairs
