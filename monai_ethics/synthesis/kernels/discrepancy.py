# SPDX-License-Identifier: Apache-2.0
"""Kernel distances of two sets of features: unbiased, signed, in blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from monai_ethics.errors import NotAssessableError
from monai_ethics.synthesis.kernels.rows import blocks, pair_of_rows, rows_of, squared_distances

__all__ = ["gaussian_mixture", "kid", "median_bandwidths", "mmd", "scaled_bandwidths"]

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the median distance between real rows
MOST_FOR_MEDIAN = 2000  # rows that the median distance is taken from, evenly spaced

Kernel = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def kid(x: torch.Tensor, y: torch.Tensor) -> float:
    """Kernel inception distance: squared maximum mean discrepancy with ``k(a, b) = (a.b / d + 1)^3``.

    Args:
        x: shape ``(N, d)``, ``N >= 2``.
        y: shape ``(M, d)``, ``M >= 2``.

    Returns:
        The unbiased estimate from all rows at once (no random subsets); it can be negative and is not clamped.

    Raises:
        InputError: if the shapes do not fit or a number is not finite.

    References:
        M. Binkowski et al., Demystifying MMD GANs (2018), section 3.1; A. Gretton et al. (2012), equation 3.
    """
    first, second = pair_of_rows(x, y, at_least=2)
    width = first.shape[1]

    def kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a @ b.T).div_(width).add_(1.0).pow_(3)

    return _discrepancy(first, second, kernel)


def mmd(x: torch.Tensor, y: torch.Tensor, bandwidths: Sequence[float] | None = None) -> float:
    """Squared maximum mean discrepancy with the mean of Gaussian kernels ``exp(-|a - b|^2 / (2 s^2))``.

    Args:
        x: real rows, shape ``(N, d)``, ``N >= 2``.
        y: shape ``(M, d)``, ``M >= 2``.
        bandwidths: widths ``s`` in the unit of the features; by default `median_bandwidths` of `x`, so that the
            synthetic side does not choose its own ruler.

    Returns:
        The unbiased estimate; it can be negative and is not clamped.

    Raises:
        InputError: if the shapes do not fit or a number is not finite.
        NotAssessableError: if no bandwidths are given and most real rows are equal.

    References:
        A. Gretton et al., A kernel two-sample test, JMLR 13 (2012), equation 3.
    """
    first, second = pair_of_rows(x, y, at_least=2)
    widths = median_bandwidths(first) if bandwidths is None else tuple(bandwidths)
    center = first.mean(dim=0)

    def kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return gaussian_mixture(squared_distances(a, b), widths)

    return _discrepancy(first - center, second - center, kernel)


def median_bandwidths(real: torch.Tensor) -> tuple[float, ...]:
    """A quarter, a half, one, two and four times the median distance between real rows.

    Args:
        real: shape ``(N, d)``, ``N >= 2``; of more than 2000 rows, 2000 evenly spaced ones are used.

    Raises:
        NotAssessableError: if that median is 0.
    """
    rows = rows_of(real, "real", at_least=2)
    if len(rows) > MOST_FOR_MEDIAN:
        rows = rows[torch.linspace(0, len(rows) - 1, MOST_FOR_MEDIAN, device=rows.device).long()]
    rows = rows - rows.mean(dim=0)
    above = torch.triu_indices(len(rows), len(rows), offset=1, device=rows.device)
    return scaled_bandwidths(squared_distances(rows, rows)[above[0], above[1]])


def scaled_bandwidths(squared: torch.Tensor) -> tuple[float, ...]:
    """The bandwidths for squared distances of pairs of different real rows."""
    median = float(squared.median().sqrt())
    if not median > 0.0:
        raise NotAssessableError("Most real images have the same features, so their distances set no scale.")
    return tuple(scale * median for scale in SCALES)


def gaussian_mixture(squared: torch.Tensor, bandwidths: Sequence[float]) -> torch.Tensor:
    """Mean over the bandwidths of ``exp(-squared / (2 s^2))``."""
    total = torch.zeros_like(squared)
    for width in bandwidths:
        total += torch.exp(squared / (-2.0 * width**2))
    return total / len(bandwidths)


def _discrepancy(x: torch.Tensor, y: torch.Tensor, kernel: Kernel) -> float:
    return _mean_of_pairs(x, kernel) + _mean_of_pairs(y, kernel) - 2.0 * _mean_across(x, y, kernel)


def _mean_of_pairs(x: torch.Tensor, kernel: Kernel) -> float:
    """Mean over ordered pairs of different rows; blocks below the diagonal are not computed."""
    total = 0.0
    for rows in blocks(len(x), len(x)):
        block = kernel(x[rows], x[rows.start :])
        size = rows.stop - rows.start
        own = block[:, :size]
        total += float(own.sum() - own.diagonal().sum()) + 2.0 * float(block[:, size:].sum())
    return total / (len(x) * (len(x) - 1))


def _mean_across(x: torch.Tensor, y: torch.Tensor, kernel: Kernel) -> float:
    return sum(float(kernel(x[rows], y).sum()) for rows in blocks(len(x), len(y))) / (len(x) * len(y))
