# SPDX-License-Identifier: Apache-2.0
"""Area under the ROC curve with an interval that allows for patients with several cases.

References:
    [1] DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44; Obuchowski 1997, Biometrics 53, for clusters.
    [2] Newcombe 2006, Stat. Med. 25(4), method 5, where DeLong's variance is zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize, special, stats

from monai_ethics.fairness.methods.intervals import Floats, Result

__all__ = ["area_under_curve"]


def area_under_curve(
    y_true: Sequence[bool], y_score: Sequence[float], patients: Sequence[str], *, level: float = 0.95
) -> Result:
    """Probability that a positive case scores higher than a negative one, ties counted half.

    Args:
        y_true: whether each case is positive, length ``N``.
        y_score: its score, length ``N``.
        patients: its patient, length ``N``.
        level: nominal coverage.

    Returns:
        The area with DeLong's interval on the logit scale, clustered by patient [1]; Newcombe's method 5 where all
        placements are equal, as for an area of 1 [2]; the reason where one class is absent.
    """
    truth = np.asarray(y_true, dtype=bool)
    scores = np.asarray(y_score, dtype=np.float64)
    _, codes = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    m, n = int(truth.sum()), int((~truth).sum())
    if not m or not n:
        return Result(value=None, reason="an area needs positive and negative cases: one of them is absent")
    positive, negative = scores[truth], scores[~truth]
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - stats.rankdata(positive)) / n
    below = 1 - (ranks[m:] - stats.rankdata(negative)) / m
    area = math.fsum(above) / m
    variance = _variance(above - area, below - area, codes[truth], codes[~truth])
    if variance is None:
        return Result(value=area, reason="fewer than 2 patients with positive or with negative cases")
    if variance <= 0 or not 0 < area < 1:
        if len(set(codes.tolist())) < len(codes):
            return Result(value=area, reason="no spread to estimate an interval from, and patients repeat")
        low, high = _newcombe(area, m, n, level)
        return Result(value=area, low=low, high=high, method="Newcombe's method 5")
    half = float(stats.norm.ppf((1 + level) / 2)) * math.sqrt(variance) / (area * (1 - area))
    low, high = special.expit([special.logit(area) - half, special.logit(area) + half])
    return Result(value=area, low=float(low), high=float(high), method="DeLong interval on the logit scale, by patient")


def _variance(above: Floats, below: Floats, positives: Floats, negatives: Floats) -> float | None:
    """Obuchowski's variance; DeLong's where each patient has one case."""
    with_positive, with_negative = np.unique(positives), np.unique(negatives)
    if min(len(with_positive), len(with_negative)) < 2:
        return None
    size = int(max(positives.max(), negatives.max())) + 1
    up = np.bincount(positives, weights=above, minlength=size)
    down = np.bincount(negatives, weights=below, minlength=size)
    m, n, both = len(above), len(below), len(np.union1d(with_positive, with_negative))
    first = len(with_positive) / (len(with_positive) - 1) * float(up @ up) / m**2
    second = len(with_negative) / (len(with_negative) - 1) * float(down @ down) / n**2
    return first + second + 2 * both / (both - 1) * float(up @ down) / (m * n)


def _newcombe(area: float, m: int, n: int, level: float) -> tuple[float, float]:
    z = float(stats.norm.ppf((1 + level) / 2))
    middle = (m + n) / 2

    def excess(candidate: float) -> float:
        spread = 2 * middle - 1 - (3 * middle - 3) / ((2 - candidate) * (1 + candidate))
        return abs(area - candidate) - z * math.sqrt(max(candidate * (1 - candidate) * spread / (m * n), 0.0))

    low = 0.0 if area == 0 else float(optimize.brentq(excess, 1e-9, area - 1e-9)) if excess(1e-9) > 0 else 0.0
    high = 1.0 if area == 1 else float(optimize.brentq(excess, area + 1e-9, 1 - 1e-9)) if excess(1 - 1e-9) > 0 else 1.0
    return low, high
