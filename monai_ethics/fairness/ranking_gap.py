# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.ranking_gap`: are cases ranked as well in one group as in another."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.evidence import Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import attribute_of, label_text, labels_of
from monai_ethics.fairness.data.rankings import Ranking, ranking
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS
from monai_ethics.fairness.gap import (
    ALONE,
    Family,
    GapNumbers,
    PairNumbers,
    ends_text,
    gap_curves,
    gap_estimates,
    parity_level,
)
from monai_ethics.fairness.group_ranking import FEWEST_OF_CLASS, GroupRanking, area_sets, no_scores
from monai_ethics.fairness.methods.area_tests import (
    area_detectable,
    area_omnibus,
    area_parts,
    cross_omnibus,
    cross_parts,
)
from monai_ethics.fairness.wording import is_exploratory
from monai_ethics.registry import question_of
from monai_ethics.statistics.auc import area_between, area_difference
from monai_ethics.statistics.intervals import Floats, Result
from monai_ethics.statistics.permutation import Omnibus

__all__ = ["MEASURES", "RankingComparison", "RankingGap", "compared_cases", "ranking_accounting", "ranking_settings"]

MEASURES = ("auc", "auc_bpsn", "auc_bnsp")
SOURCES = (
    Source(title="DeLong et al. 1988 (Biometrics 44); Obuchowski 1997 (Biometrics 53)", locator="variance of areas"),
    Source(title="Chung & Romano 2013 (Ann. Stat. 41); Pauly et al. 2016 (Biom. J. 58)", locator="permutation"),
    Source(title="Borkan et al. 2019", locator="section 3", url="https://arxiv.org/abs/1903.04561"),
    Source(title="Zou & Donner 2008 (Stat. Med. 27)", locator="MOVER"),
    Source(title="Hanley & McNeil 1982 (Radiology 143)", locator="variance of an area stated beforehand"),
)
LIMITATIONS = (
    "Not shown is not no gap: see the minimum detectable gap.",
    "A gap says nothing about its cause: groups also differ in severity, lesion size and scanner.",
    "The largest minus the smallest of several groups is above zero by chance alone: read it beside its null mean.",
    "Average precision is not compared: it depends on prevalence, so that groups ranked alike differ in it.",
)
WITHIN = "Areas within groups do not see that one group's scores lie higher than another's: auc_bpsn and auc_bnsp do."
WORDS = {
    "auc": "area under the ROC curve within the group",
    "auc_bpsn": "area of the group's negative cases against positive ones of all others",
    "auc_bnsp": "area of the group's positive cases against negative ones of all others",
}


@dataclass(frozen=True, kw_only=True)
class RankingComparison:
    """What was compared, and the omnibus test.

    Args:
        sizes: patients of each group, small ones and missing labels included.
        names: label of each group.
        judged: numbers of the groups with enough patients.
        cases: cases of the judged groups (and of the others, as background), turned around for ``auc_bnsp``.
        omnibus: its outcome; ``None`` with a `reason`.
        draws: random draws; 0 where the limit was used.
        method: how it was reached.
        reason: why there is no test.
    """

    sizes: tuple[int, ...] = ()
    names: tuple[str | None, ...] = ()
    judged: tuple[int, ...] = ()
    cases: Ranking | None = None
    omnibus: Omnibus | None = None
    draws: int = 0
    method: str = ""
    reason: str | None = None

    @property
    def p(self) -> float | None:
        """p-value of the omnibus test; ``None`` if there was none."""
        return None if self.omnibus is None else self.omnibus.p


def compared_cases(data: BinaryScores, name: str, measure: str, min_group_size: int) -> RankingComparison:
    """The groups that can be compared, before any test.

    Args:
        data: labels and scores with their groups.
        name: the grouping.
        measure: one of `MEASURES`.
        min_group_size: smallest group that is judged (patients).

    Returns:
        A comparison without an outcome; with a `reason` if there are fewer than two such groups.
    """
    if reason := no_scores(data):
        labels_of(data, name)
        return RankingComparison(reason=reason)
    cases = ranking(data, name)
    sizes, judged = [], []
    for group in range(len(cases.names)):
        sizes.append(cases.patients_in(group)[0])
        fewest = min(len(np.unique(cases.patients[side])) for side in area_sets(cases, group, measure))
        if sizes[-1] >= max(min_group_size, 2) and fewest >= FEWEST_OF_CLASS:
            judged.append(group)
    reason = None
    if len(judged) < 2:
        reason = (
            f"{len(judged)} of {len(sizes)} groups have {min_group_size} patients, and {FEWEST_OF_CLASS} patients with "
            "cases of either class behind their number, and a comparison needs two such groups"
        )
    kept = cases.compared(judged, rest=measure != "auc")
    return RankingComparison(sizes=tuple(sizes), names=cases.names, judged=tuple(judged), cases=kept, reason=reason)


@dataclass(frozen=True, kw_only=True)
class RankingGap:
    """Difference of one area under the ROC curve between the groups of one attribute.

    A studentised permutation test over patients, exchanged among those with cases of the same classes, answers whether
    any groups differ; with random signs of patients where some are in several groups. Beside it: the largest gap with
    its mean and 95th percentile when labels are exchanged, every pair's difference, and the gap that could have been
    found with 80 % power at an area stated beforehand.

    Args:
        attribute: name of the grouping, such as ``sex`` or ``sex*site``; empty if the data have only one.
        measure: ``"auc"`` within groups; ``"auc_bpsn"`` or ``"auc_bnsp"``: the group's negative or positive cases
            against the other class of everyone outside the group.
        min_group_size: smallest group that is judged (patients); 5 patients of either class are needed too.
        n_permutations: random draws; fewer, or the chi-square limit, and printed, for very many cases.
        expected_area: area at which the minimum detectable gap is computed; never the observed one.
        level: nominal coverage of intervals; the test's level is one minus it.
        seed: seed of the draws.

    Notes:
        It does not show that groups are served alike: small groups hide large gaps. Of two groups, ``auc_bpsn`` and
        ``auc_bnsp`` compare the same two areas in opposite directions.

    References:
        arXiv 2406.11868 (performance measured for each group); Borkan et al. 2019, section 3; methods as in `sources`.
    """

    id: ClassVar[str] = "fairness.ranking_gap"
    title: ClassVar[str] = "Are cases ranked as well in one group as in another?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1")

    attribute: str = ""
    measure: str = "auc"
    min_group_size: int = 10
    n_permutations: int = 4_999
    expected_area: float = 0.85
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise InputError(f"Expected a measure of ranking: got another. Known: {', '.join(MEASURES)}.")
        if not 0.5 <= self.expected_area < 1:
            raise InputError("`expected_area` must be 0.5 or above and below 1: got another. State a usual area.")

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
        found = compared_cases(data, name, self.measure, self.min_group_size)
        if found.reason or found.cases is None:
            return found
        cases = found.cases.flipped() if self.measure == "auc_bnsp" else found.cases
        test = area_omnibus if self.measure == "auc" else cross_omnibus
        rng = np.random.default_rng(self.seed)
        omnibus, draws, method = test(cases, n_permutations=self.n_permutations, rng=rng)
        return RankingComparison(
            sizes=found.sizes,
            names=found.names,
            judged=found.judged,
            cases=cases,
            omnibus=omnibus,
            draws=draws,
            method=f"{method}, seed {self.seed}",
        )

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
            numbers = self._numbers(found.cases, found.omnibus, found.method, name, (1 - self.level) / family.size)
        exploratory = ("Exploratory: confirm what intersections show on other data.",) if is_exploratory(name) else ()
        own = (WITHIN,) if self.measure == "auc" else ()
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if found.reason else Verdict.MEASURED,
            statement=self._statement(data, found, name, adjusted, numbers),
            subjects=(f"{data.target}_{self.measure}", name) if name else (f"{data.target}_{self.measure}",),
            estimates=gap_estimates(numbers, adjusted=adjusted, family=family) if numbers else (),
            curves=gap_curves(numbers) if numbers else (),
            accounting=ranking_accounting(data, name, found),
            parameters={
                **asdict(self),
                **ranking_settings(found),
                **family.settings,
                "attribute": name,
            },
            reason=found.reason,
            limitations=(*exploratory, *own, *LIMITATIONS, *(() if data.patients_named else (UNNAMED_PATIENTS,))),
            sources=SOURCES,
            seed=self.seed,
        )

    def _numbers(self, cases: Ranking, omnibus: Omnibus, method: str, name: str, alpha: float) -> GapNumbers:
        return GapNumbers(
            attribute=name,
            omnibus=omnibus,
            method=method,
            n=cases.n_patients,
            gap_estimand=f"{WORDS[self.measure]}, case-weighted",
            detectable=self._detectable(cases, alpha),
            detectable_estimand=(
                "smallest difference of the two least sure areas found with 80 % power at level "
                f"{alpha:.3g}, the higher area being {self.expected_area:g}"
            ),
            pairs=self._pairs(cases, omnibus),
            level=self.level,
        )

    def _detectable(self, cases: Ranking, alpha: float) -> Result:
        if cases.crossed:
            return Result(value=None, reason=f"{cases.crossed} patients are in several groups: not computed")
        measure = "auc" if self.measure == "auc" else "auc_bpsn"  # cases are turned around for auc_bnsp
        sizes = []
        for group in range(len(cases.names)):
            sets = area_sets(cases, group, measure)
            sizes.append((self._effective(cases, sets[0]), self._effective(cases, sets[1])))
        value = area_detectable(sizes, area=self.expected_area, alpha=alpha)
        kind = "at the number of patients: the least that they show" if cases.repeats else "at the number of cases"
        return Result(value=value, method=f"Hanley and McNeil's variance {kind}, 80 % power")

    @staticmethod
    def _effective(cases: Ranking, side: Any) -> float:
        return float(len(np.unique(cases.patients[side])))

    def _pairs(self, cases: Ranking, omnibus: Omnibus) -> list[PairNumbers]:
        across = self.measure != "auc"
        measure = "auc_bpsn" if across else "auc"
        correlations = _correlations(cases, across=across)
        levels = self.level, parity_level(self.level)
        areas = [
            [
                area_between(cases.scores, cases.patients, *area_sets(cases, group, measure), level=level)
                for group in range(len(cases.names))
            ]
            for level in levels
        ]
        rows = []
        for i, j in combinations(range(len(cases.names)), 2):
            shared = float(correlations[i, j])
            (result, p), (close, _) = (
                area_difference(own[i], own[j], correlation=shared, level=level)
                for own, level in zip(areas, levels, strict=True)
            )
            names = label_text(cases.names[i]), label_text(cases.names[j])
            rows.append(
                PairNumbers(
                    first=cases.names[i],
                    second=cases.names[j],
                    n=len(np.unique(cases.patients[np.isin(cases.labels, (i, j))])),
                    result=result,
                    p=omnibus.p if len(cases.names) == 2 else p,
                    parity=close,
                    estimand=f"{WORDS[self.measure]}: that of {names[0]} minus that of {names[1]}, case-weighted",
                )
            )
        return rows

    def _statement(
        self, data: BinaryScores, found: RankingComparison, name: str, adjusted: float, numbers: GapNumbers | None
    ) -> str:
        what = f"{data.target}: {WORDS[self.measure]}"
        if found.omnibus is None or found.cases is None or numbers is None:
            return f"{what}: whether it differs by {name or 'group'} cannot be said, because {found.reason}."
        tested = f"adjusted p = {adjusted:.2g}, {len(found.judged)} groups"
        tested = f"exploratory; {tested}" if is_exploratory(name) else tested
        gap, null = found.omnibus.gap or 0.0, found.omnibus.gap_null_mean or 0.0
        seen = f" The gap is {gap:.3f}{ends_text(numbers.pairs)}, where {null:.3f} is expected without a difference."
        if adjusted <= 1 - self.level:
            return f"{what}: it differs by {name} ({tested}).{seen}"
        text = f"{what}: no difference by {name} was shown ({tested}).{seen} Not shown is not no gap"
        least = numbers.detectable.value
        if least is None:
            return f"{text}."
        if least > self.expected_area - 0.5:
            return f"{text}: groups of this size would show hardly any gap."
        return f"{text}: one below about {least:.2g} would be overlooked more often than once in 5 times."

    @staticmethod
    def example(n: int, seed: int) -> BinaryScores:
        """Scores of `n` patients with sex."""
        return GroupRanking.example(n, seed)


def _correlations(cases: Ranking, *, across: bool) -> Floats:
    """Correlation of the errors of the groups' areas; zero where groups share no case and no patient."""
    if not across and not cases.crossed:
        return np.zeros((len(cases.names), len(cases.names)))
    parts = cross_parts(cases, cases.labels[None])[1][0] if across else area_parts(cases)[1]
    covariance = parts.T @ parts
    scale = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = covariance / np.outer(scale, scale)
    result: Floats = np.clip(np.nan_to_num(found), -1.0, 1.0)
    return result


def ranking_settings(found: RankingComparison) -> dict[str, Any]:
    """Who was compared, for the parameters of a finding."""
    return {
        "groups": {label_text(name): size for name, size in zip(found.names, found.sizes, strict=True)},
        "small_groups": [label_text(name) for i, name in enumerate(found.names) if i not in found.judged],
        "draws": found.draws,
    }


def ranking_accounting(data: BinaryScores, name: str, found: RankingComparison) -> dict[str, int]:
    """Cases by what became of them; adds up to all cases."""
    keys = ("compared", "in_groups_too_small", "without_a_comparison")
    judged = {found.names[group] for group in found.judged}
    labels = labels_of(data, name) if name and found.names else (None,) * len(data)
    counts: Counter[str] = Counter()
    for label in labels:
        if not found.names or (label in judged and found.omnibus is None):
            counts[keys[2]] += 1
        else:
            counts[keys[0] if label in judged else keys[1]] += 1
    return {key: counts[key] for key in keys}
