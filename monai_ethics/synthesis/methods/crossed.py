# SPDX-License-Identifier: Apache-2.0
"""Two intervals of a mean over trainings and patients: of the models that were trained, and of how they were trained.

A table of scores has one row per training (seed) and one column per patient, and both were drawn: other seeds and other
patients would have given other numbers. Who speaks of the models at hand holds the rows fixed; who speaks of the recipe
does not.

References:
    [1] R. L. Brennan, Generalizability Theory (2001), section 5.1: crossed random effects, the variance of their mean.
    [2] F. E. Satterthwaite, Biometrics Bulletin 2 (1946): degrees of freedom of a sum of mean squares.
    [3] D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987): two one-sided tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["Spread", "models_spread", "recipe_spread", "smallest_margin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A mean with what is needed for an interval.

    Args:
        value: the mean, or a difference of means.
        se: its standard error.
        df: degrees of freedom of `se`.
    """

    value: float
    se: float
    df: float

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided interval of Student's t at a nominal coverage."""
        half = float(stats.t.ppf((1 + level) / 2, self.df)) * self.se
        return self.value - half, self.value + half


def models_spread(sides: Sequence[np.ndarray]) -> Spread | None:
    """Spread over patients of the trained models' mean score, or of the difference of two sets of patients.

    Args:
        sides: one table of shape ``(seeds, patients)``, or two whose means are subtracted, over other patients.

    Returns:
        Welch's, or Student's for one table; ``None`` with fewer than 2 patients on a side.
    """
    if any(side.shape[1] < 2 for side in sides):
        return None
    parts = [side.mean(0).var(ddof=1) / side.shape[1] for side in sides]
    counts = [side.shape[1] - 1 for side in sides]
    return Spread(value=_difference(sides), se=math.sqrt(sum(parts)), df=_satterthwaite(parts, counts))


def recipe_spread(sides: Sequence[np.ndarray]) -> Spread | None:
    """Spread over seeds and patients, crossed [1, 2].

    The variance of the mean is that of the seeds' means over their number, plus that of the patients' means over
    theirs. Both hold the interaction once; taking one of them off again would be unbiased, and leaves too little in
    small tables. It is left in.

    Args:
        sides: one table of shape ``(seeds, patients)``, or two whose means are subtracted: the same seeds in the rows,
            other patients in the columns.

    Returns:
        The spread; ``None`` with fewer than 2 seeds, or fewer than 2 patients on a side.
    """
    if any(min(side.shape) < 2 for side in sides):
        return None
    signs = (1.0, -1.0)[: len(sides)]
    seeds = sum(sign * side.mean(1) for sign, side in zip(signs, sides, strict=True))
    parts = [float(np.var(seeds, ddof=1)) / len(np.atleast_1d(seeds))]
    counts = [sides[0].shape[0] - 1]
    for side in sides:
        parts.append(float(side.mean(0).var(ddof=1)) / side.shape[1])
        counts.append(side.shape[1] - 1)
    return Spread(value=_difference(sides), se=math.sqrt(sum(parts)), df=_satterthwaite(parts, counts))


def smallest_margin(spread: Spread, *, significance: float = 0.05) -> float:
    """The smallest margin around 0 for which two one-sided tests would show equivalence [3].

    Args:
        spread: of a difference.
        significance: significance level of each of the two tests.

    Returns:
        The end farther from 0 of the interval at ``1 - 2 significance``.
    """
    low, high = spread.interval(1 - 2 * significance)
    return max(abs(low), abs(high))


def _difference(sides: Sequence[np.ndarray]) -> float:
    means = [float(side.mean()) for side in sides]
    return means[0] if len(means) == 1 else means[0] - means[1]


def _satterthwaite(parts: Sequence[float], counts: Sequence[int]) -> float:
    bottom = sum(part**2 / count for part, count in zip(parts, counts, strict=True))
    return sum(parts) ** 2 / bottom if bottom > 0 else float(min(counts))
