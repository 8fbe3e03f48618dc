# SPDX-License-Identifier: Apache-2.0
"""Frechet distance of two sets of features (FID and its kin), without a matrix square root."""

from __future__ import annotations

import torch

from monai_ethics.errors import InputError
from monai_ethics.synthesis.kernels.rows import pair_of_rows, rows_of

__all__ = ["fixed_projection", "frechet_distance"]

TOLERANCE = 1e-10  # of the two traces: what the symmetric eigenproblem may lose before singular values are taken


def frechet_distance(x: torch.Tensor, y: torch.Tensor) -> float:
    r"""Frechet distance between Gaussians with the moments of two sets, at these numbers of rows.

    With means and sample covariances (divisor ``N - 1``) it is

    .. math:: |\mu_x - \mu_y|^2 + tr C_x + tr C_y - 2 tr (C_x C_y)^{1/2},

    and the last trace is the sum of the singular values of ``A B^T``, where ``A`` and ``B`` are the centered rows over
    ``sqrt(N - 1)``. With fewer rows than features that small matrix is decomposed; otherwise the eigenvalues of
    ``L^T C_y L`` with ``C_x = L L^T``, unless they would lose more than 1e-10 of the traces.

    Args:
        x: shape ``(N, d)``, ``N >= 2``.
        y: shape ``(M, d)``, ``M >= 2``.

    Returns:
        The distance in squared units of the features. It is biased upwards by about a constant over ``N``: compare
        it with that of real images at the same ``N`` only.

    Raises:
        InputError: if the shapes do not fit or a number is not finite.

    References:
        M. Heusel et al., GANs trained by a two time-scale update rule (2017), section 3.
    """
    first, second = pair_of_rows(x, y, at_least=2)
    a, mean_a = _centered(first)
    b, mean_b = _centered(second)
    traces = float(a.square().sum() + b.square().sum())
    shift = float((mean_a - mean_b).square().sum())
    cross = _by_eigenvalues(a, b, within=TOLERANCE * traces) if min(len(a), len(b)) >= a.shape[1] else None
    if cross is None:
        cross = float(torch.linalg.svdvals(_reduced(a) @ _reduced(b).T).sum())
    return shift + traces - 2.0 * cross


def fixed_projection(reference: torch.Tensor, p: int) -> torch.Tensor:
    """Directions of greatest variance of a reference set, to be fixed before other sets are compared.

    Args:
        reference: shape ``(N, d)``; other images than those compared, such as the training images.
        p: number of directions.

    Returns:
        Orthonormal columns, shape ``(d, p)``, float64; the largest entry of each is positive, so they are the same
        whatever the device or the order of the rows, up to rounding.

    Raises:
        InputError: if the reference does not vary in `p` directions.
    """
    rows = rows_of(reference, "reference", at_least=2)
    a, _ = _centered(rows)
    wide = len(a) < a.shape[1]
    values, vectors = torch.linalg.eigh(a @ a.T if wide else a.T @ a)
    smallest = float(values[-1]) * max(a.shape) * torch.finfo(torch.float64).eps
    varying = int((values > smallest).sum())
    if not 1 <= p <= varying:
        raise InputError(
            f"`p` must be between 1 and the {varying} directions in which the reference varies: got {p}. Ask for fewer."
        )
    kept = vectors[:, -p:].flip(1)
    columns = torch.linalg.qr(a.T @ kept).Q if wide else kept
    largest = columns.gather(0, columns.abs().argmax(dim=0, keepdim=True))
    signed: torch.Tensor = columns * torch.where(largest < 0, -1.0, 1.0)
    return signed


def _centered(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Centered rows over ``sqrt(N - 1)``, and the mean."""
    mean = rows.mean(dim=0)
    return (rows - mean) / (len(rows) - 1) ** 0.5, mean


def _reduced(a: torch.Tensor) -> torch.Tensor:
    """As many rows as columns at most, with the same products of columns."""
    return torch.linalg.qr(a, mode="r").R if len(a) > a.shape[1] else a


def _by_eigenvalues(a: torch.Tensor, b: torch.Tensor, *, within: float) -> float | None:
    """Sum of the roots of the eigenvalues of ``C_x C_y``; ``None`` if it may be off by more than `within`."""
    first, second = a.T @ a, b.T @ b
    factor, failed = torch.linalg.cholesky_ex(first)
    if int(failed):
        return None
    values = torch.linalg.eigvalsh(factor.T @ second @ factor)
    error = torch.finfo(torch.float64).eps * float(torch.linalg.matrix_norm(first) * torch.linalg.matrix_norm(second))
    roots = values.clamp_min(error).sqrt()
    return float(roots.sum()) if float((error / roots).sum()) <= within else None
