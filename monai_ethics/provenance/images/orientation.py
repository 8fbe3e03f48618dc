# SPDX-License-Identifier: Apache-2.0
"""Which voxel axis points where: one answer for one image, however it was stored."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np

from monai_ethics.errors import InputError

__all__ = ["TIE", "ras_axes", "reorient"]

TIE = 1e-3  # assignments whose scores differ by less are tied: readers differ in the last digits of a direction
_CLEAR = 1e-2


def ras_axes(affine: np.ndarray) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """For world axes R, A, S: the voxel axis that follows each best, and its sign.

    The assignment with the largest sum of absolute direction cosines wins. Near 45 degrees two assignments tie; then
    the one whose signed directions come first in a fixed order wins, which depends neither on the stored order of the
    axes nor on their flips.

    Args:
        affine: voxel index to RAS+ millimeters, shape ``(4, 4)``.

    Raises:
        InputError: if the affine is not finite or has an axis of no length.
    """
    matrix = np.asarray(affine, dtype=np.float64)
    lengths = np.linalg.norm(matrix[:3, :3], axis=0) if matrix.shape == (4, 4) else np.zeros(3)
    if not np.isfinite(matrix).all() or not (lengths > 0).all():
        raise InputError("An affine must be a finite 4 x 4 matrix with three axes: got another. Repair the header.")
    cosines = matrix[:3, :3] / lengths
    options = []
    for order in permutations(range(3)):
        picked = cosines[:, order]  # column j: direction of the voxel axis that stands for world axis j
        diagonal = np.diag(picked)
        signs = np.where(diagonal < -1e-6, -1, 1)
        options.append((float(np.abs(diagonal).sum()), order, signs, (picked * signs).T.ravel()))
    best = max(score for score, *_ in options)
    chosen = None
    for option in options:
        if option[0] >= best - TIE and (chosen is None or _before(option[3], chosen[3])):
            chosen = option
    assert chosen is not None
    _, (i, j, k), signs, _ = chosen
    return (i, j, k), (int(signs[0]), int(signs[1]), int(signs[2]))


def _before(directions: np.ndarray, other: np.ndarray) -> bool:
    """Whether one set of directions precedes another: the first clear difference decides, larger first."""
    clear = np.flatnonzero(np.abs(directions - other) > _CLEAR)
    return bool(clear.size) and bool(directions[clear[0]] > other[clear[0]])


def reorient(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """View of an array whose first three axes follow R, A, S, and its affine.

    Args:
        array: shape ``(X, Y, Z, ...)``; nothing is copied.
        affine: voxel index to RAS+ millimeters, shape ``(4, 4)``.
    """
    order, signs = ras_axes(affine)
    result = array.transpose(*order, *range(3, array.ndim))
    step: Any = tuple(slice(None, None, sign) for sign in signs)
    transform = np.zeros((4, 4))
    transform[3, 3] = 1
    for new, (old, sign) in enumerate(zip(order, signs, strict=True)):
        transform[old, new] = sign
        transform[old, 3] = 0 if sign > 0 else array.shape[old] - 1
    return result[step], np.asarray(affine, dtype=np.float64) @ transform
