# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.equalized_odds`: do found positives and false alarms together differ between groups."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import Curve, Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import attribute_of, label_text
from monai_ethics.fairness.gap import ALONE, Family, GapNumbers, PairNumbers, gap_curves, gap_estimates
from monai_ethics.fairness.group_rates import GroupRates
from monai_ethics.fairness.methods.odds import average_odds
from monai_ethics.fairness.methods.rate_comparison import RateComparison, compare_odds
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
from monai_ethics.fairness.rate_wording import not_said, odds_statement
from monai_ethics.registry import question_of
from monai_ethics.statistics.corrections import check_correction
from monai_ethics.statistics.intervals import Result
from monai_ethics.statistics.permutation import Omnibus

__all__ = ["EqualizedOdds"]

SOURCES = (
    Source(title="Ethics-by-Design for medical imaging AI", locator="Table 1", url="https://arxiv.org/abs/2507.04249"),
    Source(title="Hardt, Price & Srebro 2016 (NeurIPS)", locator="equalized odds"),
    Source(title="Westfall & Young 1993 (Resampling-Based Multiple Testing)", locator="chapter 2: maximum statistics"),
    Source(title="Newcombe 1998 (Stat. Med. 17); Rao & Scott 1992 (Biometrics 48)", locator="differences of rates"),
)
BY_DRAWS = "no interval: read it beside its mean when labels are exchanged"
NAMES = ("tpr_difference", "fpr_difference")


@dataclass(frozen=True, kw_only=True)
class EqualizedOdds:
    """Largest gap of TPR and FPR between the groups of one attribute: the worst case of equalized odds.

    One studentised permutation test answers for both: the larger of both statistics, with whole patients exchanged
    among those who have positive cases, negative cases, or both; random signs of whole patients where patients are in
    several groups. Beside it stand the mean of both gaps, the average odds difference to a reference group, which lets
    opposite differences cancel, and the smaller of both ratios.

    Args:
        attribute: name of the grouping, such as ``sex`` or ``sex*site``; empty if there is only one.
        reference: label of the reference group of the average odds difference; empty = the largest judged group.
        base_rate: TPR that all groups would share without a gap, stated beforehand, for the minimum detectable gap;
            an FPR of one minus it gives the same.
        min_group_size: smallest group that is judged (patients; 5 with positive and 5 with negative cases).
        n_permutations: random draws.
        level: nominal coverage of intervals; the test's level is one minus it.
        seed: seed of the draws.
        correction: how pairs are adjusted for their number: ``"holm"`` or ``"bh"``.

    Notes:
        Equal odds and equal predictive values cannot both hold where prevalence differs.

    References:
        arXiv 2507.04249, Table 1; Hardt 2016 (equalized odds).
    """

    id: ClassVar[str] = "fairness.equalized_odds"
    title: ClassVar[str] = "Do found positives and false alarms differ between groups, taken together?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1")

    attribute: str = ""
    reference: str = ""
    base_rate: float = 0.85
    min_group_size: int = 10
    n_permutations: int = 10_000
    level: float = 0.95
    seed: int = 0
    correction: str = "holm"

    def __post_init__(self) -> None:
        check_correction(self.correction, ("holm", "bh"))
        if not 0 < self.base_rate < 1:
            raise InputError("The base rate must lie between 0 and 1: got another. Give the rate that is expected.")

    def __call__(self, data: BinaryScores, /) -> Finding:
        """Compare the groups of one attribute; this test is then a family of its own.

        Args:
            data: labels and decisions, with their groups.

        Returns:
            Verdict `measured`, with estimate ``p_adjusted`` for policies; `not_assessable` without decisions, or with
            fewer than 2 groups that can be judged in both classes.
        """
        return self.finding(data, self.compare(data))

    def compare(self, data: BinaryScores) -> RateComparison | None:
        """The joint test alone, or ``None`` without decisions or an attribute to compare."""
        attribute = attribute_of(self.attribute, data)
        if not attribute or not data.y_pred:
            return None
        return compare_odds(
            data, attribute, min_group_size=self.min_group_size, n_permutations=self.n_permutations, seed=self.seed
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
        statement = not_said(data, "share of positive or negative cases called positive", attribute, reason or "")
        if found is not None and found.omnibus is not None:
            adjusted = family.adjusted(found.omnibus.p)
            numbers = self._numbers(found, attribute, found.omnibus, family.size)
            estimates = [*gap_estimates(numbers, adjusted=adjusted, family=family), *self._more(found, attribute)]
            curves = gap_curves(numbers)
            least = numbers.detectable.value
            statement = odds_statement(data, attribute, found, p_adjusted=adjusted, least=least, alpha=1 - self.level)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=statement,
            subjects=(f"{data.target}_equalized_odds", *([attribute] if attribute else [])),
            estimates=estimates,
            curves=curves,
            accounting=rate_accounting(data, found),
            parameters={
                **asdict(self),
                **comparison_settings(data, found),
                **family.settings,
                "attribute": attribute,
                "reference": self._reference(found),
            },
            reason=reason,
            limitations=rate_limitations(data, attribute, found),
            sources=SOURCES,
            seed=self.seed,
        )

    def _reference(self, found: RateComparison | None) -> str:
        """Label of the reference group as it is printed: the one named, or the largest judged, first of those alike."""
        if self.reference or found is None:
            return self.reference
        judged = {group.label for group in found.judged[0]}
        sizes = [(-len(cell.patients), i) for i, cell in enumerate(found.cells) if cell.label in judged]
        return label_text(found.cells[min(sizes)[1]].label) if sizes else ""

    def _numbers(self, found: RateComparison, attribute: str, omnibus: Omnibus, family: int) -> GapNumbers:
        alpha = (1 - self.level) / family
        reach = [ratio_detectable(groups, alpha=alpha, base_rate=self.base_rate) for groups in found.judged]
        known = [each.value for each in reach if each.value is not None]
        worse = reach[0] if len(known) < 2 else max(reach, key=lambda each: each.value or 0.0)
        missing = next((each for each in reach if each.value is None), None)
        return GapNumbers(
            attribute=attribute,
            omnibus=omnibus,
            method=f"larger of two statistics: {method_text(found, self.seed)}",
            n=found.n,
            gap_estimand="TPR or FPR, the larger gap of both, case-weighted",
            detectable=missing or worse,
            detectable_estimand=(
                f"difference of TPR or of FPR, the larger of both, between the two smallest groups found with 80 % "
                f"power at level {alpha:.3g} by a test of that rate alone, if TPR is {self.base_rate:g} and FPR "
                f"{1 - self.base_rate:g} (stated beforehand)"
            ),
            pairs=_pairs(found, self.level),
            level=self.level,
            correction=self.correction,
        )

    def _more(self, found: RateComparison, attribute: str) -> list[Estimate]:
        """What describes both gaps beside the larger of them."""
        base: dict[str, Any] = {"unit": "1", "n": found.n, "n_unit": "patients"}
        mean = found.mean
        estimates = []
        if mean is not None:
            texts = {
                "mean_gap": (mean.gap, "mean of the gaps of TPR and FPR"),
                "mean_gap_null_mean": (mean.gap_null_mean, "mean of that when groups do not differ"),
                "mean_gap_null_95th": (mean.gap_null_95th, "95th percentile of that when groups do not differ"),
            }
            method = method_text(found, self.seed)
            estimates = [
                Estimate(name=name, value=value, estimand=text, method=method, reason=BY_DRAWS, **base)
                for name, (value, text) in texts.items()
            ]
        estimates += [ratio_estimate(found, row, f"{rate}_ratio") for row, rate in enumerate(found.rates)]
        return estimates + self._average_odds(found, attribute)

    def _average_odds(self, found: RateComparison, attribute: str) -> list[Estimate]:
        groups = list(zip(*found.judged, strict=True))
        name = self._reference(found)
        reference = next((pair for pair in groups if label_text(pair[0].label) == name), None)
        estimates = []
        for pair in groups:
            if pair is reference:
                continue
            label = label_text(pair[0].label)
            result = Result(value=None, reason="the reference group is not among the groups judged")
            if reference is not None:
                result, _ = average_odds((pair[0], pair[1]), (reference[0], reference[1]), level=self.level)
            together = {*pair[0].patients, *pair[1].patients}
            if reference is not None:
                together |= {*reference[0].patients, *reference[1].patients}
            estimates.append(
                Estimate(
                    name="average_odds_difference",
                    unit="1",
                    n=len(together),
                    n_unit="patients",
                    estimand=f"mean of the differences of TPR and FPR: {label} minus {name} (reference), case-weighted",
                    group={attribute: f"{label} - {name}"},
                    **result.stated(self.level),
                )
            )
        return estimates

    @staticmethod
    def example(n: int, seed: int) -> BinaryScores:
        """Decisions about `n` cases with sex."""
        return GroupRates.example(n, seed)


def _pairs(found: RateComparison, level: float) -> list[PairNumbers]:
    """Both differences of every pair; the first carries one p-value for both (Bonferroni over the two rates)."""
    rows = [pair_numbers(found, row, level=level, name=name) for row, name in enumerate(NAMES)]
    pairs = []
    for first, second in zip(*rows, strict=True):
        known = [each.p for each in (first, second) if each.p is not None]
        pairs.append(replace(first, p=min(2 * min(known), 1.0) if known else None))
        pairs.append(replace(second, p=None))
    return pairs
