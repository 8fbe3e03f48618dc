# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.standardized_gap`: what is left of a gap when groups are weighed to the same case mix."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.groups import CASE_MIX, label_text, labels_of
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS, ScoreTable
from monai_ethics.fairness.gap import ALONE, Family, GapNumbers, PairNumbers, gap_curves, gap_estimates, parity_level
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.fairness.methods.standardized import StratifiedGroups, standardized_difference, standardized_value
from monai_ethics.fairness.methods.standardized_comparison import StandardizedComparison, compare_standardized
from monai_ethics.registry import question_of
from monai_ethics.statistics.intervals import Result, mean_over_patients
from monai_ethics.statistics.permutation import Omnibus
from monai_ethics.statistics.power import minimum_detectable_gap

__all__ = ["StandardizedGap"]

SOURCES = (
    Source(title="Ethics-by-Design for medical imaging AI", locator="Table 1", url="https://arxiv.org/abs/2507.04249"),
    Source(title="Rothman, Greenland & Lash, Modern Epidemiology", locator="direct standardization"),
    Source(title="Chung & Romano 2013 (Ann. Stat. 41)", locator="studentised permutation, here within strata"),
)
LIMITATIONS = (
    "Secondary: adjusted for case mix, beside the gap that patients meet, which is not adjusted.",
    "What differs between groups within a stratum is not adjusted for; nor is anything that was not recorded.",
    "A control attribute that is itself a consequence of belonging to a group hides part of the gap.",
    "Not shown is not no gap: see the minimum detectable gap.",
    "It speaks of the strata in which every judged group has enough patients, and of their mix, only.",
)


@dataclass(frozen=True, kw_only=True)
class StandardizedGap:
    """Difference of group means after direct standardization to the pooled distribution of a control attribute.

    The mean of each group in every stratum of the control (site, view, or size of what is to be found), weighted by
    the stratum's share among all patients compared; patients are permuted within strata. Strata in which a judged
    group has too few patients are named and left out, of the unadjusted gap beside it too.

    Args:
        attribute: name of the grouping; empty if the table has only one besides the control.
        control: attribute that is controlled for; empty = what cases show (`roi_size_band`), if the table has it.
        min_group_size: smallest group that is judged (patients with a score in the strata kept).
        min_cell_size: smallest number of patients of a judged group in a stratum that is kept; 2 or more.
        n_permutations: random draws; fewer, and printed, for very many patients.
        level: nominal coverage of intervals; the test's level is one minus it.
        seed: seed of the draws.

    Notes:
        A gap that vanishes here is explained by the control in the statistical sense only; patients met it all the
        same.

    References:
        arXiv 2507.04249, Table 1 (evaluation: performance across patient groups); methods as in `sources`.
    """

    id: ClassVar[str] = "fairness.standardized_gap"
    title: ClassVar[str] = "What is left of the gap when groups are weighed to the same case mix?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1", "TRU-03")

    attribute: str = ""
    control: str = ""
    min_group_size: int = 10
    min_cell_size: int = 5
    n_permutations: int = 10_000
    level: float = 0.95
    seed: int = 0

    def __call__(self, data: ScoreTable, /) -> Finding:
        """Compare the groups of one attribute; this test is then a family of its own.

        Args:
            data: per-case scores with their groups and the control.

        Returns:
            Verdict `measured`; `not_assessable` without two groups that share a stratum, or where a miss has no worst
            score.
        """
        return self.finding(data, self.compare(data))

    def _names(self, data: ScoreTable) -> tuple[str, str]:
        """Attribute and control; empty where none can be told."""
        control = self.control or next((name for name in CASE_MIX if name in data.groups), "")
        others = [name for name in data.groups if name != control]
        return self.attribute or (others[0] if len(others) == 1 else ""), control

    def compare(self, data: ScoreTable) -> StandardizedComparison | None:
        """The omnibus test alone, or ``None`` if there is no attribute or no control."""
        name, control = self._names(data)
        if not name or not control:
            return None
        return compare_standardized(
            data,
            name,
            control,
            min_group_size=self.min_group_size,
            min_cell_size=self.min_cell_size,
            n_permutations=self.n_permutations,
            seed=self.seed,
        )

    def finding(
        self,
        data: ScoreTable,
        found: StandardizedComparison | None,
        family: Family = ALONE,
    ) -> Finding:
        """Put a comparison into a finding.

        Args:
            data: the scores compared.
            found: the comparison.
            family: the tests it is corrected with.

        Returns:
            The finding.
        """
        name, control = self._names(data)
        missing = "no control attribute was named" if not control else "no attribute to compare was named"
        found = found or StandardizedComparison(reason=missing)
        adjusted, numbers, estimates = 1.0, None, []
        if found.omnibus is not None and found.cells is not None:
            adjusted = family.adjusted(found.omnibus.p)
            numbers = self._numbers(data, found, found.cells, found.omnibus, (1 - self.level) / family.size)
            estimates = [
                *gap_estimates(numbers, adjusted=adjusted, family=family),
                *self._unadjusted(data, found),
                *self._values(data, found, found.cells),
            ]
        adjusted_for = f"{family.name}, adjusted for {control}"
        settings = {**family.settings, "family_name": adjusted_for, **self._settings(found)}
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if found.reason else Verdict.MEASURED,
            statement=self._statement(data, found, adjusted),
            subjects=(data.metric, name) if name else (data.metric,),
            estimates=estimates,
            curves=gap_curves(numbers) if numbers else (),
            accounting=_accounting(data, name, control, found),
            parameters={**asdict(self), **settings, "attribute": name, "control": control},
            reason=found.reason,
            limitations=LIMITATIONS if data.patients_named else (*LIMITATIONS, UNNAMED_PATIENTS),
            sources=SOURCES,
            seed=self.seed,
        )

    def _statement(self, data: ScoreTable, found: StandardizedComparison, adjusted: float) -> str:
        name, control = self._names(data)
        what = f"{data.metric} by {name or 'group'}, adjusted for {control or 'case mix'}"
        if found.omnibus is None or found.raw is None:
            return f"{what}: nothing can be said, because {found.reason}."
        n = len(found.patients(found.judged, found.kept))
        shown = "a difference is left" if adjusted <= 1 - self.level else "no difference was shown"
        text = f"{what}: {shown} (secondary; adjusted p = {adjusted:.2g}, {n} patients in {len(found.judged)} groups)"
        if found.omnibus.gap is not None and found.raw.gap is not None:
            text += f". The gap of means is {found.omnibus.gap:.3g}; not adjusted, {found.raw.gap:.3g}"
        if found.covered < 1:
            text += f". Strata left out hold {100 * (1 - found.covered):.0f} % of these groups' patients"
        return f"{text}."

    def _settings(self, found: StandardizedComparison) -> dict[str, Any]:
        sizes = {label: len(found.patients([label], found.strata)) for label in found.labels}
        mix: dict[str, float] = {}
        if found.cells is not None:
            mix = {label_text(s): float(w) for s, w in zip(found.kept, found.cells.weights, strict=True)}
        return {
            "groups": {label_text(label): size for label, size in sizes.items()},
            "small_groups": [label_text(label) for label in found.labels if label not in found.judged],
            "strata": mix,
            "strata_left_out": [label_text(s) for s in found.strata if s not in found.kept],
            "draws": found.draws,
            "patients_in_several_cells": found.cells.repeated if found.cells else 0,
        }

    def _numbers(
        self, data: ScoreTable, found: StandardizedComparison, cells: StratifiedGroups, omnibus: Omnibus, alpha: float
    ) -> GapNumbers:
        kind = "random signs of patients" if cells.repeated else "permutation of patients within strata"
        pairs = []
        for i, j in combinations(range(len(found.judged)), 2):
            first, second = found.judged[i], found.judged[j]
            result, p = standardized_difference(cells, i, j, level=self.level)
            pairs.append(
                PairNumbers(
                    first=first,
                    second=second,
                    n=len(found.patients([first, second], found.kept)),
                    result=result,
                    p=p,
                    parity=standardized_difference(cells, i, j, level=parity_level(self.level))[0],
                    unit=data.unit,
                    estimand=f"standardized mean of {label_text(first)} minus that of {label_text(second)}",
                )
            )
        return GapNumbers(
            attribute=self._names(data)[0],
            omnibus=omnibus,
            method=f"direct standardization; studentised {kind}, {found.draws} draws, seed {self.seed}",
            n=len(found.patients(found.judged, found.kept)),
            unit=data.unit,
            gap_estimand=f"standardized mean, {data.estimand}",
            detectable=_detectable(cells, alpha),
            detectable_unit=data.unit,
            detectable_estimand="smallest difference of standardized means between the two groups of least "
            f"information found with 80 % power at level {alpha:.3g}",
            pairs=pairs,
            level=self.level,
        )

    def _unadjusted(self, data: ScoreTable, found: StandardizedComparison) -> list[Estimate]:
        if found.raw is None:
            return []
        base: dict[str, Any] = {"n": len(found.patients(found.judged, found.kept)), "n_unit": "patients"}
        people = len(found.patients(found.judged, found.strata))
        share: dict[str, Any] = {"estimand": "share of the groups' patients that lie in the strata kept", "unit": "1"}
        gap: dict[str, Any] = {
            "estimand": "largest minus smallest group mean, not adjusted, same patients",
            "unit": data.unit,
        }
        why = "the patients at hand are all counted"
        rows = [Estimate(name="raw_max_min_gap", value=found.raw.gap, reason="see the adjusted gap", **gap, **base)]
        rows.append(
            Estimate(
                name="raw_p_value",
                value=found.raw.p,
                estimand="no difference of raw means",
                unit="1",
                reason="a p-value has no interval",
                method="studentised permutation of patients, not adjusted for the number of tests",
                **base,
            )
        )
        return [
            *rows,
            Estimate(name="covered_share", value=found.covered, n=people, n_unit="patients", reason=why, **share),
        ]

    def _values(self, data: ScoreTable, found: StandardizedComparison, cells: StratifiedGroups) -> list[Estimate]:
        name, control = self._names(data)
        rows = []
        for position, label in enumerate(found.judged):
            result = standardized_value(cells, position, level=self.level, bounds=data.score_bounds)
            n = len(found.patients([label], found.kept))
            rows.append(self._estimate("standardized_mean", data, result, {name: label}, n))
        for (label, stratum), cell in found.by_cell.items():
            n = len(cell.patients)
            worst = data.worst
            failed = cell.missed or (worst is not None and bool((cell.values == worst).any()))
            result = Result(value=None, reason=f"{n} patients: listed, not judged (at least {self.min_group_size})")
            if n >= max(self.min_group_size, 1):
                result = mean_over_patients(cell.values, bounds=data.score_bounds, failures=failed, level=self.level)
            rows.append(self._estimate("mean", data, result, {name: label, control: stratum}, n))
        return rows

    def _estimate(self, what: str, data: ScoreTable, result: Result, group: dict[str, str | None], n: int) -> Estimate:
        estimand = f"{what.replace('_', ' ')}, {data.estimand}"
        return Estimate(
            name=what,
            estimand=estimand,
            unit=data.unit,
            group=group,
            n=n,
            n_unit="patients",
            **result.stated(self.level),
        )

    @staticmethod
    def example(n: int, seed: int) -> ScoreTable:
        """Overlap scores of `n` patients with sex and the size of what is to be found."""
        table = GroupScores.example(n, seed)
        rng = np.random.default_rng(seed + 1)
        return table.with_groups({"roi_size_band": [("small", "large")[i] for i in rng.integers(0, 2, n)]})


def _detectable(cells: StratifiedGroups, alpha: float) -> Result:
    """From the stratified spread within cells, never from the observed gap."""
    if cells.repeated:
        return Result(value=None, reason=f"{cells.repeated} patients are in several cells: not computed")
    errors = np.sqrt((cells.parts() ** 2).sum(axis=0))
    sizes = [sum(len(cell.values) for cell in row) for row in cells.table]
    if errors.min() <= 0:
        return Result(value=None, reason="no spread within a group's strata: it says nothing about new patients")
    worst = np.argsort(-errors, kind="stable")[:2]
    scale = float(np.hypot(*errors[worst]))  # of one difference; the F distribution brings level, power and df
    unit = minimum_detectable_gap(sizes, 1.0, alpha=alpha) / float(np.sqrt(sum(1 / n for n in sorted(sizes)[:2])))
    return Result(value=unit * scale, method="non-central F at the stratified standard errors, 80 % power")


def _accounting(data: ScoreTable, name: str, control: str, found: StandardizedComparison) -> dict[str, int]:
    """Cases by what became of them; adds up to all cases."""
    keys = ("compared", "in_groups_too_small", "in_strata_left_out", "without_a_comparison", "without_a_score")
    counts: Counter[str] = Counter()
    none = (None,) * len(data)
    labels, strata = (labels_of(data, name), labels_of(data, control)) if name and control else (none, none)
    for value, label, stratum in zip(data.case_values(), labels, strata, strict=True):
        if value is None:
            counts[keys[4]] += 1
        elif found.omnibus is None:
            counts[keys[3]] += 1
        elif label not in found.judged:
            counts[keys[1]] += 1
        else:
            counts[keys[0] if stratum in found.kept else keys[2]] += 1
    return {key: counts[key] for key in keys}
