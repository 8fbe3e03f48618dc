# SPDX-License-Identifier: Apache-2.0
"""Precision, recall, density and coverage by balls about nearest neighbors, exact and in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from monai_ethics.errors import InputError
from monai_ethics.synthesis.kernels import rounded as rounding
from monai_ethics.synthesis.kernels.neighbors import measured, nearest
from monai_ethics.synthesis.kernels.rounded import COARSE, FINE, Frame, Rounded, full_precision, products, rounded
from monai_ethics.synthesis.kernels.rows import blocks, pair_of_rows, places_of

__all__ = ["Manifold", "manifold"]

TILE = 2**20  # entries of one block of distances: 4 MiB in float32
UNSETTLED = 1 / 128  # share of pairs from which measuring them costs more than a product in float32
OUTER, INNER = 1.0 + 2.0**-22, 1.0 - 2.0**-22  # the radii are rounded to float32 as well


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
    x, y = pair_of_rows(real, synthetic, at_least=k + 1, widen=False)
    device, rows_x, rows_y = str(x.device), x.cpu().numpy(), y.cpu().numpy()
    of_real, of_synthetic = (_radii(rows, k, device=device) for rows in (rows_x, rows_y))
    memberships = np.zeros(len(y), dtype=np.int64)
    recalled, covered = np.zeros((2, len(x)), dtype=bool)
    for part, inside, found, unsure in _compared(rows_x, rows_y, of_real, of_synthetic, device):
        memberships += inside.sum(dim=0).cpu().numpy()
        covered[part], recalled[part] = inside.any(dim=1).cpu().numpy(), found.cpu().numpy()
        row, column = unsure[:, 0] + part.start, unsure[:, 1]
        distance = measured(rows_x, row, rows_y, column[:, None])[:, 0]  # as the radii were: ties stay ties
        np.add.at(memberships, column, distance <= of_real[row])
        np.logical_or.at(covered, row, distance <= of_real[row])
        np.logical_or.at(recalled, row, distance <= of_synthetic[column])
    return Manifold(memberships=memberships, recalled=recalled, covered=covered, k=k)


def _radii(rows: np.ndarray, k: int, *, device: str) -> np.ndarray:
    found: np.ndarray = nearest(rows, rows, k=k + 1, device=device).distance[:, k]  # one of them is the row itself
    return found


def _compared(
    x: np.ndarray, y: np.ndarray, of_real: np.ndarray, of_synthetic: np.ndarray, device: str
) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor, np.ndarray]]:
    """Per block of real rows: what lies for sure in the ball of each, which lie for sure in one, and the pairs left.

    In bfloat16 where that is fast, until a block leaves too many pairs; from there on in float32.
    """
    frame = Frame.of(x, y, device=device)
    ball_x, ball_y = (torch.as_tensor(np.square(frame.scale * r)).float().to(device) for r in (of_real, of_synthetic))
    coarse = rounding.coarse_pays(device, len(x) * len(y), x.shape[1])
    a, b = (rounded(frame, rows, COARSE if coarse else FINE) for rows in (x, y))
    with full_precision():
        for part in blocks(len(x), len(y), entries=TILE):
            settled = _settled(a[part], b, ball_x[part, None], ball_y)
            if coarse and len(settled[2]) > UNSETTLED * len(a[part]) * len(b):
                coarse = False
                a, b = (rounded(frame, rows, FINE) for rows in (x, y))
                settled = _settled(a[part], b, ball_x[part, None], ball_y)
            yield part, *settled


def _settled(
    a: Rounded, b: Rounded, ball_a: torch.Tensor, ball_b: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Squared distances less and more their rounding beside the squared radii: inside both times is inside for sure.

    Returns:
        Which rows of `b` lie in the ball of each of `a`, which of `a` in that of any of `b`, and the pairs to measure.
    """
    less, more = products(a, b)
    error_a, error_b = a.error(b), b.error(a)
    less = less.add(b.norm - error_b).add_((a.norm - error_a)[:, None])
    more = more.add_(b.norm + error_b).add_((a.norm + error_a)[:, None])
    sure_a, sure_b = more <= INNER * ball_a, more <= INNER * ball_b
    found = sure_b.any(dim=1)
    unsure = (less <= OUTER * ball_b).logical_xor_(sure_b)
    unsure[found] = False  # one ball around it is enough
    unsure.logical_or_((less <= OUTER * ball_a).logical_xor_(sure_a))
    left = torch.stack(places_of(unsure), dim=1).cpu().numpy()
    return sure_a.logical_and_(unsure.logical_not_()) if len(left) else sure_a, found, left
