# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.rate_gap`: does one rate of a classifier's decisions differ between groups, and how surely."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import Curve, Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import attribute_of
from monai_ethics.fairness.data.rates import RATE_WORDS, RATES
from monai_ethics.fairness.gap import ALONE, Family, GapNumbers, gap_curves, gap_estimates
from monai_ethics.fairness.group_rates import GroupRates
from monai_ethics.fairness.methods.rate_comparison import RateComparison, compare_rate
from monai_ethics.fairness.methods.ratios import ratio_detectable
from monai_ethics.fairness.rate_finding import (
    comparison_settings,
    method_text,
    pair_numbers,
    rate_accounting,
    rate_limitations,
    ratio_estimate,
    why_not,
)
from monai_ethics.fairness.rate_wording import not_said, rate_statement
from monai_ethics.registry import question_of
from monai_ethics.statistics.corrections import check_correction
from monai_ethics.statistics.permutation import Omnibus

__all__ = ["RateGap"]

SOURCES = (
    Source(title="Ethics-by-Design for medical imaging AI", locator="Table 1", url="https://arxiv.org/abs/2507.04249"),
    Source(title="Hardt, Price & Srebro 2016 (NeurIPS)", locator="equal opportunity"),
    Source(title="Chouldechova 2017 (Big Data 5)", locator="predictive parity"),
    Source(title="Seyyed-Kalantari et al. 2021 (Nat. Med. 27)", locator="underdiagnosis"),
    Source(title="Newcombe 1998 (Stat. Med. 17); Rao & Scott 1992 (Biometrics 48)", locator="differences of rates"),
    Source(title="Chung & Romano 2013 (Ann. Stat. 41)", locator="studentised permutation"),
)


@dataclass(frozen=True, kw_only=True)
class RateGap:
    """Difference of one rate between the groups of one attribute; cases are weighted alike, patients are the unit.

    The gap of the ``selection_rate`` is called demographic parity, of the ``tpr`` equal opportunity, of the ``ppv``
    predictive parity, of the ``fnr`` underdiagnosis (sick called healthy) and of the ``fpr`` overdiagnosis. A
    studentised permutation test of whole patients that have a denominator answers whether any groups differ, which
    exchanges within the class for TPR and FPR and within the decision for PPV and NPV; random signs of whole patients
    where patients are in several groups.

    Args:
        attribute: name of the grouping, such as ``sex`` or ``sex*site``; empty if there is only one.
        rate: ``selection_rate``, ``tpr``, ``fpr``, ``fnr``, ``tnr``, ``ppv``, ``npv`` or ``accuracy``.
        base_rate: rate that all groups would share without a gap, stated beforehand, for the minimum detectable gap;
            .85 and .15 give the same. ``None`` = .85, and .5, the hardest, for ``selection_rate`` and ``ppv``.
        min_group_size: smallest group that is judged (patients, 5 of them with a denominator); smaller ones are listed.
        n_permutations: random draws.
        level: nominal coverage of intervals; the test's level is one minus it.
        seed: seed of the draws.
        correction: how pairs are adjusted for their number: ``"holm"`` or ``"bh"``.

    Notes:
        Equal rates are no proof of equal care: labels and case mix may differ between groups.

    References:
        arXiv 2507.04249, Table 1; Hardt 2016 (equal opportunity), Chouldechova 2017 (predictive parity).
    """

    id: ClassVar[str] = "fairness.rate_gap"
    title: ClassVar[str] = "Do the decisions err more often for some groups than for others?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1")

    attribute: str = ""
    rate: str = "tpr"
    base_rate: float | None = None
    min_group_size: int = 10
    n_permutations: int = 10_000
    level: float = 0.95
    seed: int = 0
    correction: str = "holm"

    def __post_init__(self) -> None:
        check_correction(self.correction, ("holm", "bh"))
        if self.rate not in RATES:
            raise InputError(f"Expected a rate of {', '.join(RATES)}: got another. Correct its name.")
        if not 0 < self.base < 1:
            raise InputError("The base rate must lie between 0 and 1: got another. Give the rate that is expected.")

    @property
    def base(self) -> float:
        """The base rate, stated beforehand."""
        hardest = self.rate in ("selection_rate", "ppv", "prevalence")
        return self.base_rate if self.base_rate is not None else 0.5 if hardest else 0.85

    def __call__(self, data: BinaryScores, /) -> Finding:
        """Compare the groups of one attribute; this test is then a family of its own.

        Args:
            data: labels and decisions, with their groups.

        Returns:
            Verdict `measured`, with estimate ``p_adjusted`` for policies; `not_assessable` without decisions, or with
            fewer than 2 groups that can be judged.
        """
        return self.finding(data, self.compare(data))

    def compare(self, data: BinaryScores) -> RateComparison | None:
        """The omnibus test alone, or ``None`` without decisions or an attribute to compare."""
        attribute = attribute_of(self.attribute, data)
        if not attribute or not data.y_pred:
            return None
        return compare_rate(
            data,
            attribute,
            self.rate,
            min_group_size=self.min_group_size,
            n_permutations=self.n_permutations,
            seed=self.seed,
        )

    def finding(
        self,
        data: BinaryScores,
        found: RateComparison | None,
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
        estimates: list[Estimate] = []
        curves: list[Curve] = []
        reason = why_not(data, found, self.min_group_size)
        statement = not_said(data, RATE_WORDS[self.rate][0], attribute, reason or "")
        if found is not None and found.omnibus is not None:
            adjusted = family.adjusted(found.omnibus.p)
            numbers = self._numbers(found, attribute, found.omnibus, family.size)
            estimates = [*gap_estimates(numbers, adjusted=adjusted, family=family), ratio_estimate(found, 0)]
            curves = gap_curves(numbers)
            statement = rate_statement(
                data, attribute, found, p_adjusted=adjusted, least=numbers.detectable.value, alpha=1 - self.level
            )
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=statement,
            subjects=(f"{data.target}_{self.rate}", *([attribute] if attribute else [])),
            estimates=estimates,
            curves=curves,
            accounting=rate_accounting(data, found),
            parameters={
                **asdict(self),
                **comparison_settings(data, found),
                **family.settings,
                "attribute": attribute,
            },
            reason=reason,
            limitations=rate_limitations(data, attribute, found),
            sources=SOURCES,
            seed=self.seed,
        )

    def _numbers(self, found: RateComparison, attribute: str, omnibus: Omnibus, family: int) -> GapNumbers:
        alpha = (1 - self.level) / family
        return GapNumbers(
            attribute=attribute,
            omnibus=omnibus,
            method=method_text(found, self.seed),
            n=found.n,
            gap_estimand=f"{RATE_WORDS[self.rate][0]}, case-weighted",
            detectable=ratio_detectable(found.judged[0], alpha=alpha, base_rate=self.base),
            detectable_estimand=(
                f"smallest difference between the two smallest groups found with 80 % power at level {alpha:.3g}, "
                f"if the rate is {self.base:g} (stated beforehand)"
            ),
            pairs=pair_numbers(found, 0, level=self.level),
            level=self.level,
            correction=self.correction,
        )

    @staticmethod
    def example(n: int, seed: int) -> BinaryScores:
        """Decisions about `n` cases with sex."""
        return GroupRates.example(n, seed)
