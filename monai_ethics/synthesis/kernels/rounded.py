# SPDX-License-Identifier: Apache-2.0
"""Squared distances from rounded rows, with a bound on what they err by.

Rows are moved and scaled alike, which changes no comparison of distances, and rounded to float32, or to bfloat16 as a
filter where a device multiplies that several times faster. For rows a and b, rounded to a' and b',

    |a - b|^2 = |a|^2 + |b|^2 - 2 a.b   and   |a.b - a'.b'| <= |a - a'| |b| + |a'| |b - b'|   (Cauchy-Schwarz).

With r, the largest |a - a'| / |a| of all rows (measured, not estimated), and |a| |b| <= (|a|^2 + |b|^2) / 2, the
squared distance errs by (2 r + r^2) (|a|^2 + |b|^2) at most; a sum of d products in float32 adds d u (|a|^2 + |b|^2),
with u the unit of rounding, and the product itself, which comes back in bfloat16, `OUTPUT` times itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from monai_ethics.synthesis.kernels.rows import blocks

__all__ = ["COARSE", "FINE", "Frame", "Rounded", "coarse_pays", "full_precision", "products", "rounded"]

COARSE, FINE = torch.bfloat16, torch.float32
OUTPUT = 2.0**-8  # rounding of a number to bfloat16
UNIT = 2.0**-24  # rounding of a number to float32
# Rounding of a float32 squared distance in units of 2 u (|a|^2 + |b|^2): the error of a sum of d products grows like
# sqrt(d) and stays below this multiple of it in practice; the worst case is d, which only bfloat16 can afford.
ROUNDING = 4.0
SMALLEST = 1e-30  # what numbers too small for float32 can add up to, where the largest row has a norm of about 1
LARGE = 2**26  # multiplications from which a kernel is worth compiling
IN_CACHE = 2**16  # float64 numbers rounded at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where rows are moved from and by what power of two they are scaled, so that no norm is far above 1.

    Args:
        center: shape ``(d,)``, float64.
        scale: factor of every number.
        device: where the rounded rows are.
    """

    center: np.ndarray
    scale: float
    device: str

    @classmethod
    def of(cls, *sets: np.ndarray, device: str) -> Frame:
        """About the mean of the first set; small norms round less."""
        center = sets[0].mean(axis=0, dtype=np.float64)
        numbers = [torch.aminmax(torch.from_numpy(rows)) for rows in (*sets, center) if rows.size]
        low, high = min(float(each.min) for each in numbers), max(float(each.max) for each in numbers)
        reach = (high - low) * math.sqrt(len(center))
        power = -math.frexp(reach)[1] if math.isfinite(reach) else 0
        return cls(center=center, scale=2.0 ** max(-1000, min(1000, power)), device=device)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rounded:
    """Rounded rows, and what it takes to bound the squared distances from them.

    Args:
        rows: shape ``(N, d)``, `COARSE` or `FINE`.
        norm: squared norms before rounding, shape ``(N,)``, float32.
        lost: largest ``|a - a'| / |a|`` of all rows; 0 for `FINE`, whose rounding is part of `ROUNDING`.
    """

    rows: torch.Tensor
    norm: torch.Tensor
    lost: float

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> Rounded:
        return Rounded(rows=self.rows[part], norm=self.norm[part], lost=self.lost)

    def error(self, other: Rounded) -> torch.Tensor:
        """Each row's part of what squared distances to the rows of the other set err by, shape ``(N,)``, float32.

        That of the other row comes on top, and in `COARSE` the rounding of the product, see `products`.
        """
        width, lost = self.rows.shape[1], max(self.lost, other.lost)
        if self.rows.dtype == COARSE:
            share = 2.0 * lost + lost**2 + (width + 32) * UNIT
        else:
            share = ROUNDING * 2.0 * UNIT * (math.sqrt(width) + 8)
        return share * self.norm + SMALLEST


def rounded(frame: Frame, rows: np.ndarray, dtype: torch.dtype) -> Rounded:
    """The rows moved and scaled in float64 and rounded to `COARSE` or `FINE`, shape ``(N, d)``."""
    center = torch.as_tensor(frame.center).to(frame.device)
    kept = torch.empty(rows.shape, dtype=dtype, device=frame.device)
    norm, lost = torch.zeros(2, len(rows), dtype=torch.float64, device=frame.device)
    for part in blocks(*rows.shape, entries=IN_CACHE):
        exact = torch.as_tensor(rows[part]).to(device=frame.device, dtype=torch.float64)
        exact = (exact - center).mul_(frame.scale)
        kept[part] = exact
        norm[part] = torch.linalg.vector_norm(exact, dim=1)
        if dtype == COARSE:
            lost[part] = torch.linalg.vector_norm(exact.sub_(kept[part]), dim=1) / norm[part].clamp_min(SMALLEST)
    return Rounded(rows=kept, norm=norm.square_().float(), lost=max(lost.tolist(), default=0.0))


def products(a: Rounded, b: Rounded) -> tuple[torch.Tensor, torch.Tensor]:
    """-2 a.b of all pairs, shape ``(N, M)``, float32: less and more what the product in its own type errs by."""
    found = _product(a.rows, b.rows).float().mul_(-2.0)
    if a.rows.dtype != COARSE:
        return found, found
    more = found.abs().mul_(OUTPUT)
    return found - more, more.add_(found)


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``a @ b.T``; large ones of float32 by oneDNN, as bfloat16 is: twice as fast as MKL on processors by AMD."""
    large = a.dtype == FINE and a.is_cpu and len(a) * len(b) * a.shape[1] >= LARGE
    if large and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
        return found
    return a @ b.T


def coarse_pays(device: str, pairs: int, width: int) -> bool:
    """Whether bfloat16 is multiplied in hardware and there is enough to multiply."""
    if torch.device(device).type != "cpu" or pairs < 2**23 or width < 2**9:
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


@contextmanager
def full_precision() -> Iterator[None]:
    """Matrix products in full float32, and the user's setting as it was afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.no_grad(), torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
