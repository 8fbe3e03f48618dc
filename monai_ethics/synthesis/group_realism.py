# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.group_realism`: are synthetic images of every group as close to real ones of that group?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from scipy.stats import t as student

from monai_ethics.errors import NotAssessableError
from monai_ethics.evidence import Estimate, Finding, Source
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.gram import Gram
from monai_ethics.synthesis.methods.comparison import SetComparison, estimate_of, estimates_of
from monai_ethics.synthesis.methods.floor import (
    FEWEST_UNITS,
    Beside,
    Design,
    Statistic,
    design,
    drawn_each,
    rows_by_unit,
)
from monai_ethics.synthesis.methods.groups import ImageGroup, image_groups, label_of
from monai_ethics.synthesis.methods.jackknife import Jackknifed, balanced_groups, jackknife

__all__ = ["GroupRealism"]

WHAT = {"mmd": "squared maximum mean discrepancy (Gaussian kernels)", "coverage": "share of real neighborhoods reached"}
SOURCES = (
    Source(
        title="D. Jha et al., Practical and ethical considerations for generative AI in medical imaging",
        locator="section 4: equal opportunity of generation",
    ),
    Source(title="A. Gretton et al., A kernel two-sample test, JMLR 13 (2012)", locator="equation 3"),
)
LIMITATIONS = (
    "It compares features, in one space: what the extractor does not see is not compared.",
    "Errors are those of the jackknife, too wide rather than too narrow where a group is served well.",
    "The label of a synthetic image is what was requested; whether it shows it is the question of group_correctness.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """How one group is served: `mmd` over all of it, coverage beside its floor at the common number."""

    group: ImageGroup
    owners: frozenset[tuple[str, str]]
    drawn: Design
    mmd: Jackknifed
    at_number: tuple[Beside, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    first: str
    second: str
    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, kw_only=True)
class GroupRealism(SetComparison):
    """Are synthetic images of every group equally close to held-out real images of that group?

    The unbiased estimate of the squared maximum mean discrepancy between a group's synthetic and its held-out images is
    0 on average if the generator is perfect for it, at any number of images. So groups are compared by it, with
    delete-group jackknife errors by patient and synthetic unit. Beside it stand its value and coverage between disjoint
    halves of the group's held-out patients, at one number of images for all groups.

    Args:
        attribute: the attribute whose groups are compared.
        min_group_size: held-out patients below which a group is listed without a value, at least 20; of synthetic
            units, half.
        family: tests among which this one is corrected (Bonferroni).
        neighbors: neighbors of coverage.

    Notes:
        In the main space. Not assessable without two groups large enough. The jackknife error of a discrepancy near 0
        is too wide, so that the test alarms less often than its level. Where two groups share patients or units, the
        error of their difference is the sum of both errors, which holds however they go together.

    References:
        GEN-12 of the paper of Jha et al. asks for it; the formulas are ours.
    """

    id: ClassVar[str] = "synthesis.group_realism"
    title: ClassVar[str] = "Are synthetic images of every group as close to real ones of that group?"
    requirements: ClassVar[tuple[str, ...]] = ("GEN-12",)

    attribute: str = "group"
    min_group_size: int = 50
    family: int = 1
    neighbors: int = 5

    def __call__(self, data: FeatureSets, /) -> Finding:
        """Measure each group beside its floor and compare the groups.

        Args:
            data: held-out and synthetic features with the attribute.

        Returns:
            A finding, `measured` or `not_assessable`; the same whatever the order of the images.
        """
        sets = data.canonical()
        try:
            used = self.used(sets)
            groups = image_groups(used, self.attribute)
            found = self._measured(used, self._large(groups))
        except NotAssessableError as error:
            return self.finding(
                sets,
                statement=f"Whether synthetic images are as close to real ones for every {self.attribute} could not be "
                "assessed.",
                reason=str(error),
            )
        pairs = self._pairs(found)
        return self.finding(
            sets,
            used,
            statement=self._statement(found, pairs),
            estimates=self._estimates(groups, found, pairs),
            limitations=LIMITATIONS,
            sources=SOURCES,
        )

    @staticmethod
    def example(n: int, seed: int) -> FeatureSets:
        """`n` images of each set in two groups; synthetic images of one of them are off."""
        rng = np.random.default_rng(seed)
        train, holdout, synthetic = rng.standard_normal((3, n, 8))
        group = [("A", "B")[i % 2] for i in range(n)]
        synthetic[1::2] += 1.5
        return FeatureSets.one_each(
            train, holdout, synthetic, holdout_attributes={"group": group}, synthetic_attributes={"group": group}
        )

    def _large(self, groups: Sequence[ImageGroup]) -> list[ImageGroup]:
        large = [group for group in groups if group.lacks(self._least()) is None]
        if len(large) < 2:
            raise NotAssessableError(
                f"Two groups of {self._least()} held-out patients and {self._least() // 2} synthetic units are needed: "
                f"got {len(large)}."
            )
        return large

    def _least(self) -> int:
        """Patients of a group: two halves and the jackknife need ten each, whatever was asked for."""
        return max(self.min_group_size, 2 * FEWEST_UNITS)

    def _measured(self, used: FeatureSets, large: Sequence[ImageGroup]) -> list[_Served]:
        _, _, gram = next(iter(self.grams(used.within(used.spaces[:1]))))
        size = min(min(self.size, group.patients // 2, group.units) for group in large)
        widths = gram.bandwidths(np.arange(used.size("holdout")))
        patients, units = used.units("holdout"), used.units("synthetic")
        found = []
        for group in large:
            owners, makers = [patients[i] for i in group.real], [units[i] for i in group.synthetic]
            drawn = design(owners, makers, size=size, splits=self.splits, groups=self.groups, seed=self.seed)
            place = np.concatenate([group.real, group.synthetic + used.size("holdout")])
            found.append(
                _Served(
                    group=group,
                    owners=frozenset({*(("real", name) for name in owners), *(("made", name) for name in makers)}),
                    drawn=drawn,
                    mmd=self._discrepancy(gram, place, (owners, makers), widths),
                    at_number=self.beside(self._statistic(gram, place, widths), drawn),
                )
            )
        return found

    def _discrepancy(
        self, gram: Gram, place: np.ndarray, units: tuple[Sequence[str], Sequence[str]], widths: Sequence[float]
    ) -> Jackknifed:
        """Of all patients and units of a group, one image each."""
        rng = np.random.default_rng(self.seed)
        rows = []
        for shift, own in zip((0, len(units[0])), units, strict=True):
            rows.append(place[drawn_each(rows_by_unit(own), rng=rng) + shift])
        count = min(self.groups, *map(len, rows))
        left = [balanced_groups(len(side), count, rng=rng) for side in rows]
        replicates = [gram.mmd(rows[0][left[0] != group], rows[1][left[1] != group], widths) for group in range(count)]
        return jackknife(gram.mmd(rows[0], rows[1], widths), replicates, level=self.level)

    def _statistic(self, gram: Gram, place: np.ndarray, widths: Sequence[float]) -> Statistic:
        def statistic(real: np.ndarray, other: np.ndarray) -> Sequence[float | None]:
            x, y = place[real], place[other]
            covered = gram.manifold(x, y, k=self.neighbors).coverage if min(len(x), len(y)) > self.neighbors else None
            return gram.mmd(x, y, widths), covered

        return statistic

    def _pairs(self, found: Sequence[_Served]) -> list[_Pair]:
        pairs = []
        for one, other in combinations(found, 2):
            a, b, first, second = one.mmd, other.mmd, label_of(one.group), label_of(other.group)
            apart = one.owners.isdisjoint(other.owners)
            error = math.hypot(a.error, b.error) if apart else a.error + b.error
            degrees = min(a.groups, b.groups) - 1
            value = a.value - b.value
            reach = error * float(student.ppf((1 + self.level) / 2, degrees))
            p = float(2 * student.sf(abs(value) / error, degrees)) if error > 0 else 1.0
            pairs.append(_Pair(first=first, second=second, value=value, low=value - reach, high=value + reach, p=p))
        return pairs

    def _p_value(self, pairs: Sequence[_Pair]) -> float:
        return min(1.0, len(pairs) * min(pair.p for pair in pairs))

    def _statement(self, found: Sequence[_Served], pairs: Sequence[_Pair]) -> str:
        adjusted = min(1.0, self._p_value(pairs) * self.family)
        shown = "groups differ" if adjusted <= 1 - self.level else "a difference is not shown, which is not equality"
        worst, best = max(found, key=lambda one: one.mmd.value), min(found, key=lambda one: one.mmd.value)
        return (
            f"Synthetic images lie farthest from real ones of their group for {self.attribute} "
            f"{label_of(worst.group)} (squared discrepancy {worst.mmd.value:.3g}) and nearest for "
            f"{label_of(best.group)} ({best.mmd.value:.3g}), where 0 is expected of a perfect generator; {shown} "
            f"(adjusted p = {adjusted:.2g})."
        )

    def _estimates(
        self, groups: Sequence[ImageGroup], found: Sequence[_Served], pairs: Sequence[_Pair]
    ) -> tuple[Estimate, ...]:
        p, values = self._p_value(pairs), [one.mmd.value for one in found]
        kept: dict[str, Any] = {"unit": "1", "n": sum(one.group.patients for one in found), "n_unit": "patients"}
        tests = (
            ("p_value", p, "chance of discrepancies as unequal if groups were served alike"),
            ("p_adjusted", min(1.0, p * self.family), f"the p-value corrected over {self.family} tests (Bonferroni)"),
        )
        how = "Student t of jackknife errors, smallest of all pairs times their number (Bonferroni)"
        rows = [
            Estimate(name=name, value=x, estimand=what, method=how, reason="a p-value has no interval", **kept)
            for name, x, what in tests
        ]
        gap = Estimate(
            name="max_min_gap",
            value=max(values) - min(values),
            estimand="largest less smallest discrepancy of a group",
            reason="never 0 by chance alone: intervals belong to the differences of pairs",
            **kept,
        )
        served = {label_of(one.group): one for one in found}
        by_group = [row for group in groups for row in self._of_group(group, served.get(label_of(group)))]
        return (*rows, gap, *by_group, *(self._difference(pair, kept) for pair in pairs))

    def _of_group(self, group: ImageGroup, one: _Served | None) -> list[Estimate]:
        label = {self.attribute: group.label}
        kept: dict[str, Any] = {
            "unit": "1",
            "n": group.patients + group.units,
            "n_unit": "patients and synthetic units",
        }
        population = f"{WHAT['mmd']} between synthetic and held-out images of the group, population value"
        if one is None:
            reason = group.lacks(self._least())
            return [
                Estimate(name=name, value=None, n_valid=0, estimand=what, group=label, reason=reason, **kept)
                for name, what in WHAT.items()
            ]
        rows = [estimate_of("mmd", one.mmd, estimand=population, group=label, **kept)]
        for (name, what), beside in zip(WHAT.items(), one.at_number, strict=True):
            ends: dict[str, Any] = {"bounds": (0.0, 1.0)} if name == "coverage" else {}
            all_three = estimates_of(name, beside, one.drawn, estimand=what, group=label, **ends)
            rows += all_three[1:2] if name == "mmd" else all_three  # of mmd, only the floor is at a number
        return rows

    def _difference(self, pair: _Pair, kept: dict[str, Any]) -> Estimate:
        return Estimate(
            name="difference",
            value=pair.value,
            low=pair.low,
            high=pair.high,
            level=self.level,
            method="Student t of jackknife errors of both groups",
            estimand="discrepancy of the first group less that of the second",
            group={self.attribute: f"{pair.first} - {pair.second}"},
            **kept,
        )
