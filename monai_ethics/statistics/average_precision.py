# SPDX-License-Identifier: Apache-2.0
"""Average precision with an interval that allows for patients with several cases, as far as one is sure.

References:
    [1] Boyd, Eng & Page 2013, ECML PKDD: intervals of the area under the precision-recall curve; the logit scale.
    [2] Jaeckel 1972; Efron 1982, The Jackknife, chapter 6: the infinitesimal jackknife.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from monai_ethics.statistics.intervals import Floats, Result
from monai_ethics.statistics.placements import Ints

__all__ = ["SURE_FROM", "average_precision", "precision_parts"]

SURE_FROM = 10  # patients of each class: simulated coverage from here on .95 or above


def precision_parts(scores: Floats, truth: NDArray[np.bool_]) -> tuple[float, Floats]:
    """Average precision and what each case contributes to its error, from one sort [2].

    Args:
        scores: score of each case, shape ``(N,)``.
        truth: whether it is positive, at least one, shape ``(N,)``.

    Returns:
        The mean over positive cases of the precision at their score (scikit-learn's definition: no interpolation, ties
        enter together), and the derivative by the weight of each case, shape ``(N,)``.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, positive = scores[order], truth[order].astype(np.float64)
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    starts, tie = np.flatnonzero(new), np.cumsum(new) - 1
    ends = np.append(starts[1:], len(ordered)) - 1
    hits = np.cumsum(positive)[ends]  # positive cases from each score on
    ranked = ends + 1.0
    here = np.diff(hits, prepend=0.0)
    m = float(hits[-1])
    precision = hits / ranked
    value = float(np.sum(here * precision)) / m
    lower = np.cumsum((here / ranked)[::-1])[::-1][tie]  # sums over positive cases that score no higher
    loss = np.cumsum((here * hits / ranked**2)[::-1])[::-1][tie]
    parts = np.empty(len(scores))
    parts[order] = (positive * (precision[tie] - value + lower) - loss) / m
    return value, parts


def average_precision(scores: Floats, truth: NDArray[np.bool_], patients: Ints, *, level: float = 0.95) -> Result:
    """Average precision with its interval on the logit scale [1], by patient.

    Args:
        scores: score of each case, shape ``(N,)``.
        truth: whether it is positive, shape ``(N,)``.
        patients: number of its patient, from 0, shape ``(N,)``.
        level: nominal coverage.

    Returns:
        The value; its interval, with the words "coverage not assured" in its method with few patients of a class; the
        reason where a class is absent or nothing varies.
    """
    if not truth.any() or truth.all():
        return Result(value=None, reason="average precision needs positive and negative cases: one of them is absent")
    value, parts = precision_parts(scores, truth)
    people = [len(np.unique(patients[side])) for side in (truth, ~truth)]
    sums = np.bincount(patients, weights=parts)
    everyone = len(np.unique(patients))
    variance = float(sums @ sums) * everyone / max(everyone - 1, 1)
    if min(people) < 2 or not 0 < value < 1 or variance <= 0:
        return Result(value=value, reason="no spread to estimate an interval from")
    fewest = people[0]
    half = float(stats.t.ppf((1 + level) / 2, fewest - 1)) * math.sqrt(variance) / (value * (1 - value))
    low, high = special.expit([special.logit(value) - half, special.logit(value) + half])
    method = f"infinitesimal jackknife over patients on the logit scale (Student t, {fewest - 1} df)"
    if min(people) < SURE_FROM:
        method += f"; coverage not assured below {SURE_FROM} patients of a class"
    return Result(value=value, low=float(low), high=float(high), method=method)
