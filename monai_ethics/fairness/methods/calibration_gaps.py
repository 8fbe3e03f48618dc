# SPDX-License-Identifier: Apache-2.0
"""Tests of calibration between groups, each with the reference distribution that is right for it.

The binned error has its own null, "every group is calibrated": outcomes are drawn from the probabilities. Permuting
patients would not do, because calibrated groups with other probabilities have other errors by chance (simulated: .35 to
.41 false alarms). Slopes are compared by a Wald statistic over patients with random signs of whole patients.

References:
    [1] Broecker & Smith 2007, Weather Forecast. 22: consistency resampling.
    [2] Liang & Zeger 1986, Biometrika 73; Cameron, Gelbach & Miller 2008, Rev. Econ. Stat. 90: clustered sandwich and
        random signs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from monai_ethics.fairness.data.probabilities import Forecasts
from monai_ethics.fairness.methods.crossed import wild_omnibus
from monai_ethics.statistics.calibration import Bins, ece, null_errors
from monai_ethics.statistics.calibration_slope import Slope
from monai_ethics.statistics.differences import Pair
from monai_ethics.statistics.intervals import Floats, Result
from monai_ethics.statistics.permutation import Omnibus, share_at_least, summary

__all__ = ["ErrorGap", "ece_gap", "slope_difference", "slope_omnibus"]

ErrorGap = tuple[Omnibus, list[list[float]]]  # the test, and the p-value of every pair


def ece_gap(groups: Sequence[Forecasts], bins: Bins, *, draws: int, rng: np.random.Generator) -> ErrorGap:
    """Test that every group is calibrated, looking for groups whose errors differ [1].

    Each group's error is taken less its mean under calibration, in units of its standard deviation there, so that a
    small group does not look worse for being small. The statistic is the weighted spread of those excesses.

    Args:
        groups: at least 2 groups with one case a patient.
        bins: the common edges.
        draws: number of draws.
        rng: source of random numbers.

    Returns:
        The test with the gap of the raw errors beside its distribution, and p-values of pairs, shape ``(K, K)``.
    """
    order = sorted(range(len(groups)), key=lambda g: (len(groups[g].p), tuple(groups[g].p), tuple(groups[g].y)))
    table = np.empty((draws + 1, len(groups)))
    for g in order:  # neither names nor rows change a draw
        table[0, g] = ece(groups[g].p, groups[g].y, bins.width)
        table[1:, g] = null_errors(groups[g].p, bins, draws=draws, rng=rng)[:, 0]
    variance = np.maximum(table[1:].var(axis=0), 1e-12)
    excess = table - table[1:].mean(axis=0)
    weights = 1 / variance
    center = (excess[:, order] @ weights[order]) / weights[order].sum()
    statistic = ((excess - center[:, None])[:, order] ** 2) @ weights[order]
    apart = np.abs(excess[:, :, None] - excess[:, None, :])
    pairs = [[share_at_least(apart[1:, a, b], float(apart[0, a, b])) for b in order] for a in order]
    back = np.argsort(order)
    by_name = [[pairs[back[a]][back[b]] for b in range(len(groups))] for a in range(len(groups))]
    return summary(statistic, table.max(axis=1) - table.min(axis=1)), by_name


def _parts(slopes: Sequence[Slope]) -> Floats:
    """What each patient contributes to the error of every slope, shape ``(patients, K)``."""
    everyone = sorted({patient for slope in slopes for patient in slope.patients})
    place = {patient: row for row, patient in enumerate(everyone)}
    parts = np.zeros((len(everyone), len(slopes)))
    for column, slope in enumerate(slopes):
        parts[[place[patient] for patient in slope.patients], column] = slope.parts
    return parts


def slope_omnibus(slopes: Sequence[Slope], *, draws: int, rng: np.random.Generator) -> Omnibus:
    """Test of equal calibration slopes: Wald statistic with a clustered sandwich, random signs of patients [2].

    Args:
        slopes: at least 2, each with a value.
        draws: number of draws.
        rng: source of random numbers.

    Returns:
        The p-value, and the gap of the slopes beside its distribution under no difference.
    """
    order = sorted(range(len(slopes)), key=lambda g: (len(slopes[g].patients), slopes[g].value or 0.0))
    chosen = [slopes[g] for g in order]
    places = np.array([slope.value for slope in chosen], dtype=np.float64)
    least = np.full(len(chosen), 1e-12)
    return wild_omnibus(places, _parts(chosen), least, n_permutations=draws, rng=rng)


def slope_difference(first: Slope, second: Slope, *, level: float) -> Pair:
    """Slope of the first minus slope of the second, with the sandwich's interval; patients may be in both.

    Args:
        first: with a value.
        second: with a value.
        level: nominal coverage.

    Returns:
        The difference with its interval, and its p-value.
    """
    difference = (first.value or 0.0) - (second.value or 0.0)
    parts = _parts((first, second))
    error = math.sqrt(math.fsum((parts[:, 0] - parts[:, 1]) ** 2))
    if error == 0:
        return Result(value=difference, method="difference of slopes", reason="no spread within either group"), None
    df = min(first.df, second.df)
    half = float(stats.t.ppf((1 + level) / 2, df)) * error
    p = float(2 * stats.t.sf(abs(difference) / error, df))
    method = f"Wald interval with a clustered sandwich over patients (Student t, {df} df)"
    return Result(value=difference, low=difference - half, high=difference + half, method=method), p
