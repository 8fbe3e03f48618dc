# SPDX-License-Identifier: Apache-2.0
"""Do areas under the ROC curve differ between groups? One studentised test for areas within and across groups.

The statistic is a Wald form with variances over patients. Its reference comes from exchanging whole patients between
groups among patients with cases of the same classes: for areas across groups at their scores, exact where the scores of
a class do not depend on the group; for areas within groups at their places within their own group, so that neither
shifted scores nor prevalence matter where groups have one ROC curve. Both are valid for large samples where only the
areas are equal, because each draw is divided by its own spread. Where patients are in several groups their signs are
drawn instead; very large data use the chi-square limit.

References:
    [1] DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44; Obuchowski 1997, Biometrics 53: variances.
    [2] Chung & Romano 2013, Ann. Stat. 41(2); Pauly, Asendorf & Konietschke 2016, Biom. J. 58: studentised permutation.
    [3] Hanley & McNeil 1982, Radiology 143: the variance of an area that is stated beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats

from monai_ethics.fairness.data.rankings import Ranking
from monai_ethics.fairness.methods.crossed import wild_omnibus
from monai_ethics.fairness.methods.roc import standardized
from monai_ethics.statistics.auc import cross_areas
from monai_ethics.statistics.intervals import Floats
from monai_ethics.statistics.permutation import CELLS, Omnibus, summary
from monai_ethics.statistics.placements import Blocks, Ints, blocks_of, patient_variances

__all__ = ["area_detectable", "area_omnibus", "area_parts", "area_spread", "cross_omnibus", "cross_parts"]

LIMIT_CELLS = 5_000_000  # draws x cases of a test at most: some seconds
FEWEST_DRAWS = 999
ENOUGH = 200  # patients with cases of either class in every group: the limit needs no draws
_LIMIT_DRAWS = 9_999


def area_omnibus(data: Ranking, *, n_permutations: int, rng: np.random.Generator) -> tuple[Omnibus, int, str]:
    """Test of equal areas within groups [1, 2].

    Args:
        data: cases of 2 or more groups, each with 2 or more patients with cases of either class.
        n_permutations: random draws.
        rng: source of random numbers.

    Returns:
        The outcome, the number of draws, and how it was reached.
    """
    if data.crossed:
        places, parts = area_parts(data)
        found = wild_omnibus(places, parts, _least(data), n_permutations=n_permutations, rng=rng)
        return found, n_permutations, f"Wald statistic, random signs of patients, {n_permutations} draws"
    draws = _draws(data, n_permutations, 1)
    if not draws:
        areas, spread = area_spread(data, data.labels[None])
        return _limit(areas[0], np.diag(np.maximum(spread[0], _least(data))), rng)
    alike, runs = standardized(data, rng)  # at scores, 5 and 50 beside 50 and 5 shifted ones were rejected in .15
    least = _least(alike)
    statistics, gaps = [], []
    for labels in alike.draws(draws, max(CELLS // max(len(data.scores), 1), 1), rng):
        areas, spread = area_spread(alike, labels, runs=runs)
        weights = np.maximum(spread, least)
        weights = 1 / np.where(weights > 0, weights, 1.0)
        center = (weights * areas).sum(axis=1) / weights.sum(axis=1)
        statistics.append((weights * (areas - center[:, None]) ** 2).sum(axis=1))
        gaps.append(areas.max(axis=1) - areas.min(axis=1))
    method = f"studentised permutation of patients within their classes, {draws} draws"
    return summary(np.concatenate(statistics), np.concatenate(gaps)), draws, method


def area_spread(data: Ranking, labels: Ints, *, runs: Ints | None = None) -> tuple[Floats, Floats]:
    """Areas within groups and their variances [1].

    Args:
        data: the cases.
        labels: group of each case in each draw, shape ``(draws, N)``.
        runs: ties within each group, as `standardized` gives them; ``None`` = those of the scores.

    Returns:
        Areas and variances, both of shape ``(draws, groups)``.
    """
    count, size = len(data.names), data.n_patients
    blocks = blocks_of(labels, data.truth, data.runs if runs is None else runs, count)
    if not data.repeats:
        return blocks.areas.reshape(-1, count), _single_variances(blocks).reshape(-1, count)
    patients = data.patients[blocks.order] + size * (blocks.block // count)
    own = np.zeros(len(labels) * size, dtype=np.int64)
    own[patients] = blocks.block
    variances = patient_variances(blocks, blocks.influence(), patients, own)
    return blocks.areas.reshape(-1, count), variances.reshape(-1, count)


def _single_variances(blocks: Blocks) -> Floats:
    """DeLong's variance of each block's area, one case a patient."""
    squares, size = blocks.influence() ** 2, len(blocks.areas)
    total = np.bincount(blocks.block, weights=squares, minlength=size)
    ups = np.bincount(blocks.block, weights=squares * blocks.truth, minlength=size)
    m, n = blocks.positives, blocks.negatives
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = m / (m - 1) * ups + n / (n - 1) * (total - ups)
    return np.where((m > 1) & (n > 1), found, np.nan)


def area_parts(data: Ranking) -> tuple[Floats, Floats]:
    """Areas within groups, shape ``(G,)``, and what each patient contributes to their errors, ``(patients, G)``."""
    count = len(data.names)
    blocks = blocks_of(data.labels[None], data.truth, data.runs, count)
    influence, rows = blocks.influence(), data.patients[blocks.order]
    parts = np.zeros((data.n_patients, count))
    for side in (blocks.truth, ~blocks.truth):
        own = np.bincount(rows[side] * count + blocks.block[side], weights=influence[side], minlength=parts.size)
        seen = np.bincount(rows[side] * count + blocks.block[side], minlength=parts.size).reshape(parts.shape) > 0
        parts += own.reshape(parts.shape) * _correction(seen.sum(axis=0))
    return blocks.areas, parts


def cross_parts(data: Ranking, labels: Ints) -> tuple[Floats, Floats]:
    """Areas of each group's negatives against all others' positives and what each patient contributes to their errors.

    Args:
        data: the cases; those of no group belong to every background.
        labels: group of each case in each draw, shape ``(draws, N)``.

    Returns:
        Areas, shape ``(draws, G)``, and contributions, shape ``(draws, patients, G)``.
    """
    areas, parts = cross_areas(labels, data.truth, data.runs, len(data.names))
    inside = labels[..., None] == np.arange(len(data.names))
    for side, seen in ((data.truth, ~inside), (~data.truth, inside)):
        people = _people(seen[:, side], data.patients[side]) if data.repeats else None
        counts = seen[:, side].sum(axis=1) if people is None else people
        parts[:, side] *= _correction(counts)[:, None, :]
    if data.repeats:
        order = np.argsort(data.patients, kind="stable")
        starts = np.searchsorted(data.patients[order], np.arange(data.n_patients))
        parts = np.add.reduceat(parts[:, order], starts, axis=1)
    return areas, parts


def _people(seen: Ints, patients: Ints) -> Ints:
    """Patients with a case among those seen, shape ``(draws, G)``."""
    present, codes = np.unique(patients, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(present)))
    found: Ints = np.logical_or.reduceat(seen[:, order], starts, axis=1).sum(axis=1)
    return found


def _correction(patients: Ints) -> Floats:
    result: Floats = np.sqrt(patients / np.maximum(patients - 1, 1))
    return result


def cross_omnibus(data: Ranking, *, n_permutations: int, rng: np.random.Generator) -> tuple[Omnibus, int, str]:
    """Test of equal areas of each group's negatives against the positives of all others.

    Groups share backgrounds: the Wald form has a full covariance, estimated anew in every draw.

    Args:
        data: cases of 2 or more groups and of no group.
        n_permutations: random draws.
        rng: source of random numbers.

    Returns:
        The outcome, the number of draws, and how it was reached.
    """
    least = _least_across(data)
    places, parts = cross_parts(data, data.labels[None])
    if data.crossed:
        found = wild_omnibus(places[0], parts[0], least, n_permutations=n_permutations, rng=rng)
        return found, n_permutations, f"Wald statistic, random signs of patients, {n_permutations} draws"
    draws = _draws(data, n_permutations, len(data.names))
    if not draws:
        return _limit(places[0], parts[0].T @ parts[0] + np.diag(least), rng)
    statistics, gaps = [], []
    for labels in data.draws(draws, max(CELLS // max(len(data.scores) * len(data.names), 1), 1), rng):
        areas, own = cross_parts(data, labels)
        spread = own.transpose(0, 2, 1) @ own + np.diag(least)
        statistics.append(_wald(areas, spread))
        gaps.append(areas.max(axis=1) - areas.min(axis=1))
    method = f"studentised permutation of patients within their classes, full covariance, {draws} draws"
    return summary(np.concatenate(statistics), np.concatenate(gaps)), draws, method


def _wald(places: Floats, spread: Floats) -> Floats:
    count = places.shape[-1]
    contrast = np.hstack([np.eye(count - 1), -np.ones((count - 1, 1))])
    gap = places @ contrast.T
    inner = contrast @ spread @ contrast.T
    solved = np.linalg.solve(inner + 1e-30 * np.eye(count - 1), gap[..., None])[..., 0]
    result: Floats = (gap * solved).sum(axis=-1)
    return result


def _pooled(data: Ranking) -> tuple[float, float]:
    """Variance of the placements of positive and of negative cases, all groups together."""
    blocks = blocks_of(np.zeros((1, len(data.truth)), dtype=np.int64), data.truth, data.runs, 1)
    influence = blocks.influence()
    m, n = int(blocks.positives[0]), int(blocks.negatives[0])
    return float(np.sum(influence[blocks.truth] ** 2)) * m, float(np.sum(influence[~blocks.truth] ** 2)) * n


def _sizes(data: Ranking) -> tuple[Floats, Floats]:
    count = len(data.names)
    m, n = (np.bincount(data.labels[side], minlength=count + 1)[:count] for side in (data.truth, ~data.truth))
    return m.astype(np.float64), n.astype(np.float64)


def _least(data: Ranking) -> Floats:
    """Least variance of each area: a small group whose cases are all in order is not sure of itself."""
    (ups, downs), (m, n) = _pooled(data), _sizes(data)
    result: Floats = ups / m**2 + downs / n**2
    return result


def _least_across(data: Ranking) -> Floats:
    (ups, downs), (m, n) = _pooled(data), _sizes(data)
    result: Floats = ups / (data.truth.sum() - m) ** 2 + downs / n**2
    return np.maximum(result, 1e-12)


def _draws(data: Ranking, wanted: int, width: int) -> int:
    """Draws that take some seconds; none where the limit needs none."""
    affordable = LIMIT_CELLS // max(len(data.scores) * width, 1)
    if affordable >= min(wanted, FEWEST_DRAWS):
        return min(wanted, affordable)
    people = [min(data.patients_in(group)[1:]) for group in range(len(data.names))]
    return 0 if min(people) >= ENOUGH else min(wanted, FEWEST_DRAWS)


def _limit(places: Floats, spread: Floats, rng: np.random.Generator) -> tuple[Omnibus, int, str]:
    """The chi-square limit of the Wald statistic; the gap beside draws of its normal limit."""
    statistic = float(_wald(places, spread))
    values, vectors = np.linalg.eigh(spread)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    moved = rng.standard_normal((_LIMIT_DRAWS, len(places))) @ root.T
    gaps = np.concatenate([[places.max() - places.min()], moved.max(axis=1) - moved.min(axis=1)])
    found = summary(np.zeros(len(gaps)), gaps)
    p = float(stats.chi2.sf(statistic, len(places) - 1))
    result = Omnibus(
        p=p,
        gap=found.gap,
        gap_null_mean=found.gap_null_mean,
        gap_null_95th=found.gap_null_95th,
        null_gaps=found.null_gaps,
    )
    return result, 0, f"Wald statistic, chi-square limit with {len(places) - 1} df; gap beside its normal limit"


def area_detectable(
    sizes: Sequence[tuple[float, float]], *, area: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest difference of the two least sure areas that is found with the stated power [3].

    The least sure area is taken to be the lower one, with the variance that it then has.

    Args:
        sizes: effective numbers of positive and of negative cases behind each area.
        area: the higher area, stated beforehand, never the observed one.
        alpha: level of the test, already adjusted for the number of tests.
        power: probability of finding it.

    Returns:
        The difference, at most 1.
    """

    def variance(at: float, m: float, n: float) -> float:
        q1, q2 = at / (2 - at), 2 * at**2 / (1 + at)
        return (at * (1 - at) + (m - 1) * (q1 - at**2) + (n - 1) * (q2 - at**2)) / (m * n)

    second, first = sorted(sizes, key=lambda pair: variance(area, *pair))[-2:]
    df = len(sizes) - 1
    critical = float(stats.chi2.isf(alpha, df))
    need = float(optimize.brentq(lambda value: float(stats.ncx2.sf(critical, df, value)) - power, 1e-9, 1e4))

    def excess(gap: float) -> float:
        return gap**2 - need * (variance(area, *second) + variance(max(area - gap, 0.5), *first))

    return float(optimize.brentq(excess, 0.0, 1.0)) if excess(1.0) > 0 else 1.0
