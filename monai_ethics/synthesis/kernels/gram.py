# SPDX-License-Identifier: Apache-2.0
"""All inner products of the pooled rows once, so that each replicate of a statistic only selects from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch

from monai_ethics.errors import InputError, NotAssessableError
from monai_ethics.synthesis.kernels.discrepancy import gaussian_mixture, scaled_bandwidths
from monai_ethics.synthesis.kernels.frechet import frechet_distance
from monai_ethics.synthesis.kernels.manifold import Manifold
from monai_ethics.synthesis.kernels.rows import blocks, rounding_of, rows_of, squared_distances
from monai_ethics.synthesis.kernels.spectrum import effective_number, entropy_of_largest
from monai_ethics.synthesis.kernels.two_sample import agreement, balanced

__all__ = ["MOST_ROWS", "Gram"]

MOST_ROWS = 5000  # 200 MB a matrix of pairs

Rows = Sequence[int] | np.ndarray | torch.Tensor


class Gram:
    """Set-level statistics of any selection of the pooled rows.

    Every method takes row numbers of the pool and returns what the function of the same name returns for those rows;
    a jackknife or a floor from 20 splits costs small decompositions instead of products of whole features.

    Args:
        rows: pooled features, shape ``(N, d)``, ``N <= 5000``.

    Raises:
        InputError: if there are more rows, or a number is not finite.
    """

    def __init__(self, rows: torch.Tensor) -> None:
        self.rows = rows_of(rows, "rows")
        if len(self.rows) > MOST_ROWS:
            raise InputError(
                f"A matrix of all pairs is made of {MOST_ROWS} rows at most: got {len(self.rows)}. "
                "Take fewer rows, or the functions that work in blocks."
            )
        self.center = self.rows.mean(dim=0)
        self._centered = self.rows - self.center
        self.products = self._centered @ self._centered.T
        self._mixtures: dict[tuple[float, ...], torch.Tensor] = {}

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def squared(self) -> torch.Tensor:
        """Squared distances of all pairs, shape ``(N, N)``; those within rounding of 0 are measured by subtraction."""
        squared = squared_distances(self._centered, self._centered)
        squared.fill_diagonal_(0.0)
        near = ((squared <= 1e6 * self._slack).triu(1)).nonzero()
        for part in blocks(len(near), self.rows.shape[1]):
            pairs = near[part]
            measured = (self.rows[pairs[:, 0]] - self.rows[pairs[:, 1]]).square().sum(dim=1)
            squared[pairs[:, 0], pairs[:, 1]] = measured
            squared[pairs[:, 1], pairs[:, 0]] = measured
        return squared

    def distances(self, rows_x: Rows, rows_y: Rows) -> torch.Tensor:
        """Euclidean distances, shape ``(n, m)``, float64; that of equal rows is exactly 0."""
        return self._of(self.squared, rows_x, rows_y).sqrt()

    def frechet(self, rows_x: Rows, rows_y: Rows) -> float:
        """`frechet_distance` of the two selections."""
        x, y = self._index(rows_x), self._index(rows_y)
        n, m = len(x), len(y)
        if min(n, m) < 2 or min(n, m) >= self.rows.shape[1]:
            return frechet_distance(self.rows[x], self.rows[y])
        own_x, own_y, cross = self.products[x][:, x], self.products[y][:, y], self.products[x][:, y]
        shift = float(own_x.mean() + own_y.mean() - 2.0 * cross.mean())
        traces = _trace(own_x) / (n - 1) + _trace(own_y) / (m - 1)
        cross = cross - cross.mean(dim=0) - cross.mean(dim=1, keepdim=True) + cross.mean()
        nuclear = float(torch.linalg.svdvals(cross).sum()) / math.sqrt((n - 1) * (m - 1))
        return shift + traces - 2.0 * nuclear

    def kid(self, rows_x: Rows, rows_y: Rows) -> float:
        """`kid` of the two selections."""
        return self._discrepancy(self._cubic, rows_x, rows_y)

    def bandwidths(self, rows_real: Rows) -> tuple[float, ...]:
        """`median_bandwidths` of real rows, for `mmd` of all replicates."""
        x = self._index(rows_real)
        squared = self._of(self.squared, x, x)
        above = torch.triu_indices(len(x), len(x), offset=1, device=x.device)
        return scaled_bandwidths(squared[above[0], above[1]])

    def mmd(self, rows_x: Rows, rows_y: Rows, bandwidths: Sequence[float] | None = None) -> float:
        """`mmd` of the two selections; give the same `bandwidths` to all replicates."""
        widths = self.bandwidths(rows_x) if bandwidths is None else tuple(bandwidths)
        if widths not in self._mixtures:
            self._mixtures = {widths: gaussian_mixture(self.squared, widths)}  # one kept: as large as the products
        return self._discrepancy(self._mixtures[widths], rows_x, rows_y)

    def manifold(self, rows_real: Rows, rows_synthetic: Rows, k: int = 5) -> Manifold:
        """`manifold` of the two selections."""
        x, y = self._index(rows_real), self._index(rows_synthetic)
        if not 1 <= k < min(len(x), len(y)):
            raise InputError(f"`k` must be between 1 and the rows of the smaller set less one: got {k}. Take fewer.")
        of_x, of_y = self._squared_radii(x, k), self._squared_radii(y, k)
        squared = self._of(self.squared, x, y) - self._slack
        inside = squared <= of_x[:, None]
        return Manifold(
            memberships=inside.sum(dim=0).cpu().numpy(),
            recalled=(squared <= of_y).any(dim=1).cpu().numpy(),
            covered=inside.any(dim=1).cpu().numpy(),
            k=k,
        )

    def vendi(self, rows: Rows, *, order: float = 1.0) -> float:
        """`vendi_score` of a selection."""
        x = self._index(rows)
        similar = self._of(self._cosines, x, x)
        return effective_number(torch.linalg.eigvalsh(similar / len(x)).clamp_min(0.0), order=order)

    def effective_rank(self, rows: Rows) -> float:
        """`effective_rank` of a selection."""
        values = self._spectrum(rows)
        if not float(values.sum()) > self._slack:
            raise NotAssessableError("All images have the same features, so they span no direction.")
        return effective_number(values / values.sum(), order=1.0)

    def truncated_entropy(self, rows: Rows, k: int = 20) -> float | None:
        """`truncated_entropy` of a selection."""
        n, d = len(self._index(rows)), self.rows.shape[1]
        if k >= n or k > d:
            return None
        return entropy_of_largest(self._spectrum(rows) / (n - 1), k, size=max(n, d))

    def nearest_neighbor_accuracy(self, rows_x: Rows, rows_y: Rows) -> float:
        """`nearest_neighbor_accuracy` of the two selections, each row a unit of its own."""
        x, y = self._index(rows_x), self._index(rows_y)
        both = torch.cat([x, y])
        place = torch.arange(len(both), device=both.device)
        label = place >= len(x)
        return balanced(
            agreement(self._of(self.squared, both, both), place, place, label, label, slack=self._slack), label
        )

    @cached_property
    def _slack(self) -> float:
        return rounding_of(self._centered, self._centered)

    @cached_property
    def _raw(self) -> torch.Tensor:
        """Products of the rows as they came, before centering."""
        along = self.rows @ self.center
        return self.products + along[:, None] + along[None, :] - self.center.square().sum()

    @cached_property
    def _cubic(self) -> torch.Tensor:
        return (self._raw / self.rows.shape[1] + 1.0) ** 3

    @cached_property
    def _cosines(self) -> torch.Tensor:
        norms = torch.linalg.vector_norm(self.rows, dim=1)
        if not bool((norms > 0).all()):
            raise InputError("Rows must not be zero: got one, which has no direction. Leave it out and say so.")
        cosines: torch.Tensor = self._raw / norms[:, None] / norms[None, :]
        return cosines

    def _index(self, rows: Rows) -> torch.Tensor:
        return torch.as_tensor(rows, dtype=torch.int64, device=self.rows.device)

    def _of(self, matrix: torch.Tensor, rows_x: Rows, rows_y: Rows) -> torch.Tensor:
        selected: torch.Tensor = matrix[self._index(rows_x)][:, self._index(rows_y)]
        return selected

    def _spectrum(self, rows: Rows) -> torch.Tensor:
        own = self._of(self.products, rows, rows)
        own = own - own.mean(dim=0) - own.mean(dim=1, keepdim=True) + own.mean()
        values: torch.Tensor = torch.linalg.eigvalsh(own).clamp_min(0.0)
        return values

    def _squared_radii(self, rows: torch.Tensor, k: int) -> torch.Tensor:
        own = self._of(self.squared, rows, rows).fill_diagonal_(torch.inf)
        radii: torch.Tensor = own.kthvalue(k, dim=1).values
        return radii

    def _discrepancy(self, kernel: torch.Tensor, rows_x: Rows, rows_y: Rows) -> float:
        x, y = self._index(rows_x), self._index(rows_y)
        if min(len(x), len(y)) < 2:
            raise InputError(f"Each set must have two rows or more: got {len(x)} and {len(y)}. Give more images.")
        across = float(self._of(kernel, x, y).mean())
        return _mean_of_pairs(self._of(kernel, x, x)) + _mean_of_pairs(self._of(kernel, y, y)) - 2.0 * across


def _trace(products: torch.Tensor) -> float:
    """Sum of the squared distances to the mean."""
    return float(products.diagonal().sum() - len(products) * products.mean())


def _mean_of_pairs(kernel: torch.Tensor) -> float:
    return float(kernel.sum() - kernel.diagonal().sum()) / (len(kernel) * (len(kernel) - 1))
