# SPDX-License-Identifier: Apache-2.0
"""How patients' values are spread, without showing any single one of them.

A density is smoothed, and a quantile is a weighted mean of all ordered values, left out where fewer than 2 patients lie
beyond it.

References:
    [1] Silverman 1986, Density Estimation, section 3.4: the bandwidth; 2.10: reflection at a bound.
    [2] Harrell & Davis 1982, Biometrika 69: quantiles from all order statistics.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from monai_ethics.statistics.intervals import Floats

__all__ = ["PROBABILITIES", "density", "grid", "smooth_quantiles"]

POINTS = 41
PROBABILITIES = tuple(round(0.05 * step, 2) for step in range(1, 20))
_BEYOND = 2  # patients on either side of a quantile that is shown
_MANY = 4_000
_NARROWEST = 0.02  # of the grid's width: below it a kernel would show single values


def grid(values: Floats, bounds: tuple[float, float] | None) -> Floats | None:
    """Positions at which the densities of all groups are drawn.

    Args:
        values: one score per patient of everyone, shape ``(N,)``.
        bounds: lowest and highest possible score, if known.

    Returns:
        `POINTS` positions over the bounds, or about the middle 90 % of finite values; ``None`` if nothing varies.
    """
    finite = values[np.isfinite(values)]
    if bounds is None and len(finite):
        low, high = (float(np.quantile(finite, p)) for p in (0.05, 0.95))
        bounds = low - 0.25 * (high - low), high + 0.25 * (high - low)
    if bounds is None or bounds[0] >= bounds[1]:
        return None
    positions: Floats = np.linspace(bounds[0], bounds[1], POINTS)
    return positions


def density(values: Floats, positions: Floats, bounds: tuple[float, float] | None) -> Floats | None:
    """Smoothed density of the finite values [1], as a share of all values.

    Args:
        values: one score per patient, shape ``(N,)``.
        positions: where it is wanted, shape ``(P,)``.
        bounds: lowest and highest possible score, at which the kernel is reflected.

    Returns:
        Shape ``(P,)``; ``None`` without two finite values.
    """
    finite = np.sort(values[np.isfinite(values)])
    if len(finite) < 2:
        return None
    quarters = np.quantile(finite, [0.25, 0.75])
    spread = float(np.std(finite, ddof=1))
    middle = float(quarters[1] - quarters[0]) / 1.349
    scale = min(spread, middle) if middle > 0 else spread
    width = max(0.9 * scale * len(finite) ** -0.2, _NARROWEST * float(positions[-1] - positions[0]))
    places, weights = _thinned(finite)
    mirrors = [places] if bounds is None else [places, 2 * bounds[0] - places, 2 * bounds[1] - places]
    total = np.zeros(len(positions))
    for mirror in mirrors:
        total += np.exp(-0.5 * ((positions[:, None] - mirror[None]) / width) ** 2) @ weights
    heights: Floats = total / (len(values) * width * math.sqrt(2 * math.pi))
    return heights


def _thinned(ordered: Floats) -> tuple[Floats, Floats]:
    """Places and how many values lie there: the values themselves, or fine bins of very many."""
    if len(ordered) <= _MANY or ordered[0] == ordered[-1]:
        return ordered, np.ones(len(ordered))
    counts, edges = np.histogram(ordered, bins=_MANY)
    return (edges[:-1] + edges[1:]) / 2, counts.astype(np.float64)


def smooth_quantiles(values: Floats) -> tuple[float | None, ...]:
    """Quantiles at `PROBABILITIES`, each a weighted mean of all ordered values [2].

    Args:
        values: one score per patient, shape ``(N,)``; infinities are misses at their side.

    Returns:
        One for each probability; ``None`` with fewer than 2 patients beyond it, or where misses without a value weigh.
    """
    ordered, n = np.sort(values), len(values)
    finite = np.isfinite(ordered)
    found: list[float | None] = []
    for p in PROBABILITIES:
        if n * min(p, 1 - p) < _BEYOND:
            found.append(None)
            continue
        reach = 8 * math.sqrt(n * p * (1 - p)) + 8  # order statistics further away weigh nothing
        rows = slice(max(math.floor(n * p - reach), 0), min(math.ceil(n * p + reach), n))
        steps = np.arange(rows.start, rows.stop + 1) / n
        weights = np.diff(special.betainc((n + 1) * p, (n + 1) * (1 - p), steps))
        known = finite[rows]
        if float(weights[~known].sum()) > 1e-3:
            found.append(None)
            continue
        found.append(float(weights[known] @ ordered[rows][known] / weights[known].sum()))
    return tuple(found)
