# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.score_gap`: do the groups of an attribute differ, how surely, and what could not have been seen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from monai_ethics.evidence import Curve, Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.groups import Group, attribute_of, label_text, labels_of
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS, ScoreTable
from monai_ethics.fairness.gap import ALONE, Family, GapNumbers, PairNumbers, gap_curves, gap_estimates, parity_level
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.fairness.methods.comparison import Comparison, compare, detectable, pairs
from monai_ethics.fairness.methods.joint import crossed_pairs_max_t, pairs_max_t
from monai_ethics.fairness.wording import gap_statement, is_exploratory, subject_text
from monai_ethics.registry import question_of
from monai_ethics.statistics.corrections import check_correction
from monai_ethics.statistics.permutation import Omnibus

__all__ = ["ScoreGap", "case_accounting"]

SOURCES = (
    Source(title="Ethics-by-Design for medical imaging AI", locator="Table 1", url="https://arxiv.org/abs/2507.04249"),
    Source(title="Chung & Romano 2013 (Ann. Stat. 41)", locator="studentised permutation"),
    Source(title="Pauly, Brunner & Konietschke 2015 (JRSS-B 77)", locator="Wald form for several groups"),
    Source(title="Brunner, Konietschke, Bathke & Pauly 2021 (Int. Stat. Rev. 89)", locator="pseudo-ranks"),
)
LIMITATIONS = (
    "Not shown is not no gap: see the minimum detectable gap.",
    "A gap says nothing about its cause: groups also differ in prevalence, severity, lesion size and scanner.",
    "The largest minus the smallest of several groups is above zero by chance alone: read it beside its null mean.",
    "Intervals of pairs hold one at a time, not all at once.",
)
EXPLORATORY = (
    "Exploratory: intersections are corrected for their own number only, apart from the attributes. "
    "Confirm what they show on other data."
)
_DETECTABLE = ("minimum_detectable_gap", "minimum_detectable_relative_effect")  # of means, of ranks


@dataclass(frozen=True, kw_only=True)
class ScoreGap:
    """Difference of one metric between the groups of one attribute, over patients.

    A studentised permutation test answers whether any groups differ: of means (Welch's statistic), or of relative
    effects (pseudo-ranks, with a miss as the worst score) when there are failures, or with random signs of whole
    patients where patients are in several groups. Beside it: the largest gap with its mean and 95th percentile when
    labels are exchanged, every pair's signed difference with its interval, and the gap that could have been found with
    80 % power.

    Args:
        attribute: name of the grouping, such as ``sex`` or ``sex*site``; empty if the table has only one.
        min_group_size: smallest group that is judged (patients with a score); smaller ones are listed.
        n_permutations: random draws; fewer, and printed, for rank tests of very many patients.
        level: nominal coverage of intervals; the test's level is one minus it.
        seed: seed of the draws.
        correction: how pairs of groups are adjusted for their number: ``"holm"``, ``"max_t"`` (Westfall-Young, the
            same draws for all pairs) or ``"bh"`` (Benjamini-Hochberg). The adjusted p-value of a pair is never below
            that of the omnibus test.

    Notes:
        It does not show that groups are served alike: small groups hide large gaps.

    References:
        arXiv 2507.04249, Table 1 (evaluation: performance across patient groups); methods as in `sources`.
    """

    id: ClassVar[str] = "fairness.score_gap"
    title: ClassVar[str] = "Does the model work differently for different groups?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1")

    attribute: str = ""
    min_group_size: int = 10
    n_permutations: int = 10_000
    level: float = 0.95
    seed: int = 0
    correction: str = "holm"

    def __post_init__(self) -> None:
        check_correction(self.correction)

    def __call__(self, data: ScoreTable, /) -> Finding:
        """Compare the groups of one attribute; this test is then a family of its own.

        Args:
            data: per-case scores with their groups.

        Returns:
            Verdict `measured`, with estimate ``p_adjusted`` for policies; `not_assessable` with fewer than 2 groups
            of `min_group_size` patients.
        """
        found = self.compare(data)
        return self.finding(data, found)

    def compare(self, data: ScoreTable) -> Comparison | None:
        """The omnibus test alone, or ``None`` if the table has no attribute to compare."""
        attribute = attribute_of(self.attribute, data)
        if not attribute:
            return None
        return compare(
            data,
            attribute,
            min_group_size=self.min_group_size,
            n_permutations=self.n_permutations,
            seed=self.seed,
        )

    def finding(
        self,
        data: ScoreTable,
        found: Comparison | None,
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
        attribute = attribute_of(self.attribute, data)
        estimates: list[Estimate] = []
        curves: list[Curve] = []
        reason = None
        if found is None:
            reason = f"the table has {len(data.groups)} attributes and none was named"
        elif found.omnibus is None:
            reason = (
                f"{len(found.judged)} of {len(found.groups)} groups have {self.min_group_size} patients "
                "with a score, and a comparison needs two such groups"
            )
        else:
            adjusted = family.adjusted(found.omnibus.p)
            numbers = self._numbers(data, found, attribute, found.omnibus, family.size)
            estimates, curves = gap_estimates(numbers, adjusted=adjusted, family=family), gap_curves(numbers)
        settings = {**family.settings, **self._settings(found)}
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=self._statement(data, attribute, found, estimates, reason),
            subjects=(data.metric, attribute) if attribute else (data.metric,),
            estimates=estimates,
            curves=curves,
            accounting=case_accounting(data, attribute, found.judged if found else None),
            parameters={**asdict(self), **settings, "attribute": attribute},
            reason=reason,
            limitations=_limitations(data, attribute),
            sources=SOURCES,
            seed=self.seed,
        )

    def _statement(
        self,
        data: ScoreTable,
        attribute: str,
        found: Comparison | None,
        estimates: list[Estimate],
        reason: str | None,
    ) -> str:
        if reason or found is None:
            what = subject_text(data)
            return f"{what}: whether it differs by {attribute or 'group'} cannot be said, because {reason}."
        value = {item.name: item.value for item in estimates if not item.group}
        return gap_statement(
            data,
            attribute,
            found,
            p_adjusted=value["p_adjusted"] or 0.0,
            least=value[_DETECTABLE[found.ranks]],
            alpha=1 - self.level,
        )

    def _settings(self, found: Comparison | None) -> dict[str, Any]:
        if found is None:
            return {}
        return {
            "groups": {label_text(group.label): len(group.patients) for group in found.groups},
            "small_groups": [label_text(group.label) for group in found.groups if group not in found.judged],
            "compared": "relative effects (pseudo-ranks)" if found.ranks else "means",
            "draws": found.draws,
            "patients_in_several_groups": found.crossed,
        }

    def _numbers(
        self, data: ScoreTable, found: Comparison, attribute: str, omnibus: Omnibus, family: int
    ) -> GapNumbers:
        what = "share missed" if data.of_misses else "median" if found.ranks else "mean"
        kind = "random signs of patients" if found.crossed else "permutation of patients"
        alpha = (1 - self.level) / family
        least = "smallest relative effect above 0.5" if found.ranks else "smallest difference of means"
        return GapNumbers(
            attribute=attribute,
            omnibus=omnibus,
            method=f"studentised {kind}, {found.draws} draws, seed {self.seed}",
            n=len({patient for group in found.judged for patient in group.patients}),
            unit=data.unit,
            gap_estimand=f"{what}, {data.estimand}",
            no_gap="a group's median is a miss without a value, or patients are in several groups",
            detectable=detectable(found, alpha=alpha),
            detectable_name=_DETECTABLE[found.ranks],
            detectable_unit="1" if found.ranks else data.unit,
            detectable_estimand=(f"{least} between the two smallest groups found with 80 % power at level {alpha:.3g}"),
            pairs=self._pairs(data, found),
            level=self.level,
            correction=self._used(found),
        )

    def _pairs(self, data: ScoreTable, found: Comparison) -> list[PairNumbers]:
        parity = pairs(found, level=parity_level(self.level))
        joint = self._joint(found)
        kind, unit, estimand = "share missed" if data.of_misses else "mean", data.unit, data.estimand
        rows = []
        for (first, second, (result, p)), (_, _, (close, _)), together in zip(
            pairs(found, level=self.level), parity, joint, strict=True
        ):
            names = label_text(first.label), label_text(second.label)
            mean = f"{kind} of {names[0]} minus {kind} of {names[1]}, {estimand}"
            rank = f"probability that a patient of {names[0]} has a higher score than one of {names[1]}, ties half"
            rows.append(
                PairNumbers(
                    first=first.label,
                    second=second.label,
                    n=len({*first.patients, *second.patients}),
                    result=result,
                    p=p,
                    parity=close,
                    neutral=0.5 if found.ranks else 0.0,
                    name="relative_effect" if found.ranks else "difference",
                    unit="1" if found.ranks else unit,
                    estimand=rank if found.ranks else mean,
                    joint=together,
                )
            )
        return rows

    def _used(self, found: Comparison) -> str:
        """Holm in place of max-T where ranks of patients in several groups give no joint draws."""
        return "holm" if self.correction == "max_t" and found.ranks and found.crossed else self.correction

    def _joint(self, found: Comparison) -> list[float] | list[None]:
        """Adjusted p-value of every pair by max-T, if that is asked for."""
        if self._used(found) != "max_t":
            return [None] * math.comb(len(found.judged), 2)
        rng = np.random.default_rng(self.seed)
        if found.crossed:
            return crossed_pairs_max_t(found.judged, n_permutations=found.draws, rng=rng)
        values = [group.values for group in found.judged]
        return pairs_max_t(values, ranks=found.ranks, n_permutations=found.draws, rng=rng)

    @staticmethod
    def example(n: int, seed: int) -> ScoreTable:
        """Overlap scores of `n` patients with sex."""
        return GroupScores.example(n, seed)


def _limitations(data: ScoreTable, attribute: str) -> tuple[str, ...]:
    exploratory = (EXPLORATORY,) if is_exploratory(attribute) else ()
    return (*exploratory, *LIMITATIONS, *(() if data.patients_named else (UNNAMED_PATIENTS,)))


def case_accounting(data: ScoreTable, attribute: str, judged: Sequence[Group] | None) -> dict[str, int]:
    """Cases by what became of them in a comparison; adds up to all cases.

    Args:
        data: the scores.
        attribute: the grouping; empty if there was none.
        judged: groups that were compared if there were two or more of them; ``None`` without a grouping.

    Returns:
        Number of cases of each kind.
    """
    names = ("compared", "in_groups_too_small", "without_a_group_to_compare_with", "empty_reference", "undefined")
    labels = labels_of(data, attribute) if attribute else (None,) * len(data)
    large = {group.label for group in judged or ()}
    compared = names[0] if len(large) > 1 else names[2]
    counts: Counter[str] = Counter()
    for value, outcome, label in zip(data.case_values(), data.outcomes, labels, strict=True):
        if outcome in ("false_positive", "true_negative"):
            counts["empty_reference"] += 1
        elif value is None:
            counts["undefined"] += 1
        else:
            counts[compared if label in large or judged is None else "in_groups_too_small"] += 1
    return {name: counts[name] for name in names}
