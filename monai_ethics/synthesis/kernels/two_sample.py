# SPDX-License-Identifier: Apache-2.0
"""Can two sets be told apart: a linear classifier by held-out patients, and nearest neighbors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from monai_ethics.errors import InputError, NotAssessableError
from monai_ethics.synthesis.kernels.rows import blocks, pair_of_rows, rounding_of, squared_distances

__all__ = ["agreement", "balanced", "classifier_auc", "nearest_neighbor_accuracy"]

Units = Sequence[str]


def classifier_auc(
    x: torch.Tensor, y: torch.Tensor, *, x_units: Units, y_units: Units, folds: int = 5, seed: int = 0
) -> float:
    """Area under the ROC curve of a ridge classifier that tells `y` from `x`, on units it was not fitted to.

    Features are standardized within the rows fitted to; the penalty is the number of features, so that prior and
    evidence of one row weigh alike, whatever the width. Each area is taken within a fold and weighted by its pairs.

    Args:
        x: shape ``(N, d)``.
        y: shape ``(M, d)``.
        x_units: patient of each row of `x`; no unit is in two folds, nor if it occurs in both sets.
        y_units: unit of each row of `y`.
        folds: number of folds; fewer where there are fewer units.
        seed: seed of the folds, which do not depend on the order of the rows.

    Returns:
        0.5 where the sets cannot be told apart linearly, 1 where they always can.

    Raises:
        InputError: if shapes or lengths do not fit or a number is not finite.
        NotAssessableError: if one of the sets has fewer than two units.

    References:
        D. Lopez-Paz and M. Oquab, Revisiting classifier two-sample tests (2017).
    """
    first, second = pair_of_rows(x, y)
    of_x, of_y = _folds(_named(x_units, len(first)), _named(y_units, len(second)), folds=folds, seed=seed)
    rows = torch.cat([first, second])
    label = torch.cat([-torch.ones(len(first)), torch.ones(len(second))]).to(rows)
    fold = torch.as_tensor(np.concatenate([of_x, of_y]), device=rows.device)
    area, pairs = 0.0, 0
    for number in np.unique(np.concatenate([of_x, of_y])).tolist():
        held = fold == number
        positive, negative = int((label[held] > 0).sum()), int((label[held] < 0).sum())
        if not positive or not negative or not abs(float(label[~held].mean())) < 1:
            continue
        scores = _ridge_scores(rows[~held], label[~held], rows[held])
        area += _wins(scores[label[held] > 0], scores[label[held] < 0])
        pairs += positive * negative
    if not pairs:
        raise NotAssessableError("No fold holds units of both sets, so nothing can be told apart on held-out units.")
    return area / pairs


def nearest_neighbor_accuracy(
    x: torch.Tensor, y: torch.Tensor, *, x_units: Units | None = None, y_units: Units | None = None
) -> float:
    """Share of rows whose nearest row of another unit is of their own set, the mean of both sets' shares.

    Args:
        x: shape ``(N, d)``.
        y: shape ``(M, d)``.
        x_units: patient of each row of `x`, whose other rows are passed over; by default each row stands alone.
        y_units: unit of each row of `y`.

    Returns:
        About 0.5 where the sets cannot be told apart, exactly ``(N + M - 2) / (2 (N + M - 1))`` on average; 1 where
        they lie apart; below 0.5 where rows of one copy rows of the other. Tied neighbors share.

    Raises:
        InputError: if shapes or lengths do not fit or a number is not finite.
        NotAssessableError: if there is no row of another unit to be nearest.

    References:
        Q. Xu et al., An empirical study on evaluation metrics of generative adversarial networks (2018).
    """
    first, second = pair_of_rows(x, y)
    unit = _codes(_own(x_units, len(first), "x"), _own(y_units, len(second), "y"))
    rows = torch.cat([first, second])
    rows = rows - rows.mean(dim=0)
    codes = torch.as_tensor(unit, device=rows.device)
    label = torch.arange(len(rows), device=rows.device) >= len(first)
    slack = rounding_of(rows, rows)
    agrees = [
        agreement(squared_distances(rows[part], rows), codes[part], codes, label[part], label, slack=slack)
        for part in blocks(len(rows), len(rows))
    ]
    return balanced(torch.cat(agrees), label)


def agreement(
    squared: torch.Tensor,
    unit: torch.Tensor,
    units: torch.Tensor,
    label: torch.Tensor,
    labels: torch.Tensor,
    *,
    slack: float,
) -> torch.Tensor:
    """For each row of a block, the share of its nearest rows of other units that bear its label; NaN where none."""
    others = squared.masked_fill(unit[:, None] == units[None, :], torch.inf)
    least = others.min(dim=1).values
    tied = (others <= least[:, None] + slack) & others.isfinite()
    same = tied & (label[:, None] == labels[None, :])
    return same.sum(dim=1).to(squared) / tied.sum(dim=1).to(squared)


def balanced(agrees: torch.Tensor, label: torch.Tensor) -> float:
    """Mean of the two sets' shares."""
    if bool(agrees.isnan().any()):
        raise NotAssessableError("Some image has no image of another patient beside it, so nothing can be nearest.")
    return 0.5 * float(agrees[~label].mean() + agrees[label].mean())


def _named(units: Units, length: int) -> np.ndarray:
    if len(units) != length:
        raise InputError(f"Units must have one entry for each of the {length} rows: got {len(units)}. Give one each.")
    return np.asarray([str(unit) for unit in units], dtype=object)


def _own(units: Units | None, length: int, name: str) -> np.ndarray:
    return _named([f"{name}:{i}" for i in range(length)] if units is None else units, length)


def _codes(x_units: np.ndarray, y_units: np.ndarray) -> np.ndarray:
    codes: np.ndarray = np.unique(np.concatenate([x_units, y_units]).astype(str), return_inverse=True)[1]
    return codes


def _folds(x_units: np.ndarray, y_units: np.ndarray, *, folds: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Fold of each row: units of both sets, of the first only and of the second only are each dealt out in turn."""
    first, second = {*x_units}, {*y_units}
    used = min(folds, len(first), len(second))
    if used < 2:
        raise NotAssessableError(
            f"Telling sets apart on held-out units needs two units in each: got {len(first)} and {len(second)}."
        )
    rng = np.random.default_rng(seed)
    fold_of: dict[str, int] = {}
    for group in (first & second, first - second, second - first):
        for place, unit in enumerate(rng.permutation(np.array(sorted(group), dtype=object))):
            fold_of[unit] = place % used
    return np.array([fold_of[u] for u in x_units]), np.array([fold_of[u] for u in y_units])


def _ridge_scores(fitted: torch.Tensor, label: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """Scores of held-out rows by ridge regression on balanced labels, solved on the smaller side."""
    mean, spread = fitted.mean(dim=0), fitted.std(dim=0)
    scale = torch.where(spread > 0, 1.0 / spread.clamp_min(torch.finfo(torch.float64).tiny), 0.0)
    a, b = (fitted - mean) * scale, (held - mean) * scale
    target = label - label.mean()
    penalty = float(a.shape[1])
    if len(a) <= a.shape[1]:
        products = a @ a.T
        products.diagonal().add_(penalty)
        weights = a.T @ torch.linalg.solve(products, target)
    else:
        products = a.T @ a
        products.diagonal().add_(penalty)
        weights = torch.linalg.solve(products, a.T @ target)
    scores: torch.Tensor = b @ weights
    return scores


def _wins(above: torch.Tensor, below: torch.Tensor) -> float:
    """Pairs in which the first exceeds the second; ties count half."""
    ordered = below.sort().values
    fewer, most = torch.searchsorted(ordered, above, right=False), torch.searchsorted(ordered, above, right=True)
    return 0.5 * float((fewer + most).sum())
