# SPDX-License-Identifier: Apache-2.0
"""Do counts of patients fit declared shares?

References:
    [1] Pearson 1900; Cochran 1954, Biometrics 10: chi-square, and from which expected counts on it holds.
    [2] Barnard 1963; Besag & Clifford 1989: Monte Carlo p-values that count the observed value among the draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from monai_ethics.statistics.intervals import Floats

__all__ = ["Fit", "goodness_of_fit"]

LEAST_EXPECTED = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Outcome of the test.

    Args:
        statistic: Pearson's chi-square.
        p: its p-value.
        method: how the p-value was found.
    """

    statistic: float
    p: float
    method: str


def goodness_of_fit(counts: Floats, shares: Floats, *, draws: int, seed: int) -> Fit | None:
    """Pearson's test of counts against shares.

    Args:
        counts: units of each label, shape ``(K,)``, independent of each other.
        shares: declared share of each label, shape ``(K,)``, sum 1.
        draws: multinomial draws where an expected count is below 5.
        seed: seed of the draws.

    Returns:
        The test; ``None`` with no unit or fewer than 2 labels of a share above 0. A unit with a label of share 0
        gives p = 0: it cannot come from that population.
    """
    n = float(counts.sum())
    if n == 0 or np.count_nonzero(shares) < 2:
        return None
    if (counts[shares == 0] > 0).any():
        return Fit(statistic=math.inf, p=0.0, method="a label of share 0 is present")
    observed, wanted = counts[shares > 0], n * shares[shares > 0]
    statistic = float(((observed - wanted) ** 2 / wanted).sum())
    if wanted.min() >= LEAST_EXPECTED:
        df = len(wanted) - 1
        return Fit(statistic=statistic, p=float(stats.chi2.sf(statistic, df)), method=f"chi-square with {df} df")
    drawn = np.random.default_rng(seed).multinomial(int(n), shares[shares > 0], size=draws)
    null = ((drawn - wanted) ** 2 / wanted).sum(axis=1)
    p = (1 + np.count_nonzero(null >= statistic * (1 - 1e-9))) / (1 + draws)
    method = f"chi-square statistic, {draws} multinomial draws, seed {seed}"
    return Fit(statistic=statistic, p=float(p), method=method)
