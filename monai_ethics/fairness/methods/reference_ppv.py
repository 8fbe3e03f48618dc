# SPDX-License-Identifier: Apache-2.0
"""Positive predictive value at a common prevalence: what a positive decision would mean if groups were alike sick.

References:
    [1] Bayes' rule; `s` aligns the group's odds of being positive with those of the reference, as TP / (TP + s FP).
    [2] Donner & Zou 2012, Stat. Methods Med. Res. 21: MOVER, here for the logarithm of a ratio of two rates.
"""

from __future__ import annotations

import math

from scipy import special

from monai_ethics.fairness.methods.ratios import RatioGroup, ratio_value_interval
from monai_ethics.statistics.intervals import Result

__all__ = ["reference_ppv"]


def reference_ppv(tpr: RatioGroup, fpr: RatioGroup, prevalence: float, *, level: float = 0.95) -> Result:
    """Positive predictive value if the share of positive cases were `prevalence` [1].

    Args:
        tpr: found positive cases by positive cases.
        fpr: negative cases called positive by negative cases.
        prevalence: the reference's share of positive cases, taken as known.
        level: nominal coverage.

    Returns:
        The value, with the interval of the logarithm of TPR / FPR by MOVER [2]; with 0 of one of them, or patients
        with both classes, from the ends of two wider intervals that hold together (Bonferroni).
    """
    if not len(tpr.patients) or not len(fpr.patients):
        return Result(value=None, reason="needs positive and negative cases: one of them is absent")
    if not 0 < prevalence < 1:
        return Result(value=None, reason="the reference has positive or negative cases only")
    hit, false = tpr.value, fpr.value
    if hit == 0 and false == 0:
        return Result(value=None, reason="no case was called positive")
    odds = prevalence / (1 - prevalence)
    value = _share(hit, false, odds)
    both = bool({*tpr.patients} & {*fpr.patients}) or hit == 0 or false == 0
    at = (1 + level) / 2 if both else level
    up, down = (ratio_value_interval(group, level=at, counts=True) for group in (tpr, fpr))
    if up.low is None or up.high is None or down.low is None or down.high is None:
        return Result(value=value, method="Bayes' rule", reason=up.reason or down.reason)
    if both:
        low, high = _share(up.low, down.high, odds), _share(up.high, down.low, odds)
        method = "ends of two intervals, of TPR and FPR, that hold together (Bonferroni)"
    else:
        middle = math.log(hit / false)
        below = math.hypot(math.log(hit / up.low), math.log(down.high / false))
        above = math.hypot(math.log(up.high / hit), math.log(false / down.low))
        low, high = (float(special.expit(end + math.log(odds))) for end in (middle - below, middle + above))
        method = "MOVER of the logarithm of TPR / FPR"
    return Result(value=value, low=min(low, value), high=max(high, value), method=method)


def _share(hit: float, false: float, odds: float) -> float:
    return hit * odds / (hit * odds + false)
