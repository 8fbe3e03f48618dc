# SPDX-License-Identifier: Apache-2.0
"""The omnibus test when patients are in several groups, as with the view of an image: groups are not independent then.

The Wald statistic takes its spread from sums over patients (a cluster sandwich), and its reference distribution from
random signs of whole patients (a wild bootstrap), so that what a patient's cases share is counted once.

References:
    [1] Liang & Zeger 1986, Biometrika 73: the sandwich.
    [2] Cameron, Gelbach & Miller 2008, Rev. Econ. Stat. 90: the cluster wild bootstrap with random signs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats

from monai_ethics.fairness.data.groups import Group
from monai_ethics.statistics.intervals import Floats, Result
from monai_ethics.statistics.permutation import CELLS, Omnibus, summary

__all__ = ["crossed_difference", "crossed_omnibus", "influence", "signed_sums", "wald", "wild_omnibus"]


def influence(groups: Sequence[Group], *, ranks: bool) -> tuple[Floats, Floats]:
    """Group locations and what each patient contributes to their error.

    Args:
        groups: at least 2 groups with 2 or more patients each.
        ranks: relative effects in place of means.

    Returns:
        Locations, shape ``(K,)``, and contributions, shape ``(patients, K)``, patients sorted.
    """
    everyone = sorted({patient for group in groups for patient in group.patients})
    position = {patient: row for row, patient in enumerate(everyone)}
    parts = np.zeros((len(everyone), len(groups)))
    places = np.zeros(len(groups))
    for column, group in enumerate(groups):
        own = _rank_parts(groups, column) if ranks else _mean_parts(groups, column)
        places[column] = own[:, column].mean()
        n = len(own)
        scaled = (own - own.mean(axis=0)) / math.sqrt(n * (n - 1))
        np.add.at(parts, [position[patient] for patient in group.patients], scaled)
    return places, parts


def _mean_parts(groups: Sequence[Group], column: int) -> Floats:
    own = np.zeros((len(groups[column].values), len(groups)))
    own[:, column] = groups[column].values
    return own


def _rank_parts(groups: Sequence[Group], column: int) -> Floats:
    """Contributions of one group's patients to every relative effect."""
    values, count = groups[column].values, len(groups)
    shares = np.empty((len(values), count))
    for other, group in enumerate(groups):
        ordered = np.sort(group.values)
        below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
        shares[:, other] = below / (2 * len(ordered))
    own = -shares / count
    own[:, column] += shares.mean(axis=1)
    # the constant makes the column's mean the relative effect; it drops out when contributions are centered
    own[:, column] += shares[:, column].mean() / count
    return own


def _wald(places: Floats, spread: Floats) -> Floats:
    count = places.shape[-1]
    contrast = np.hstack([np.eye(count - 1), -np.ones((count - 1, 1))])
    gap = places @ contrast.T
    solved = np.linalg.solve(contrast @ spread @ contrast.T, gap[..., None])[..., 0]
    result: Floats = (gap * solved).sum(axis=-1)
    return result


def crossed_omnibus(groups: Sequence[Group], *, ranks: bool, n_permutations: int, rng: np.random.Generator) -> Omnibus:
    """Test of equal locations when patients are in several groups [1, 2].

    Args:
        groups: at least 2 groups with 2 or more patients each; finite scores unless `ranks`.
        ranks: compare relative effects in place of means.
        n_permutations: number of random draws of signs.
        rng: source of random numbers.

    Returns:
        The p-value; the gap of means beside its distribution under no difference (none for ranks).
    """
    places, parts = influence(groups, ranks=ranks)
    sizes = np.array([len(group.values) for group in groups], dtype=np.float64)
    pooled = 1 / 12 if ranks else float(np.var(np.concatenate([group.values for group in groups])))
    least = np.maximum(pooled, 1e-30) / sizes**2
    found = wild_omnibus(places, parts, least, n_permutations=n_permutations, rng=rng)
    return Omnibus(p=found.p, gap=None, gap_null_mean=None, gap_null_95th=None) if ranks else found


def wild_omnibus(
    places: Floats, parts: Floats, least: Floats, *, n_permutations: int, rng: np.random.Generator
) -> Omnibus:
    """Test of equal locations by random signs of whole patients [2].

    Args:
        places: location of each group, shape ``(K,)``.
        parts: what each patient contributes to the error of each location, shape ``(patients, K)``.
        least: added to the variance of each location, so that a small group of equal values is not sure of itself.
        n_permutations: number of random draws of signs.
        rng: source of random numbers.

    Returns:
        The p-value, and the gap of locations beside its distribution under no difference.
    """
    moved = np.concatenate(list(signed_sums(parts, n_permutations=n_permutations, rng=rng)))
    statistics = wald(places, parts, least), wald(moved, parts, least, drawn=True)
    gaps = np.array([places.max() - places.min()]), moved.max(axis=1) - moved.min(axis=1)
    return summary(np.concatenate(statistics), np.concatenate(gaps))


def signed_sums(parts: Floats, *, n_permutations: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Sums of contributions with random signs of whole patients [2]; the order of patients changes nothing.

    Args:
        parts: contributions, shape ``(patients, K)``.
        n_permutations: number of random draws.
        rng: source of random numbers.

    Yields:
        Sums of shape ``(draws, K)``.
    """
    ordered = parts[np.lexsort(parts.T)]
    block = max(CELLS // max(len(parts), 1), 1)
    for start in range(0, n_permutations, block):
        shape = min(block, n_permutations - start), len(parts)
        yield (2.0 * rng.integers(0, 2, shape) - 1.0) @ ordered


def wald(places: Floats, parts: Floats, least: Floats, *, drawn: bool = False) -> Floats:
    """Wald statistic of equal locations with the sandwich's spread [1].

    Args:
        places: locations, shape ``(K,)``, or those of draws, shape ``(draws, K)``.
        parts: contributions of patients to their error, shape ``(patients, K)``.
        least: added to each variance, shape ``(K,)``.
        drawn: `places` are sums of `signed_sums`; each draw then has a spread of its own.

    Returns:
        Statistics, shape ``(draws,)``.
    """
    parts = parts[np.lexsort(parts.T)]
    places = np.atleast_2d(places)
    spread = parts.T @ parts + np.diag(least)
    if not drawn:
        return _wald(places, spread)
    block = max(CELLS // places.shape[1] ** 2, 1)
    chunks = [places[start : start + block] for start in range(0, len(places), block)]
    return np.concatenate([_wald(c, spread - c[:, :, None] * c[:, None, :] / len(parts)) for c in chunks])


def crossed_difference(first: Group, second: Group, *, level: float) -> tuple[Result, float | None]:
    """Mean of the first minus mean of the second when patients are in both, with the sandwich's interval [1].

    Args:
        first: 2 or more patients, finite scores.
        second: 2 or more patients, finite scores.
        level: nominal coverage.

    Returns:
        The difference with its interval, and its p-value.
    """
    places, parts = influence((first, second), ranks=False)
    difference = float(places[0] - places[1])
    error = math.sqrt(math.fsum((parts[:, 0] - parts[:, 1]) ** 2))
    if error <= 1e-12 * max(float(np.abs(group.values).max()) for group in (first, second)):  # rounding is no spread
        return Result(value=difference, method="difference of means", reason="no spread within either group"), None
    df = min(len(first.patients), len(second.patients)) - 1
    half = float(stats.t.ppf((1 + level) / 2, df)) * error
    p = float(2 * stats.t.sf(abs(difference) / error, df))
    method = f"cluster-robust interval over patients (Student t, {df} df)"
    return Result(value=difference, low=difference - half, high=difference + half, method=method), p
