# SPDX-License-Identifier: Apache-2.0
"""Precision, recall, density and coverage by balls about nearest neighbors, exact and in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from monai_ethics.errors import InputError
from monai_ethics.synthesis.kernels.neighbors import nearest
from monai_ethics.synthesis.kernels.rows import blocks, pair_of_rows, rounding_of, squared_distances

__all__ = ["Manifold", "manifold"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Manifold:
    """How two sets of rows lie in each other's balls; a ball about a row reaches to its k-th nearest other row.

    Args:
        memberships: for each synthetic row, the real balls that it lies in, shape ``(M,)``, int64.
        recalled: for each real row, whether it lies in a synthetic ball, shape ``(N,)``, bool.
        covered: for each real row, whether its own ball holds a synthetic row, shape ``(N,)``, bool.
        k: the neighbors that set the radius.
    """

    memberships: np.ndarray
    recalled: np.ndarray
    covered: np.ndarray
    k: int

    @property
    def precise(self) -> np.ndarray:
        """For each synthetic row, whether it lies in a real ball, shape ``(M,)``, bool."""
        inside: np.ndarray = self.memberships > 0
        return inside

    @property
    def precision(self) -> float:
        """Share of synthetic rows that lie in a real ball."""
        return float(self.precise.mean())

    @property
    def recall(self) -> float:
        """Share of real rows that lie in a synthetic ball."""
        return float(self.recalled.mean())

    @property
    def density(self) -> float:
        """Mean number of real balls that a synthetic row lies in, over k; can exceed 1."""
        return float(self.memberships.mean() / self.k)

    @property
    def coverage(self) -> float:
        """Share of real rows whose ball holds a synthetic row."""
        return float(self.covered.mean())


def manifold(real: torch.Tensor, synthetic: torch.Tensor, k: int = 5) -> Manifold:
    """Precision, recall, density and coverage with the indicators of each row behind them.

    Balls are closed, as in the definition: a row on the sphere lies in the ball, so equal and tied rows count.

    Args:
        real: shape ``(N, d)``, ``N > k``.
        synthetic: shape ``(M, d)``, ``M > k``.
        k: neighbors that set a radius, the row itself not counted.

    Returns:
        The indicators; what they are for a perfect generator depends on ``k``, ``N``, ``M`` and ``d`` and is not 1.

    Raises:
        InputError: if the shapes do not fit, a number is not finite or there are too few rows.

    References:
        T. Kynkaanniemi et al., Improved precision and recall (2019), equations 1 and 2;
        M. F. Naeem et al., Reliable fidelity and diversity metrics (2020), equations 3 and 5.
    """
    if k < 1:
        raise InputError(f"`k` must be 1 or more: got {k}. Five is usual.")
    x, y = pair_of_rows(real, synthetic, at_least=k + 1)
    center = x.mean(dim=0)
    x, y = x - center, y - center
    of_real, of_synthetic = _squared_radii(x, k), _squared_radii(y, k)
    slack = rounding_of(x, y)
    memberships = torch.zeros(len(y), dtype=torch.int64, device=x.device)
    recalled = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    covered = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for rows in blocks(len(x), len(y)):
        squared = squared_distances(x[rows], y) - slack
        inside = squared <= of_real[rows, None]
        memberships += inside.sum(dim=0)
        covered[rows] = inside.any(dim=1)
        recalled[rows] = (squared <= of_synthetic).any(dim=1)
    return Manifold(
        memberships=memberships.cpu().numpy(), recalled=recalled.cpu().numpy(), covered=covered.cpu().numpy(), k=k
    )


def _squared_radii(x: torch.Tensor, k: int) -> torch.Tensor:
    rows = x.cpu().numpy()
    distance = nearest(rows, rows, k=k + 1, device=str(x.device)).distance[:, k]
    return torch.as_tensor(np.square(distance), device=x.device)
