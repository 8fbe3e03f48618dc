# SPDX-License-Identifier: Apache-2.0
"""What every kernel does first: rows in float64, blocks of them, and distances that know their own rounding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from monai_ethics.errors import InputError

__all__ = ["blocks", "pair_of_rows", "places_of", "rounding_of", "rows_of", "squared_distances"]

BLOCK = 2**22  # entries of one block of a matrix of pairs: 32 MiB in float64


def rows_of(x: torch.Tensor, name: str, *, at_least: int = 1) -> torch.Tensor:
    """The rows in float64, on the device they came on.

    Args:
        x: shape ``(N, d)``, finite.
        name: what an error calls it.
        at_least: rows that are needed.

    Raises:
        InputError: if the shape is another, there are fewer rows, or a number is not finite.
    """
    return _checked(x, name, at_least).to(torch.float64)


def _checked(x: torch.Tensor, name: str, at_least: int) -> torch.Tensor:
    rows = torch.as_tensor(x).detach()
    if rows.ndim != 2 or not rows.shape[1] or len(rows) < at_least:
        raise InputError(
            f"`{name}` must have the shape (rows, features) with {at_least} or more rows: got {tuple(rows.shape)}. "
            "Give one row of features for each image."
        )
    # a finite sum has finite terms; the other way round, finite terms can overflow
    if not bool(torch.isfinite(rows.sum())) and not bool(torch.isfinite(rows).all()):
        raise InputError(f"`{name}` must be finite: got NaN or infinite features. Leave those images out and say so.")
    return rows


def pair_of_rows(
    x: torch.Tensor, y: torch.Tensor, *, at_least: int = 1, widen: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both sets in float64 on the device of the first.

    Args:
        x: shape ``(N, d)``.
        y: shape ``(M, d)``.
        at_least: rows that each needs.
        widen: whether float32 is made float64 as well.

    Raises:
        InputError: if one of them is no such set, or they have different widths.
    """
    first, second = _checked(x, "x", at_least), _checked(y, "y", at_least)
    if widen or not {first.dtype, second.dtype} <= {torch.float32, torch.float64}:
        first, second = first.to(torch.float64), second.to(torch.float64)
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"Both sets must have equally many features: got {first.shape[1]} and {second.shape[1]}. "
            "Compute both with the same extractor."
        )
    return first, second.to(first.device)


def blocks(rows: int, columns: int, *, entries: int = BLOCK) -> Iterator[slice]:
    """Slices of the rows such that a block of ``(rows, columns)`` has `entries` at most."""
    step = max(1, entries // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def places_of(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns where a mask of shape ``(N, M)`` is true, ascending; by NumPy on a CPU, several times faster."""
    if not mask.is_cpu:
        row, column = mask.nonzero().unbind(1)
        return row, column
    place = torch.from_numpy(np.flatnonzero(mask.numpy()))
    row = place.div(max(1, mask.shape[1]), rounding_mode="floor")
    return row, place - row * mask.shape[1]


def squared_distances(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distances by norms and products, shape ``(N, M)``, never negative.

    Center both by the same vector first: small norms round less.
    """
    norms = x.square().sum(dim=1)[:, None] + y.square().sum(dim=1)[None, :]
    return torch.addmm(norms, x, y.T, alpha=-2.0).clamp_min_(0.0)


def rounding_of(x: torch.Tensor, y: torch.Tensor) -> float:
    """What a squared distance of these float64 rows can err by; nearer ones count as tied."""
    largest = max(float(x.square().sum(dim=1).max()), float(y.square().sum(dim=1).max()))
    share: float = 8.0 * torch.finfo(torch.float64).eps * (x.shape[1] ** 0.5 + 8.0)
    return share * largest
