# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.abroca`: do ROC curves differ between groups, at any threshold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import ClassVar

import numpy as np

from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import attribute_of, label_text
from monai_ethics.fairness.data.rankings import Ranking
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS
from monai_ethics.fairness.gap import ALONE, Family, GapNumbers, PairNumbers, gap_curves, gap_estimates
from monai_ethics.fairness.group_ranking import GroupRanking
from monai_ethics.fairness.methods.roc import curve_area, curve_omnibus, roc_vertices
from monai_ethics.fairness.ranking_gap import (
    RankingComparison,
    compared_cases,
    ranking_accounting,
    ranking_settings,
)
from monai_ethics.fairness.wording import is_exploratory
from monai_ethics.registry import question_of
from monai_ethics.statistics.intervals import Result
from monai_ethics.statistics.permutation import Omnibus

__all__ = ["Abroca"]

SOURCES = (
    Source(title="Gardner, Brooks & Baker 2019 (LAK 2019)", locator="ABROCA"),
    Source(title="Venkatraman 2000 (Biometrics 56)", locator="permuting ranks to compare ROC curves"),
)
LIMITATIONS = (
    "Not shown is not no gap.",
    "The area between two curves is never negative and never zero by chance: read it beside its null mean.",
    "It does not say which group is served worse: curves may cross. See fairness.ranking_gap and the ROC curves.",
    "Curves within groups do not see that one group's scores lie higher than another's.",
    "A gap says nothing about its cause: groups also differ in severity, lesion size and scanner.",
)
_AREA = "area between the ROC curves of the two groups, whichever lies above"
_NO_INTERVAL = "never negative and biased upwards: read it beside its distribution when labels are exchanged"
_PAIR_CELLS = 40_000_000  # cases x draws x pairs at most


@dataclass(frozen=True, kw_only=True)
class Abroca:
    """Absolute area between the ROC curves of groups, of every pair and the largest.

    The area is never negative, so it stands beside its distribution when groups have one ROC curve: scores are put in
    their places within their own group, both classes weighing the same, and patients are exchanged among those with
    cases of the same classes. Neither a shift of one group's scores nor its prevalence raises an alarm.

    Args:
        attribute: name of the grouping, such as ``sex`` or ``sex*site``; empty if the data have only one.
        min_group_size: smallest group that is judged (patients); 5 patients of either class are needed too.
        n_permutations: random draws; fewer, and printed, for very many cases.
        level: one minus the level of the test.
        seed: seed of the draws.

    Notes:
        With crossing curves it is large although areas under them are equal. Pairs have no interval, so no parity
        margin can be shown.

    References:
        arXiv 2406.11868 (performance measured for each group); Gardner et al. 2019; Venkatraman 2000.
    """

    id: ClassVar[str] = "fairness.abroca"
    title: ClassVar[str] = "Do ROC curves differ between groups at any threshold?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1")

    attribute: str = ""
    min_group_size: int = 10
    n_permutations: int = 1_999
    level: float = 0.95
    seed: int = 0

    def __call__(self, data: BinaryScores, /) -> Finding:
        """Compare the groups of one attribute; this test is then a family of its own.

        Args:
            data: labels and scores with their groups.

        Returns:
            Verdict `measured`, with estimate ``p_adjusted`` for policies; `not_assessable` with its reason.
        """
        return self.finding(data, self.compare(data))

    def compare(self, data: BinaryScores) -> RankingComparison | None:
        """The omnibus test alone, or ``None`` if the data have no attribute to compare."""
        name = attribute_of(self.attribute, data)
        if not name:
            return None
        found = compared_cases(data, name, "auc", self.min_group_size)
        if found.reason or found.cases is None:
            return found
        if crossed := found.cases.crossed:
            reason = f"{crossed} patients are in several groups, so that labels cannot be exchanged between patients"
            return replace(found, reason=reason)
        omnibus, draws = self._test(found.cases, self.n_permutations)
        method = (
            f"permutation of patients within their classes, at places within groups, {draws} draws, seed {self.seed}"
        )
        return replace(found, omnibus=omnibus, draws=draws, method=method)

    def _test(self, cases: Ranking, draws: int) -> tuple[Omnibus, int]:
        return curve_omnibus(cases, n_permutations=draws, rng=np.random.default_rng(self.seed))

    def finding(
        self,
        data: BinaryScores,
        found: RankingComparison | None,
        family: Family = ALONE,
    ) -> Finding:
        """Put a comparison into a finding.

        Args:
            data: the labels and scores compared.
            found: the comparison.
            family: the tests it is corrected with.

        Returns:
            The finding.
        """
        name = attribute_of(self.attribute, data)
        found = found or RankingComparison(reason=f"there are {len(data.groups)} attributes and none was named")
        adjusted, numbers = 1.0, None
        if found.omnibus is not None and found.cases is not None:
            adjusted = family.adjusted(found.omnibus.p)
            numbers = self._numbers(found.cases, found.omnibus, found, name)
        exploratory = ("Exploratory: confirm what intersections show on other data.",) if is_exploratory(name) else ()
        settings = {**family.settings, "attribute": name}
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if found.reason else Verdict.MEASURED,
            statement=self._statement(data, found, name, adjusted, numbers),
            subjects=(f"{data.target}_abroca", name) if name else (f"{data.target}_abroca",),
            estimates=_worded(gap_estimates(numbers, adjusted=adjusted, family=family)) if numbers else (),
            curves=gap_curves(numbers) if numbers else (),
            accounting=ranking_accounting(data, name, found),
            parameters={**asdict(self), **ranking_settings(found), **settings},
            reason=found.reason,
            limitations=(*exploratory, *LIMITATIONS, *(() if data.patients_named else (UNNAMED_PATIENTS,))),
            sources=SOURCES,
            seed=self.seed,
        )

    def _numbers(self, cases: Ranking, omnibus: Omnibus, found: RankingComparison, name: str) -> GapNumbers:
        pairs = self._pairs(cases, omnibus, found.draws)
        largest = max(pair.result.value or 0.0 for pair in pairs)
        return GapNumbers(
            attribute=name,
            omnibus=replace(omnibus, gap=largest),
            method=found.method,
            n=cases.n_patients,
            gap_estimand="ROC curve, as the area between them",
            detectable=Result(value=None, reason="not computed: it depends on the shape of the difference"),
            detectable_estimand="smallest area between two curves found with 80 % power",
            pairs=pairs,
            level=self.level,
        )

    def _pairs(self, cases: Ranking, omnibus: Omnibus, draws: int) -> list[PairNumbers]:
        """Each pair's exact area; its own test exchanges patients of the two groups alone."""
        count = len(cases.names)
        own = [cases.labels == group for group in range(count)]
        vertices = [roc_vertices(cases.scores[rows], cases.truth[rows]) for rows in own]
        affordable = len(cases.scores) * (count - 1) * draws <= _PAIR_CELLS
        rows = []
        for i, j in combinations(range(count), 2):
            p = omnibus.p if count == 2 else None
            if count > 2 and affordable:
                p = self._test(cases.compared([i, j], rest=False), draws)[0].p
            value = curve_area(vertices[i], vertices[j])
            rows.append(
                PairNumbers(
                    first=cases.names[i],
                    second=cases.names[j],
                    n=len(np.unique(cases.patients[own[i] | own[j]])),
                    result=Result(value=value, method="exact area between the empirical curves", reason=_NO_INTERVAL),
                    p=p,
                    name="abroca",
                    estimand=f"{_AREA}: {label_text(cases.names[i])} and {label_text(cases.names[j])}, case-weighted",
                )
            )
        return rows

    def _statement(
        self, data: BinaryScores, found: RankingComparison, name: str, adjusted: float, numbers: GapNumbers | None
    ) -> str:
        what = f"{data.target}: ROC curves by {name or 'group'}"
        if numbers is None:
            return f"{what}: whether they differ cannot be said, because {found.reason}."
        tested = f"adjusted p = {adjusted:.2g}, {len(found.judged)} groups"
        tested = f"exploratory; {tested}" if is_exploratory(name) else tested
        gap, null = numbers.omnibus.gap or 0.0, numbers.omnibus.gap_null_mean or 0.0
        seen = f" The largest area between two curves is {gap:.3f}, where {null:.3f} is expected without a difference."
        if adjusted <= 1 - self.level:
            return f"{what} differ ({tested}).{seen}"
        return f"{what}: no difference was shown ({tested}).{seen} Not shown is not no gap."

    @staticmethod
    def example(n: int, seed: int) -> BinaryScores:
        """Scores of `n` patients with sex."""
        return GroupRanking.example(n, seed)


def _worded(estimates: list[Estimate]) -> list[Estimate]:
    """The gap of curves is an area between two of them, not a largest less a smallest value."""
    texts = {"max_min_gap": "ABROCA: the largest area between the ROC curves of any two groups, never negative"}
    return [replace(item, estimand=texts.get(item.name, item.estimand)) for item in estimates]
