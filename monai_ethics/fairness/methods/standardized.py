# SPDX-License-Identifier: Apache-2.0
"""Group means standardized to one case mix: what is left of a gap when groups are weighed to the same strata.

Direct standardization: each group's mean in every stratum of a control attribute, weighted by the share of the stratum
among all patients compared. The p-value permutes patients within strata, so that what the strata explain is no gap.

References:
    [1] Rothman, Greenland & Lash, Modern Epidemiology, chapter on standardization: direct standardization.
    [2] Chung & Romano 2013, Ann. Stat. 41; Pauly, Brunner & Konietschke 2015, JRSS-B 77: studentised permutation.
    [3] Liang & Zeger 1986, Biometrika 73: patients in several cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from monai_ethics.fairness.methods.crossed import wild_omnibus
from monai_ethics.statistics.differences import Pair
from monai_ethics.statistics.intervals import Floats, Result
from monai_ethics.statistics.permutation import CELLS, Omnibus, summary

__all__ = ["StratifiedGroups", "StratumScores", "standardized_difference", "standardized_omnibus", "standardized_value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumScores:
    """The patients of one group in one stratum.

    Args:
        patients: each once, length ``n``, 2 or more.
        values: a finite score for each, shape ``(n,)``.
    """

    patients: tuple[str, ...]
    values: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class StratifiedGroups:
    """Every group in every stratum.

    Args:
        table: ``table[g][s]``, all present.
        weights: share of each stratum, shape ``(S,)``, sum 1.
    """

    table: Sequence[Sequence[StratumScores]]
    weights: Floats

    @property
    def places(self) -> Floats:
        """Standardized mean of each group [1], shape ``(K,)``."""
        rows = [[math.fsum(cell.values) / len(cell.values) for cell in row] for row in self.table]
        return np.array([math.fsum(w * m for w, m in zip(self.weights, row, strict=True)) for row in rows])

    @property
    def raw(self) -> Floats:
        """Mean of each group over the same patients, not standardized, shape ``(K,)``."""
        pooled = [np.concatenate([cell.values for cell in row]) for row in self.table]
        return np.array([math.fsum(values) / len(values) for values in pooled])

    @property
    def repeated(self) -> int:
        """Number of patients that are in several cells."""
        everyone = [patient for row in self.table for cell in row for patient in cell.patients]
        return len(everyone) - len(set(everyone))

    def parts(self) -> Floats:
        """What each patient contributes to the error of every standardized mean [3], shape ``(patients, K)``.

        Its sums of squares are the stratified variances where no patient is in several cells.
        """
        everyone = sorted({patient for row in self.table for cell in row for patient in cell.patients})
        place = {patient: i for i, patient in enumerate(everyone)}
        found = np.zeros((len(everyone), len(self.table)))
        for column, row in enumerate(self.table):
            for weight, cell in zip(self.weights, row, strict=True):
                n = len(cell.values)
                own = weight * (cell.values - cell.values.mean()) / math.sqrt(n * (n - 1))
                found[[place[patient] for patient in cell.patients], column] += own
        return found

    def floors(self) -> Floats:
        """Least variance of each standardized mean: a small cell of equal scores is not sure of itself."""
        spread = [float(np.var(np.concatenate([row[s].values for row in self.table]))) for s in range(self.strata)]
        return np.array(
            [
                math.fsum(
                    w**2 * v / len(cell.values) ** 2 for w, v, cell in zip(self.weights, spread, row, strict=True)
                )
                for row in self.table
            ]
        )

    @property
    def strata(self) -> int:
        """Number of strata."""
        return len(self.weights)

    def degrees(self, group: int) -> float:
        """Satterthwaite's degrees of freedom of a group's variance."""
        parts = [
            (w**2 * float(np.var(cell.values, ddof=1)) / len(cell.values), len(cell.values) - 1)
            for w, cell in zip(self.weights, self.table[group], strict=True)
        ]
        total = math.fsum(v for v, _ in parts)
        return total**2 / math.fsum(v**2 / df for v, df in parts) if total > 0 else 1.0


def _interval(value: float, error: float, df: float, level: float, what: str) -> Result:
    if error <= 0:
        return Result(value=value, method=what, reason="no spread within the strata")
    half = float(stats.t.ppf((1 + level) / 2, df)) * error
    method = f"{what}, Student t interval with {df:.1f} df (stratified variance over patients)"
    return Result(value=value, low=value - half, high=value + half, method=method)


def standardized_value(
    cells: StratifiedGroups, group: int, *, level: float, bounds: tuple[float, float] | None
) -> Result:
    """Standardized mean of one group with its interval, cut at the bounds of the score."""
    error = math.sqrt(math.fsum(cells.parts()[:, group] ** 2))
    found = _interval(float(cells.places[group]), error, cells.degrees(group), level, "direct standardization")
    if found.low is None or found.high is None or bounds is None:
        return found
    low, high = max(found.low, bounds[0]), min(found.high, bounds[1])
    return Result(value=found.value, low=low, high=high, method=found.method)


def standardized_difference(cells: StratifiedGroups, first: int, second: int, *, level: float) -> Pair:
    """Standardized mean of the first group minus that of the second.

    Args:
        cells: groups and strata.
        first: position of the one.
        second: position of the other.
        level: nominal coverage.

    Returns:
        The difference with its interval, and its p-value; patients in both are counted once.
    """
    places, parts = cells.places, cells.parts()
    difference = float(places[first] - places[second])
    error = math.sqrt(math.fsum((parts[:, first] - parts[:, second]) ** 2))
    own = [math.fsum(parts[:, g] ** 2) for g in (first, second)]
    degrees = [cells.degrees(g) for g in (first, second)]
    total = math.fsum(v**2 / df for v, df in zip(own, degrees, strict=True))
    df = sum(own) ** 2 / total if total > 0 else 1.0
    result = _interval(difference, error, df, level, "difference of standardized means")
    return result, None if error <= 0 else float(2 * stats.t.sf(abs(difference) / error, df))


def standardized_omnibus(cells: StratifiedGroups, *, draws: int, rng: np.random.Generator) -> Omnibus:
    """Test of equal standardized means, studentised; patients are permuted within strata [2].

    Args:
        cells: at least 2 groups.
        draws: number of random draws.
        rng: source of random numbers.

    Returns:
        The p-value, and the gap beside its distribution when labels are exchanged within strata. Where patients are in
        several cells, signs of whole patients are drawn in place of permutations.
    """
    order = sorted(range(len(cells.table)), key=lambda g: [tuple(np.sort(cell.values)) for cell in cells.table[g]])
    sorted_cells = StratifiedGroups(table=[cells.table[g] for g in order], weights=cells.weights)
    if cells.repeated:
        return wild_omnibus(
            sorted_cells.places, sorted_cells.parts(), sorted_cells.floors(), n_permutations=draws, rng=rng
        )
    columns = [np.concatenate([np.sort(row[s].values) for row in sorted_cells.table]) for s in range(cells.strata)]
    sizes = np.array([[len(cell.values) for cell in row] for row in sorted_cells.table], dtype=np.float64).T
    columns = [column - math.fsum(column) / len(column) for column in columns]  # sums of squares lose nothing
    block = max(CELLS // sum(map(len, columns)), 1)
    found = [_wald([column[None] for column in columns], sizes, sorted_cells)]
    for start in range(0, draws, block):
        drawn = [np.tile(np.sort(column), (min(block, draws - start), 1)) for column in columns]
        found.append(_wald([rng.permuted(rows, axis=1, out=rows) for rows in drawn], sizes, sorted_cells))
    return summary(np.concatenate([each[0] for each in found]), np.concatenate([each[1] for each in found]))


def _wald(drawn: Sequence[Floats], sizes: Floats, cells: StratifiedGroups) -> tuple[Floats, Floats]:
    """Statistic and gap of each draw; `drawn` has one array of shape ``(draws, patients)`` for each stratum."""
    shape = len(drawn[0]), sizes.shape[1]
    places, spread = np.zeros(shape), np.zeros(shape)
    for rows, n, weight in zip(drawn, sizes, cells.weights, strict=True):
        starts = np.concatenate([[0], np.cumsum(n)[:-1]]).astype(int)
        means = np.add.reduceat(rows, starts, axis=1) / n
        squares = np.add.reduceat(rows * rows, starts, axis=1)
        places += weight * means
        spread += weight**2 * np.maximum(squares - n * means**2, 0) / (n - 1) / n
    spread = np.maximum(spread, cells.floors())
    weights = 1 / np.where(spread > 0, spread, 1.0)
    center = (weights * places).sum(axis=1) / weights.sum(axis=1)
    statistic: Floats = (weights * (places - center[:, None]) ** 2).sum(axis=1)
    return statistic, places.max(axis=1) - places.min(axis=1)
