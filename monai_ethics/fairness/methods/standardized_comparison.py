# SPDX-License-Identifier: Apache-2.0
"""The comparison of one metric between groups weighed to one case mix, before it is put into words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from monai_ethics.fairness.data.groups import Group, labels_of, split
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.methods.standardized import StratifiedGroups, StratumScores, standardized_omnibus
from monai_ethics.statistics.permutation import Omnibus

__all__ = ["StandardizedComparison", "compare_standardized"]

DRAW_CELLS = 50_000_000  # draws x patients at most: some seconds
FEWEST_DRAWS = 1_999
Key = tuple[str | None, str | None]


@dataclass(frozen=True, kw_only=True)
class StandardizedComparison:
    """What was compared, and the omnibus test.

    Args:
        by_cell: group and stratum to its patients.
        labels: every group, small ones and missing labels included.
        strata: every stratum.
        judged: groups compared.
        kept: strata compared.
        cells: their scores; ``None`` with a `reason`.
        omnibus: the test; ``None`` with a `reason`.
        raw: the same test without strata, over the same patients.
        draws: random draws; fewer than asked for with very many patients.
        covered: share of the judged groups' patients that lie in the strata kept.
        reason: why there is no test.
    """

    by_cell: dict[Key, Group] = field(default_factory=dict)
    labels: tuple[str | None, ...] = ()
    strata: tuple[str | None, ...] = ()
    judged: tuple[str | None, ...] = ()
    kept: tuple[str | None, ...] = ()
    cells: StratifiedGroups | None = None
    omnibus: Omnibus | None = None
    raw: Omnibus | None = None
    draws: int = 0
    covered: float = 0.0
    reason: str | None = None

    @property
    def p(self) -> float | None:
        """p-value of the omnibus test; ``None`` if there was none."""
        return None if self.omnibus is None else self.omnibus.p

    def patients(self, labels: Sequence[str | None], strata: Sequence[str | None]) -> set[str]:
        """Patients of these groups in these strata."""
        cells = [self.by_cell.get((label, stratum)) for label in labels for stratum in strata]
        return {patient for cell in cells if cell is not None for patient in cell.patients}


def compare_standardized(
    data: ScoreTable,
    attribute: str,
    control: str,
    *,
    min_group_size: int,
    min_cell_size: int,
    n_permutations: int,
    seed: int,
) -> StandardizedComparison:
    """Choose groups and strata, and run the omnibus test.

    Args:
        data: per-case scores.
        attribute: grouping that is compared.
        control: grouping whose mix is made equal.
        min_group_size: smallest group that is judged (patients in the strata kept).
        min_cell_size: smallest number of patients of a judged group in a stratum that is kept.
        n_permutations: random draws.
        seed: seed of the draws.

    Returns:
        The comparison.
    """
    found = _cells(data, attribute, control)
    if any(not np.isfinite(cell.values).all() for cell in found.by_cell.values()):
        return replace(found, reason="a missed case has no worst score, so that its group has no mean")
    judged, kept = _chosen(found, min_group_size, min_cell_size)
    found = replace(found, judged=judged, kept=kept)
    if len(judged) < 2:
        reason = (
            f"no two groups of {min_group_size} patients share strata of {control} in which each has {min_cell_size}"
        )
        return replace(found, reason=reason)
    return _tested(found, n_permutations, seed)


def _chosen(
    found: StandardizedComparison, min_group_size: int, min_cell_size: int
) -> tuple[tuple[str | None, ...], tuple[str | None, ...]]:
    """Groups of enough patients, and the strata in which each of them has enough; the smallest leaves first."""
    judged = found.labels
    while len(judged) > 1:
        kept = tuple(stratum for stratum in found.strata if _everywhere(found, judged, stratum, min_cell_size))
        inside = {label: len(found.patients([label], kept)) for label in judged}
        if min(inside.values()) >= max(min_group_size, 2):
            return judged, kept
        sizes = {label: (inside[label], len(found.patients([label], found.strata))) for label in judged}
        last = min(judged, key=lambda label: (*sizes[label], label is not None, label or ""))
        judged = tuple(label for label in judged if label != last)
    return (), ()


def _everywhere(found: StandardizedComparison, judged: Sequence[str | None], stratum: str | None, fewest: int) -> bool:
    return all(len(found.patients([label], [stratum])) >= max(fewest, 2) for label in judged)


def _tested(found: StandardizedComparison, draws: int, seed: int) -> StandardizedComparison:
    counts = [len(found.patients(found.judged, [stratum])) for stratum in found.kept]
    weights = np.array(counts, dtype=np.float64) / sum(counts)
    table = [
        [
            StratumScores(patients=found.by_cell[label, stratum].patients, values=found.by_cell[label, stratum].values)
            for stratum in found.kept
        ]
        for label in found.judged
    ]
    cells = StratifiedGroups(table=table, weights=weights)
    together = StratifiedGroups(table=[[_merged(row)] for row in table], weights=np.ones(1))
    everyone = len(found.patients(found.judged, found.strata))
    draws = min(draws, max(DRAW_CELLS // sum(counts), FEWEST_DRAWS))
    return replace(
        found,
        cells=cells,
        draws=draws,
        omnibus=standardized_omnibus(cells, draws=draws, rng=np.random.default_rng(seed)),
        raw=standardized_omnibus(together, draws=draws, rng=np.random.default_rng(seed)),
        covered=len(found.patients(found.judged, found.kept)) / everyone,
    )


def _cells(data: ScoreTable, name: str, control: str) -> StandardizedComparison:
    """Patients of every group in every stratum, sorted, not recorded last."""
    labels, strata = labels_of(data, name), labels_of(data, control)
    rows: defaultdict[Key, list[int]] = defaultdict(list)
    for position, key in enumerate(zip(labels, strata, strict=True)):
        rows[key].append(position)
    groups = tuple(sorted(set(labels), key=_order))
    controls = tuple(sorted(set(strata), key=_order))
    keys = [(label, stratum) for label in groups for stratum in controls if (label, stratum) in rows]
    return StandardizedComparison(
        by_cell={key: split(data.reordered(rows[key]), None)[0] for key in keys}, labels=groups, strata=controls
    )


def _order(label: str | None) -> tuple[bool, str]:
    return label is None, label or ""


def _merged(row: Sequence[StratumScores]) -> StratumScores:
    """One group without strata; a patient in several has the mean of its values."""
    pools: defaultdict[str, list[float]] = defaultdict(list)
    for cell in row:
        for patient, value in zip(cell.patients, cell.values.tolist(), strict=True):
            pools[patient].append(value)
    patients = tuple(sorted(pools))
    return StratumScores(patients=patients, values=np.array([sum(pools[name]) / len(pools[name]) for name in patients]))
