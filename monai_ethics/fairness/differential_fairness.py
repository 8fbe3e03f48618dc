# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.differential_fairness`: by what factor do the chances of a decision differ between groups?"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np

from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import attribute_of
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS
from monai_ethics.fairness.gap import ALONE, Family, GapNumbers, gap_curves, gap_estimates
from monai_ethics.fairness.group_rates import GroupRates
from monai_ethics.fairness.methods.epsilon import EpsilonByChance, epsilon_by_chance
from monai_ethics.fairness.methods.rate_comparison import RateComparison, compare_rate
from monai_ethics.fairness.methods.ratios import ratio_detectable
from monai_ethics.fairness.rate_finding import (
    comparison_settings,
    method_text,
    pair_numbers,
    rate_accounting,
    why_not,
)
from monai_ethics.fairness.wording import is_exploratory
from monai_ethics.registry import question_of
from monai_ethics.statistics.permutation import Omnibus

__all__ = ["DecisionGap", "DifferentialFairness"]

SOURCES = (
    Source(title="Foulds, Islam, Keya & Pan 2020 (ICDE)", locator="section V", url="https://arxiv.org/abs/1807.08362"),
    Source(title="Pauly, Brunner & Konietschke 2015 (JRSS-B 77)", locator="studentised permutation"),
    Source(title="Newcombe 1998 (Stat. Med. 17); Rao & Scott 1992 (Biometrics 48)", locator="pairs of groups"),
)
LIMITATIONS = (
    "Equal chances of a positive decision are no goal where the finding is truly more frequent in one group.",
    "Epsilon is above zero by chance alone, the more so the more and the smaller the groups: read it beside its null.",
    "Not shown is not no gap: see the minimum detectable gap.",
)
EXPLORATORY = "An intersection that was not planned beforehand explores; it does not confirm."


@dataclass(frozen=True, kw_only=True)
class DecisionGap:
    """What was compared.

    Args:
        rates: selection rates of every group, and the test of their equality.
        chance: epsilon beside its distribution; ``None`` where there is no test.
    """

    rates: RateComparison
    chance: EpsilonByChance | None

    @property
    def p(self) -> float | None:
        """p-value of the omnibus test; ``None`` if there was none."""
        return self.rates.p


@dataclass(frozen=True, kw_only=True)
class DifferentialFairness:
    """Largest ratio of the chances of a positive, or of a negative, decision between any two groups of one grouping.

    Epsilon is the logarithm of that ratio, from smoothed rates, meant for intersections (``sex*site``) with small
    groups. It stands beside its mean and 95th percentile when patients are exchanged between groups. The p-value is
    that of a studentised permutation test of equal selection rates, the only hypothesis under which epsilon is zero.

    Args:
        attribute: name of the grouping, such as ``sex*site``; empty if the table has only one.
        min_group_size: smallest group that is judged (patients); smaller ones are listed.
        concentration: weight of the prior that smooths rates, in cases, half of them of each decision.
        base_rate: selection rate that all groups would share without a gap, stated beforehand, for the minimum
            detectable gap; 0.5 is the hardest.
        n_permutations: random draws.
        level: nominal coverage of intervals; the test's level is one minus it.
        seed: seed of the draws.

    Notes:
        It asks about decisions and never about whether they are right.

    References:
        Foulds et al. 2020, section V; methods as in `sources`.
    """

    id: ClassVar[str] = "fairness.differential_fairness"
    title: ClassVar[str] = "By what factor do the chances of a decision differ between groups?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1")

    attribute: str = ""
    min_group_size: int = 10
    concentration: float = 1.0
    base_rate: float = 0.5
    n_permutations: int = 10_000
    level: float = 0.95
    seed: int = 0

    def __call__(self, data: BinaryScores, /) -> Finding:
        """Compare the groups of one attribute; this test is then a family of its own.

        Args:
            data: decisions with the groups of each case.

        Returns:
            Verdict `measured`; `not_assessable` without decisions, or with fewer than 2 groups of `min_group_size`.
        """
        return self.finding(data, self.compare(data))

    def compare(self, data: BinaryScores) -> DecisionGap | None:
        """The omnibus test alone, or ``None`` without decisions or an attribute to compare."""
        attribute = attribute_of(self.attribute, data)
        if not attribute or not data.y_pred:
            return None
        rates = compare_rate(
            data,
            attribute,
            "selection_rate",
            min_group_size=self.min_group_size,
            n_permutations=self.n_permutations,
            seed=self.seed,
        )
        chance = None
        if rates.omnibus is not None:
            chance = epsilon_by_chance(
                rates.judged[0],
                concentration=self.concentration,
                n_permutations=self.n_permutations,
                rng=np.random.default_rng(self.seed),
            )
        return DecisionGap(rates=rates, chance=chance)

    def finding(
        self,
        data: BinaryScores,
        found: DecisionGap | None,
        family: Family = ALONE,
    ) -> Finding:
        """Put a comparison into a finding.

        Args:
            data: the decisions compared.
            found: the comparison.
            family: the tests it is corrected with.

        Returns:
            The finding.
        """
        attribute = attribute_of(self.attribute, data)
        rates = None if found is None else found.rates
        reason = why_not(data, rates, self.min_group_size)
        statement = (
            f"{data.target}: whether decisions differ by {attribute or 'group'} cannot be said, because {reason}."
        )
        numbers = None
        estimates: list[Estimate] = []
        if found is not None and found.chance is not None and found.rates.omnibus is not None:
            adjusted = family.adjusted(found.rates.omnibus.p)
            numbers = self._numbers(found.rates, found.rates.omnibus, attribute, family.size)
            estimates = gap_estimates(numbers, adjusted=adjusted, family=family) + self._epsilon(found.chance, numbers)
            statement = self._statement(data, attribute, found.rates, found.chance, adjusted)
        exploratory = (EXPLORATORY,) if is_exploratory(attribute) else ()
        unnamed = () if data.patients_named else (UNNAMED_PATIENTS,)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=statement,
            subjects=(f"{data.target}_differential_fairness", *((attribute,) if attribute else ())),
            estimates=estimates,
            curves=[] if numbers is None else gap_curves(numbers),
            accounting=rate_accounting(data, rates),
            parameters={
                **asdict(self),
                **comparison_settings(data, rates),
                **family.settings,
                "attribute": attribute,
            },
            reason=reason,
            limitations=(*exploratory, *LIMITATIONS, *unnamed),
            sources=SOURCES,
            seed=self.seed,
        )

    def _numbers(self, found: RateComparison, omnibus: Omnibus, attribute: str, family: int) -> GapNumbers:
        alpha = (1 - self.level) / family
        return GapNumbers(
            attribute=attribute,
            omnibus=omnibus,
            method=method_text(found, self.seed),
            n=found.n,
            gap_estimand="selection rate, case-weighted",
            detectable=ratio_detectable(found.judged[0], alpha=alpha, base_rate=self.base_rate),
            detectable_estimand=(
                f"smallest difference of selection rates between the two smallest groups found with 80 % power at "
                f"level {alpha:.3g}, if the rate is {self.base_rate:g} (stated beforehand)"
            ),
            pairs=pair_numbers(found, 0, level=self.level),
            level=self.level,
        )

    def _epsilon(self, chance: EpsilonByChance, numbers: GapNumbers) -> list[Estimate]:
        what = "largest log ratio of the chances of a positive, or of a negative, decision between two groups"
        rows = (
            ("differential_fairness_epsilon", chance.epsilon, what),
            ("epsilon_null_mean", chance.null_mean, "mean of epsilon when groups do not differ"),
            ("epsilon_null_95th", chance.null_95th, "95th percentile of epsilon when groups do not differ"),
        )
        return [
            Estimate(
                name=name,
                value=value,
                unit="1",
                estimand=estimand,
                n=numbers.n,
                n_unit=numbers.n_unit,
                method=f"rates smoothed by {self.concentration:g} case; {numbers.method}",
                reason="no interval: read it beside its distribution when labels are exchanged",
            )
            for name, value, estimand in rows
        ]

    def _statement(
        self, data: BinaryScores, attribute: str, found: RateComparison, chance: EpsilonByChance, adjusted: float
    ) -> str:
        seen, mean = math.exp(chance.epsilon), math.exp(chance.null_mean)
        explored = "exploratory; " if is_exploratory(attribute) else ""
        tested = f"{explored}adjusted p = {adjusted:.2g}, {found.n} patients in {len(found.judged[0])} groups"
        text = (
            f"the chances of a decision differ by up to a factor of {seen:.3g} between groups, where {mean:.3g} is "
            "expected without a difference."
        )
        if adjusted <= 1 - self.level:
            return f"{data.target}: decisions differ by {attribute} ({tested}): {text}"
        return (
            f"{data.target}: no difference of decisions by {attribute} was shown ({tested}): {text} "
            "Not shown is not no gap."
        )

    @staticmethod
    def example(n: int, seed: int) -> BinaryScores:
        """Decisions about `n` patients with sex."""
        return GroupRates.example(n, seed)
