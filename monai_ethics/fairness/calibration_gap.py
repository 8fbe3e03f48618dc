# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.calibration_gap`: are probabilities as far off in one group as in another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.calibration import FEWEST_OUTCOMES, Calibration, no_probabilities, ratio_group
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import attribute_of, label_text, labels_of
from monai_ethics.fairness.data.probabilities import Forecasts, forecasts
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
from monai_ethics.fairness.methods.calibration_gaps import ece_gap, slope_difference, slope_omnibus
from monai_ethics.fairness.methods.ratios import RatioGroup, ratio_detectable, ratio_difference, ratio_omnibus
from monai_ethics.fairness.wording import is_exploratory
from monai_ethics.registry import question_of
from monai_ethics.statistics.calibration import common_bins, ece
from monai_ethics.statistics.calibration_slope import Slope, calibration_slope
from monai_ethics.statistics.differences import Pair
from monai_ethics.statistics.intervals import Result
from monai_ethics.statistics.permutation import Omnibus

__all__ = ["MEASURES", "CalibrationComparison", "CalibrationGap"]

MEASURES = ("ece", "calibration_in_the_large", "calibration_slope", "brier")
DRAW_CELLS = 200_000_000
SOURCES = (
    Source(title="Ethical Framework for Responsible Foundational Models in Medical Imaging", locator="FMF-03"),
    Source(title="Broecker & Smith 2007 (Weather Forecast. 22)", locator="consistency resampling"),
    Source(title="Chung & Romano 2013 (Ann. Stat. 41)", locator="studentised permutation"),
    Source(title="Van Calster et al. 2019 (BMC Med. 17)", locator="calibration in the large and slope"),
)
LIMITATIONS = (
    "Not shown is not no gap.",
    "A gap says nothing about its cause: groups also differ in prevalence, severity and scanner.",
    "Where groups differ in prevalence, calibration, equal error rates and equal predictive values cannot all hold.",
    "Labels that are wrong more often in one group look like miscalibration there.",
)
OF_ECE = (
    "The null of this test is that every group is calibrated: a rejection means that some group is miscalibrated, or "
    "groups differently so. Where all are miscalibrated alike it may reject too."
)
OF_BRIER = (
    "The Brier score also depends on prevalence and on how well the target can be told apart: it may differ between "
    "groups that are both calibrated."
)
_WORDS = {
    "ece": "expected calibration error (l1, common bins of equal width)",
    "calibration_in_the_large": "mean probability minus share of positives",
    "calibration_slope": "calibration slope",
    "brier": "mean squared difference of probability and outcome",
}


@dataclass(frozen=True, kw_only=True)
class CalibrationComparison:
    """What was compared, and the omnibus test.

    Args:
        groups: every group, small ones and missing labels included.
        judged: those with enough patients and a defined measure.
        undefined: label to the reason why a group of enough patients has no measure.
        draws: random draws.
        omnibus: its outcome; ``None`` with a `reason`.
        reason: why there is no test.
        ratios: the judged groups as ratios over patients, for means.
        slopes: their slopes.
        values: their errors, for `ece`.
        pair_p: p-values of pairs, for `ece`.
    """

    groups: tuple[Forecasts, ...] = ()
    judged: tuple[Forecasts, ...] = ()
    undefined: Mapping[str, str] = field(default_factory=dict)
    draws: int = 0
    omnibus: Omnibus | None = None
    reason: str | None = None
    ratios: tuple[RatioGroup, ...] = ()
    slopes: tuple[Slope, ...] = ()
    values: tuple[float, ...] = ()
    pair_p: tuple[tuple[float, ...], ...] = ()

    @property
    def p(self) -> float | None:
        """p-value of the omnibus test; ``None`` if there was none."""
        return None if self.omnibus is None else self.omnibus.p


@dataclass(frozen=True, kw_only=True)
class CalibrationGap:
    """Difference of one measure of calibration between the groups of one attribute.

    ``ece``: errors over common bins of equal width, each less its mean under calibration, against outcomes drawn from
    the probabilities; not assessable where patients repeat. ``calibration_in_the_large`` and ``brier``: studentised
    permutation of whole patients. ``calibration_slope``: Wald statistic with a clustered sandwich.

    Args:
        attribute: name of the grouping; empty if the data have only one.
        measure: one of `MEASURES`.
        min_group_size: smallest group that is judged (patients); a slope also needs 5 patients of either outcome.
        bins: bins of equal width.
        n_draws: random draws; fewer, and printed, for very many cases.
        level: nominal coverage of intervals; the test's level is one minus it.
        seed: seed of the draws.

    Notes:
        It does not show that probabilities mean the same for all: small groups hide large gaps.

    References:
        arXiv 2406.11868 (performance measured for each group); methods as in `sources`.
    """

    id: ClassVar[str] = "fairness.calibration_gap"
    title: ClassVar[str] = "Do the model's probabilities mean the same in different groups?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1")

    attribute: str = ""
    measure: str = "calibration_in_the_large"
    min_group_size: int = 10
    bins: int = 10
    n_draws: int = 10_000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise InputError(f"Expected a measure of calibration: got another. Known: {', '.join(MEASURES)}.")

    def __call__(self, data: BinaryScores, /) -> Finding:
        """Compare the groups of one attribute; this test is then a family of its own.

        Args:
            data: labels with probabilities and groups.

        Returns:
            Verdict `measured`, with estimate ``p_adjusted`` for policies; `not_assessable` with its reason.
        """
        return self.finding(data, self.compare(data))

    def compare(self, data: BinaryScores) -> CalibrationComparison | None:
        """The omnibus test alone, or ``None`` if the data have no attribute to compare."""
        name = attribute_of(self.attribute, data)
        if not name:
            return None
        if reason := no_probabilities(data):
            labels_of(data, name)
            return CalibrationComparison(reason=reason if len(data) else "there is no case")
        groups = tuple(forecasts(data, name))
        large = tuple(group for group in groups if len(group.names) >= max(self.min_group_size, 2))
        if self.measure == "calibration_slope":
            return self._slopes(groups, large)
        if len(large) < 2:
            return self._too_few(groups, large)
        return self._errors(data, groups, large) if self.measure == "ece" else self._means(groups, large)

    def _too_few(self, groups: tuple[Forecasts, ...], judged: tuple[Forecasts, ...]) -> CalibrationComparison:
        reason = (
            f"{len(judged)} of {len(groups)} groups have {self.min_group_size} patients and a defined measure, and a "
            "comparison needs two such groups"
        )
        return CalibrationComparison(groups=groups, judged=judged, reason=reason)

    def _draws(self, judged: tuple[Forecasts, ...]) -> int:
        return min(self.n_draws, max(DRAW_CELLS // sum(len(group.p) for group in judged), 499))

    def _errors(
        self, data: BinaryScores, groups: tuple[Forecasts, ...], judged: tuple[Forecasts, ...]
    ) -> CalibrationComparison:
        everyone = [patient for group in judged for patient in group.patients]
        if len(set(everyone)) < len(everyone):
            reason = "patients repeat, and outcomes of one patient are not independent given their probabilities"
            return CalibrationComparison(groups=groups, judged=judged, reason=reason)
        shared, draws = common_bins(np.sort(np.array(data.y_score)), self.bins), self._draws(judged)
        omnibus, table = ece_gap(judged, shared, draws=draws, rng=np.random.default_rng(self.seed))
        values = tuple(ece(group.p, group.y, shared.width) for group in judged)
        return CalibrationComparison(
            groups=groups,
            judged=judged,
            draws=draws,
            omnibus=omnibus,
            values=values,
            pair_p=tuple(tuple(row) for row in table),
        )

    def _means(self, groups: tuple[Forecasts, ...], judged: tuple[Forecasts, ...]) -> CalibrationComparison:
        power = 1 if self.measure == "calibration_in_the_large" else 2
        ratios = tuple(ratio_group(group, (group.p - group.y) ** power) for group in judged)
        omnibus = ratio_omnibus(ratios, n_permutations=self.n_draws, rng=np.random.default_rng(self.seed))
        made = omnibus.draws or self.n_draws
        return CalibrationComparison(groups=groups, judged=judged, draws=made, omnibus=omnibus, ratios=ratios)

    def _slopes(self, groups: tuple[Forecasts, ...], large: tuple[Forecasts, ...]) -> CalibrationComparison:
        found: dict[str | None, Slope] = {}
        undefined: dict[str, str] = {}
        for group in large:
            slope = calibration_slope(group.p, group.y, group.patients)
            few = min(group.with_outcome(0), group.with_outcome(1)) < FEWEST_OUTCOMES
            if few or slope.value is None:
                why = f"fewer than {FEWEST_OUTCOMES} patients with a positive or with a negative case"
                undefined[label_text(group.label)] = why if few else slope.reason or ""
            else:
                found[group.label] = slope
        judged = tuple(group for group in large if group.label in found)
        if len(judged) < 2:
            few_groups = self._too_few(groups, judged)
            return CalibrationComparison(groups=groups, judged=judged, undefined=undefined, reason=few_groups.reason)
        slopes = tuple(found[group.label] for group in judged)
        omnibus = slope_omnibus(slopes, draws=self.n_draws, rng=np.random.default_rng(self.seed))
        return CalibrationComparison(
            groups=groups, judged=judged, undefined=undefined, draws=self.n_draws, omnibus=omnibus, slopes=slopes
        )

    def finding(
        self,
        data: BinaryScores,
        found: CalibrationComparison | None,
        family: Family = ALONE,
    ) -> Finding:
        """Put a comparison into a finding.

        Args:
            data: the labels and probabilities compared.
            found: the comparison.
            family: the tests it is corrected with.

        Returns:
            The finding.
        """
        name = attribute_of(self.attribute, data)
        found = found or CalibrationComparison(reason=f"there are {len(data.groups)} attributes and none was named")
        numbers = None
        adjusted, ends = 1.0, ""
        if found.omnibus is not None:
            adjusted = family.adjusted(found.omnibus.p)
            numbers = self._numbers(found, found.omnibus, name, (1 - self.level) / family.size)
            ends = ends_text(numbers.pairs)
        settings = {**family.settings, **_settings(found), "attribute": name}
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if found.reason else Verdict.MEASURED,
            statement=self._statement(data, found, name, adjusted, ends),
            subjects=(f"{data.target}_{self.measure}", name) if name else (f"{data.target}_{self.measure}",),
            estimates=self._worded(gap_estimates(numbers, adjusted=adjusted, family=family)) if numbers else (),
            curves=gap_curves(numbers) if numbers else (),
            accounting=_accounting(data, name, found),
            parameters={**asdict(self), **settings},
            reason=found.reason,
            limitations=self._limitations(data, name),
            sources=SOURCES,
            seed=self.seed,
        )

    def _worded(self, estimates: list[Estimate]) -> list[Estimate]:
        """The gap of errors stands beside outcomes drawn from the probabilities, not beside exchanged labels."""
        if self.measure != "ece":
            return estimates
        gaps = ("max_min_gap", "gap_null_mean", "gap_null_95th")
        why = "no interval: read it beside its distribution when every group is calibrated"
        return [replace(item, reason=why) if item.name in gaps else item for item in estimates]

    def _limitations(self, data: BinaryScores, name: str) -> tuple[str, ...]:
        own = {"ece": (OF_ECE,), "brier": (OF_BRIER,)}.get(self.measure, ())
        exploratory = ("Exploratory: confirm what intersections show on other data.",) if is_exploratory(name) else ()
        return (*exploratory, *own, *LIMITATIONS, *(() if data.patients_named else (UNNAMED_PATIENTS,)))

    def _statement(
        self, data: BinaryScores, found: CalibrationComparison, name: str, adjusted: float, ends: str
    ) -> str:
        what = f"{data.target}: {_WORDS[self.measure]}"
        if found.omnibus is None:
            return f"{what}: whether it differs by {name or 'group'} cannot be said, because {found.reason}."
        n = len({patient for group in found.judged for patient in group.patients})
        tested = f"adjusted p = {adjusted:.2g}, {n} patients in {len(found.judged)} groups"
        tested = f"exploratory; {tested}" if is_exploratory(name) else tested
        gap, null = found.omnibus.gap, found.omnibus.gap_null_mean
        seen = ""
        if gap is not None and null is not None:
            seen = f" The gap is {gap:.3f}{ends}, where {null:.3f} is expected without a difference."
        if adjusted > 1 - self.level:
            return f"{what}: no difference by {name} was shown ({tested}).{seen} Not shown is not no gap."
        how = "a group is miscalibrated, or groups differently so, by" if self.measure == "ece" else "it differs by"
        return f"{what}: {how} {name} ({tested}).{seen}"

    def _method(self, found: CalibrationComparison) -> str:
        if self.measure == "ece":
            kind = "consistency resampling: outcomes drawn from the probabilities"
        elif self.measure == "calibration_slope":
            kind = "Wald statistic with a clustered sandwich, random signs of patients"
        else:
            everyone = [patient for group in found.ratios for patient in group.patients]
            signs = len(set(everyone)) < len(everyone)
            kind = f"studentised {'random signs' if signs else 'permutation'} of patients"
        return f"{kind}, {found.draws} draws, seed {self.seed}"

    def _numbers(self, found: CalibrationComparison, omnibus: Omnibus, name: str, alpha: float) -> GapNumbers:
        reach = Result(value=None, reason="not computed: it depends on the shape of the miscalibration")
        if found.ratios:
            reach = ratio_detectable(found.ratios, alpha=alpha)
        return GapNumbers(
            attribute=name,
            omnibus=omnibus,
            method=self._method(found),
            n=len({patient for group in found.judged for patient in group.patients}),
            gap_estimand=f"{_WORDS[self.measure]}, case-weighted",
            detectable=reach,
            detectable_estimand="smallest difference between the two smallest groups found with 80 % power at level "
            f"{alpha:.3g}",
            pairs=self._pairs(found),
            level=self.level,
        )

    def _pairs(self, found: CalibrationComparison) -> list[PairNumbers]:
        rows = []
        for i, j in combinations(range(len(found.judged)), 2):
            first, second = found.judged[i], found.judged[j]
            result, p = self._pair(found, i, j, self.level)
            names = label_text(first.label), label_text(second.label)
            rows.append(
                PairNumbers(
                    first=first.label,
                    second=second.label,
                    n=len({*first.patients, *second.patients}),
                    result=result,
                    p=p,
                    parity=None if self.measure == "ece" else self._pair(found, i, j, parity_level(self.level))[0],
                    estimand=f"{_WORDS[self.measure]} of {names[0]} minus that of {names[1]}, case-weighted",
                )
            )
        return rows

    def _pair(self, found: CalibrationComparison, i: int, j: int, level: float) -> Pair:
        if self.measure == "ece":
            reason = "a binned error has no sure interval: its p-value is that of the excess over calibration"
            value = found.values[i] - found.values[j]
            return Result(value=value, method="difference of errors", reason=reason), found.pair_p[i][j]
        if found.slopes:
            return slope_difference(found.slopes[i], found.slopes[j], level=level)
        return ratio_difference(found.ratios[i], found.ratios[j], level=level, counts=False)

    @staticmethod
    def example(n: int, seed: int) -> BinaryScores:
        """Probabilities of `n` patients with sex."""
        return Calibration.example(n, seed)


def _settings(found: CalibrationComparison) -> dict[str, Any]:
    judged = {group.label for group in found.judged}
    undefined = dict(found.undefined)
    small = [label_text(group.label) for group in found.groups if group.label not in judged]
    return {
        "groups": {label_text(group.label): len(group.names) for group in found.groups},
        "small_groups": [name for name in small if name not in undefined],
        "undefined_groups": undefined,
        "draws": found.draws,
    }


def _accounting(data: BinaryScores, name: str, found: CalibrationComparison) -> dict[str, int]:
    """Cases by what became of them; adds up to all cases."""
    keys = ("compared", "in_groups_too_small", "in_groups_undefined", "without_a_comparison")
    counts: Counter[str] = Counter()
    judged = {group.label for group in found.judged}
    for label in labels_of(data, name) if name and found.groups else (None,) * len(data):
        if not found.groups:
            counts[keys[3]] += 1
        elif label_text(label) in found.undefined:
            counts[keys[2]] += 1
        elif label not in judged:
            counts[keys[1]] += 1
        else:
            counts[keys[0] if found.omnibus else keys[3]] += 1
    return {key: counts[key] for key in keys}
