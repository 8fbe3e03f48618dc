# SPDX-License-Identifier: Apache-2.0
"""The comparison of rates between the groups of one attribute, before it is put into words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.rates import RATES, RateCell, cells, rate_group, too_small
from monai_ethics.fairness.methods.odds import odds_omnibus
from monai_ethics.fairness.methods.ratios import RatioGroup, ratio_difference, ratio_omnibus
from monai_ethics.statistics.differences import Pair
from monai_ethics.statistics.permutation import Omnibus

__all__ = ["RateComparison", "compare_odds", "compare_rate", "rate_pairs"]


@dataclass(frozen=True, kw_only=True)
class RateComparison:
    """One or two rates of every group, and the omnibus test.

    Args:
        rates: the rates compared.
        cells: every group, small ones and missing labels included.
        judged: those with enough patients, in the order of `cells`: a tuple for each of `rates`.
        hidden: why the others are not judged, by label.
        crossed: number of patients in several judged groups.
        draws: random draws of the test.
        omnibus: its outcome; ``None`` with fewer than 2 judged groups.
        mean: with two rates, the mean of their gaps beside chance.
    """

    rates: tuple[str, ...]
    cells: tuple[RateCell, ...]
    judged: tuple[tuple[RatioGroup, ...], ...]
    hidden: dict[str | None, str]
    crossed: int
    draws: int = 0
    omnibus: Omnibus | None = None
    mean: Omnibus | None = None

    @property
    def p(self) -> float | None:
        """p-value of the omnibus test; ``None`` if there was none."""
        return None if self.omnibus is None else self.omnibus.p

    @property
    def n(self) -> int:
        """Patients compared."""
        return len({patient for row in self.judged for group in row for patient in group.patients})


def _judge(data: BinaryScores, attribute: str, rates: tuple[str, ...], min_group_size: int) -> RateComparison:
    if unknown := [rate for rate in rates if rate not in RATES]:
        raise InputError(f"Expected a rate of {', '.join(RATES)}: got {len(unknown)} other. Correct its name.")
    found = cells(data, attribute)
    hidden: dict[str | None, str] = {}
    kept: list[tuple[RatioGroup, ...]] = []
    for cell in found:
        groups = tuple(rate_group(cell, rate) for rate in rates)
        checks = zip(rates, groups, strict=True)
        reasons = [why for rate, group in checks if (why := too_small(cell, group, rate, min_group_size)) is not None]
        if reasons:
            hidden[cell.label] = reasons[0]
        else:
            kept.append(groups)
    judged = tuple(zip(*kept, strict=True)) if kept else ((),) * len(rates)
    counts = Counter(patient for groups in kept for patient in {p for group in groups for p in group.patients})
    crossed = sum(count > 1 for count in counts.values())
    return RateComparison(rates=rates, cells=tuple(found), judged=judged, hidden=hidden, crossed=crossed)


def compare_rate(
    data: BinaryScores, attribute: str, rate: str, *, min_group_size: int, n_permutations: int, seed: int
) -> RateComparison:
    """Run the omnibus test of one rate over the groups of one attribute, whole patients exchanged.

    Args:
        data: decisions, with their groups.
        attribute: name of a grouping of them.
        rate: one of `RATES`.
        min_group_size: smallest group that is judged (patients).
        n_permutations: random draws.
        seed: seed of the draws.

    Returns:
        The comparison.

    Raises:
        InputError: if the rate or the attribute is not known.
    """
    found = _judge(data, attribute, (rate,), min_group_size)
    groups = found.judged[0]
    if len(groups) < 2:
        return found
    omnibus = ratio_omnibus(groups, n_permutations=n_permutations, rng=np.random.default_rng(seed))
    return replace(found, draws=omnibus.draws or n_permutations, omnibus=omnibus)


def compare_odds(
    data: BinaryScores, attribute: str, *, min_group_size: int, n_permutations: int, seed: int
) -> RateComparison:
    """Run the joint test of TPR and FPR over the groups of one attribute; arguments as for `compare_rate`."""
    found = _judge(data, attribute, ("tpr", "fpr"), min_group_size)
    first, second = found.judged
    if len(first) < 2:
        return found
    test = odds_omnibus(first, second, n_permutations=n_permutations, rng=np.random.default_rng(seed))
    return replace(found, draws=n_permutations, omnibus=test.worst, mean=test.mean)


def rate_pairs(found: RateComparison, row: int, *, level: float) -> list[tuple[RatioGroup, RatioGroup, Pair]]:
    """Every pair of judged groups, in the order of their labels, with its signed difference and own p-value.

    Args:
        found: the comparison.
        row: which of its rates.
        level: nominal coverage.
    """
    pairs = combinations(found.judged[row], 2)
    return [(first, second, ratio_difference(first, second, level=level, counts=True)) for first, second in pairs]
