# SPDX-License-Identifier: Apache-2.0
"""Diversity of one set of features by the eigenvalues of its products, on the smaller side."""

from __future__ import annotations

import math

import torch

from monai_ethics.errors import InputError, NotAssessableError
from monai_ethics.synthesis.kernels.rows import rows_of

__all__ = ["effective_number", "effective_rank", "entropy_of_largest", "truncated_entropy", "vendi_score"]


def vendi_score(x: torch.Tensor, *, order: float = 1.0) -> float:
    """Effective number of different rows: exponential of the entropy of the eigenvalues of cosine similarities / N.

    Args:
        x: shape ``(N, d)``; no row is zero. From ``N x N`` similarities or ``d x d`` products, whichever are fewer.
        order: order of the Renyi entropy; 1 is Shannon's, ``inf`` looks at the largest eigenvalue only.

    Returns:
        Between 1 (all rows alike) and ``min(N, d)``. It grows with ``N`` and with noise: compare sets of one size.

    Raises:
        InputError: if a row is zero, a number is not finite, or the order is not positive.

    References:
        D. Friedman and A. B. Dieng, The Vendi score (2023), definition 3.1; the order: A. Pasarkar and Dieng (2023).
    """
    rows = rows_of(x, "x")
    norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    if not bool((norms > 0).all()):
        raise InputError("`x` must have no row of zeros: got one, which has no direction. Leave it out and say so.")
    rows = rows / norms
    return effective_number(_eigenvalues(rows) / len(rows), order=order)


def effective_rank(x: torch.Tensor) -> float:
    """Exponential of the Shannon entropy of the eigenvalues of the covariance over their sum.

    Args:
        x: shape ``(N, d)``, ``N >= 2``.

    Returns:
        Between 1 and ``min(N - 1, d)``; unlike `vendi_score` it looks at the spread about the mean.

    Raises:
        InputError: if the shape is another or a number is not finite.
        NotAssessableError: if all rows are equal.

    References:
        O. Roy and M. Vetterli, The effective rank (2007), definition 1.
    """
    rows = rows_of(x, "x", at_least=2)
    centered = rows - rows.mean(dim=0)
    values = _eigenvalues(centered)
    if float(values.sum()) <= len(rows) * torch.finfo(torch.float64).eps * float(rows.square().sum()) * 1e-6:
        raise NotAssessableError("All images have the same features, so they span no direction.")
    return effective_number(values / values.sum(), order=1.0)


def truncated_entropy(x: torch.Tensor, k: int = 20) -> float | None:
    r"""Entropy of a Gaussian with the `k` largest eigenvalues of the covariance.

    .. math:: \frac{k}{2} \ln(2 \pi e) + \frac{1}{2} \sum_{i \le k} \ln \lambda_i

    Args:
        x: shape ``(N, d)``, ``N >= 2``.
        k: number of eigenvalues.

    Returns:
        The entropy in nats, or ``None`` where the rows span fewer than `k` directions. It rises as images are copied
        while more than `k` different ones are left, falls with ``N`` and rises with the scale of the features: never
        to be read alone, and only beside that of real images at the same ``N``.

    Raises:
        InputError: if the shape is another, a number is not finite, or `k` is not positive.

    References:
        F. Ibarrola and K. Grace, Measuring diversity in co-creative image generation (2024), section 3.
    """
    rows = rows_of(x, "x", at_least=2)
    if k < 1:
        raise InputError(f"`k` must be 1 or more: got {k}. Ask for the number of directions to look at.")
    if k >= len(rows) or k > rows.shape[1]:
        return None
    values = _eigenvalues(rows - rows.mean(dim=0)) / (len(rows) - 1)
    return entropy_of_largest(values, k, size=max(rows.shape))


def entropy_of_largest(values: torch.Tensor, k: int, *, size: int) -> float | None:
    """The entropy from eigenvalues in ascending order; ``None`` if the k-th largest is rounding of a `size` matrix."""
    largest = values[-k:]
    if float(largest[0]) <= float(values[-1]) * size * torch.finfo(torch.float64).eps:
        return None
    return 0.5 * k * math.log(2.0 * math.pi * math.e) + 0.5 * float(largest.log().sum())


def _eigenvalues(rows: torch.Tensor) -> torch.Tensor:
    """Eigenvalues of the products of rows or of columns, whichever are fewer, ascending, never negative."""
    side = (rows if len(rows) <= rows.shape[1] else rows.T).contiguous()  # a copy costs less than strided products
    half, products = len(side) // 2, side.new_empty(len(side), len(side))
    products[:, :half] = side @ side[:half].T
    products[half:, half:] = side[half:] @ side[half:].T  # a quarter is left out: only the lower triangle is read
    values: torch.Tensor = torch.linalg.eigvalsh(products, UPLO="L").clamp_min(0.0)
    return values


def effective_number(shares: torch.Tensor, *, order: float) -> float:
    """Exponential of the Renyi entropy of shares that add up to 1."""
    if not order > 0:
        raise InputError(f"`order` must be positive: got {order:g}. Take 1 for Shannon's entropy.")
    positive = shares[shares > 0]
    if math.isinf(order):
        return 1.0 / float(positive.max())
    if order == 1.0:
        return math.exp(float(-(positive * positive.log()).sum()))
    return math.exp(math.log(float(positive.pow(order).sum())) / (1.0 - order))
