# SPDX-License-Identifier: Apache-2.0
"""Are probabilities probabilities: calibration errors over bins, and what they are by chance alone.

Every expected calibration error is above zero for a calibrated model, and the more so the fewer cases there are: about
.18 at 20 cases with 10 bins, .05 at 300. No error stands here without its distribution under perfect calibration, found
by consistency resampling: outcomes drawn anew from the probabilities themselves.

References:
    [1] Naeini, Cooper & Hauskrecht 2015, AAAI; Guo et al. 2017, ICML: expected calibration error over bins.
    [2] Kumar, Liang & Ma 2019, NeurIPS, section 4: the debiased estimator of the squared l2 calibration error.
    [3] Broecker & Smith 2007, Weather Forecast. 22: consistency resampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monai_ethics.statistics.intervals import Floats

__all__ = [
    "ERRORS",
    "Bins",
    "Codes",
    "bin_of",
    "common_bins",
    "debiased_squared_error",
    "ece",
    "equal_mass_edges",
    "equal_width_edges",
    "errors",
    "null_errors",
]

ERRORS = ("ece", "ece_equal_mass", "ece_debiased")
_CELLS = 2_000_000
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Edges that all groups share.

    Args:
        width: bins of equal width on 0 to 1.
        mass: bins that hold equal numbers of the pooled cases.
    """

    width: Floats
    mass: Floats


def common_bins(pooled: Floats, bins: int) -> Bins:
    """Both kinds of edges, from the probabilities of all cases; shape ``(N,)``, ``N >= 1``."""
    return Bins(width=equal_width_edges(bins), mass=equal_mass_edges(pooled, bins))


def equal_width_edges(bins: int) -> Floats:
    """Edges of `bins` bins of equal width on 0 to 1, the same for every group; shape ``(bins + 1,)``."""
    return np.linspace(0.0, 1.0, bins + 1)


def equal_mass_edges(pooled: Floats, bins: int) -> Floats:
    """Edges of bins that hold equal numbers of the pooled cases, between two scores; fewer bins where scores tie.

    Args:
        pooled: probabilities of all groups together, shape ``(N,)``, ``N >= 1``.
        bins: number of bins at most.

    Returns:
        Rising edges from 0 to 1.
    """
    inner = np.unique(np.quantile(pooled, np.arange(1, bins) / bins, method="midpoint"))
    return np.concatenate([[0.0], inner[(inner > 0) & (inner < 1)], [1.0]])


def bin_of(p: Floats, edges: Floats) -> Codes:
    """Bin of each probability: ``[low, high)``, and the last one ``[low, 1]``; shape ``(N,)``."""
    return np.searchsorted(edges[1:-1], p, side="right").astype(np.int64)


def ece(p: Floats, y: Floats, edges: Floats) -> float:
    """Expected calibration error [1]: mean over cases of the bin's ``|mean probability - observed share|``.

    Args:
        p: probabilities, shape ``(N,)``, ``N >= 1``.
        y: outcomes 0 or 1, shape ``(N,)``.
        edges: rising, from 0 to 1.

    Returns:
        The error, 0 to 1.
    """
    sums = np.bincount(bin_of(p, edges), weights=p - y)
    return float(np.abs(sums).sum() / len(p))


def debiased_squared_error(p: Floats, y: Floats, codes: Codes, patients: Codes | None = None) -> float:
    """Kumar's debiased squared l2 calibration error [2].

    The mean over cases of the bin's squared difference of mean probability and observed share, less the variance of
    that share, ``share (1 - share) / (n - 1)``; bins with one case add nothing. With repeated patients the variance is
    the clustered one, which is the same where every patient has one case.

    Args:
        p: probabilities, shape ``(N,)``.
        y: outcomes 0 or 1, shape ``(N,)``.
        codes: bin of each case.
        patients: patient of each case as a code; ``None`` = one case each.

    Returns:
        The squared error; it may be below zero.
    """
    sizes = np.bincount(codes).astype(np.float64)
    safe = np.maximum(sizes, 1)
    share, mean = np.bincount(codes, weights=y) / safe, np.bincount(codes, weights=p) / safe
    clusters = np.arange(len(p)) if patients is None else patients
    _, joint = np.unique(codes * (int(clusters.max()) + 1) + clusters, return_inverse=True)
    sums = np.bincount(joint, weights=y - share[codes])
    owner = np.zeros(len(sums), dtype=np.int64)
    owner[joint] = codes
    many = np.bincount(owner, minlength=len(sizes))
    variance = np.bincount(owner, weights=sums**2, minlength=len(sizes)) / safe**2
    known = many > 1
    variance[known] *= many[known] / (many[known] - 1)
    return float((sizes * ((mean - share) ** 2 - variance))[known].sum() / len(p))


def errors(p: Floats, y: Floats, bins: Bins, patients: Codes | None = None) -> Floats:
    """The errors named in `ERRORS` [1, 2]: l1 over equal widths, l1 over equal masses, l2 debiased over equal masses.

    Args:
        p: probabilities, shape ``(N,)``, ``N >= 1``.
        y: outcomes 0 or 1, shape ``(N,)``.
        bins: the common edges.
        patients: patient of each case as a code; ``None`` = one case each.

    Returns:
        Shape ``(3,)``; the last is the root of the debiased squared error, 0 where that is not above 0.
    """
    squared = debiased_squared_error(p, y, bin_of(p, bins.mass), patients)
    return np.array([ece(p, y, bins.width), ece(p, y, bins.mass), max(squared, 0.0) ** 0.5])


def null_errors(p: Floats, bins: Bins, *, draws: int, rng: np.random.Generator) -> Floats:
    """The same errors when the model is calibrated, by consistency resampling [3].

    Outcomes are drawn from the probabilities, independently: no patient may have several cases.

    Args:
        p: ascending probabilities, shape ``(N,)``, ``N >= 1``.
        bins: the common edges.
        draws: number of draws.
        rng: source of random numbers.

    Returns:
        Shape ``(draws, 3)``.
    """
    n = len(p)
    found = np.empty((draws, len(ERRORS)))
    cuts = [np.unique(bin_of(p, edges), return_index=True)[1] for edges in (bins.width, bins.mass)]
    sizes = np.diff([*cuts[1], n]).astype(np.float64)
    means = np.add.reduceat(p, cuts[1]) / sizes
    many = sizes > 1
    block = max(_CELLS // n, 1)
    for start in range(0, draws, block):
        rows = slice(start, min(start + block, draws))
        residuals = p - (rng.random((rows.stop - start, n), dtype=np.float32) < p)
        wide, equal = (np.add.reduceat(residuals, cut, axis=1) for cut in cuts)
        found[rows, 0], found[rows, 1] = np.abs(wide).sum(axis=1) / n, np.abs(equal).sum(axis=1) / n
        off = (equal / sizes)[:, many]
        share = means[many] - off
        squared = (sizes[many] * (off**2 - share * (1 - share) / (sizes[many] - 1))).sum(axis=1) / n
        found[rows, 2] = np.sqrt(np.maximum(squared, 0))
    return found
