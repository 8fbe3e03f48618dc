# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.calibration`: do probabilities mean what they say in each group, beside what chance alone shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from monai_ethics.evidence import Curve, Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.cells import VEILED, veiled
from monai_ethics.fairness.data.probabilities import Forecasts, forecasts
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS
from monai_ethics.fairness.methods.ratios import RatioGroup, ratio_value_interval
from monai_ethics.fairness.reliability import reliability
from monai_ethics.registry import question_of
from monai_ethics.statistics.calibration import ERRORS, Bins, common_bins, errors, null_errors
from monai_ethics.statistics.calibration_slope import calibration_slope, slope_interval
from monai_ethics.statistics.intervals import T_FROM, Floats, Result, mean_over_patients

__all__ = ["Calibration"]

SOURCES = (
    Source(title="Ethical Framework for Responsible Foundational Models in Medical Imaging", locator="FMF-03"),
    Source(title="Naeini, Cooper & Hauskrecht 2015 (AAAI)", locator="expected calibration error"),
    Source(title="Kumar, Liang & Ma 2019 (NeurIPS)", locator="section 4: debiased l2 estimator"),
    Source(title="Broecker & Smith 2007 (Weather Forecast. 22)", locator="consistency resampling"),
    Source(title="Van Calster et al. 2019 (BMC Med. 17)", locator="calibration in the large and slope"),
)
LIMITATIONS = (
    "A binned calibration error is above zero for a calibrated model, and the more so the fewer cases there are: read "
    "it beside its null mean, never beside the error of a group of another size.",
    "Calibration in the large and the slope are surer than binned errors in small groups.",
    "Calibration against labels that are themselves wrong more often in one group inherits that.",
    "Where groups differ in prevalence, calibration, equal error rates and equal predictive values cannot all hold.",
)
FEWEST_OUTCOMES = 5  # patients with a positive, and with a negative case
DRAW_CELLS = 100_000_000
_BY_NULL = "read it beside its null mean: no interval of a binned error is sure"
_REPEATED = "patients repeat: outcomes of one patient are not independent given their probabilities"
_WORDS = {
    "ece": "expected calibration error (l1), bins of equal width common to all groups",
    "ece_equal_mass": "expected calibration error (l1), bins of equal mass common to all groups",
    "ece_debiased": "root of the debiased squared calibration error (l2, Kumar et al. 2019, section 4), bins of equal "
    "mass common to all groups; 0 where the debiased square is not above 0",
}


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Calibration of the probabilities of one target, overall and in every group.

    Binned errors with edges common to all groups, each beside its mean and 95th percentile when the model is calibrated
    at that n (consistency resampling); mean probability minus prevalence (in the large), calibration slope and Brier
    score with intervals over patients; a reliability curve with bands.

    Args:
        min_group_size: smallest group (patients) whose numbers are given; smaller ones are listed.
        bins: bins of equal width, and of equal mass.
        draws: outcomes drawn from the probabilities; fewer, and printed, for very many cases.
        level: nominal coverage of intervals.
        seed: seed of the draws.

    Notes:
        Not a comparison: see fairness.calibration_gap.

    References:
        arXiv 2406.11868 (performance measured for each group); methods as in `sources`.
    """

    id: ClassVar[str] = "fairness.calibration"
    title: ClassVar[str] = "Do the model's probabilities mean what they say in each group?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1")

    min_group_size: int = 10
    bins: int = 10
    draws: int = 1_000
    level: float = 0.95
    seed: int = 0

    def __call__(self, data: BinaryScores, /) -> Finding:
        """Measure one target.

        Args:
            data: labels with probabilities and groups.

        Returns:
            Verdict `measured`; `not_assessable` without probabilities, or with too few patients overall.
        """
        reason = self._reason(data)
        estimates: list[Estimate] = []
        curves: list[Curve] = []
        if reason is None:
            shared = common_bins(np.sort(np.array(data.y_score)), self.bins)
            everyone = forecasts(data, None)[0]
            groups = [(name, group) for name in data.groups for group in forecasts(data, name)]
            for name, group in [("", everyone), *groups]:
                label = {name: group.label} if name else {}
                estimates += self._group(group, label, shared)
                if len(group.names) >= self.min_group_size:
                    curves += reliability(group, shared.mass, label, level=self.level)
        n = len(data)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=_statement(data, estimates, reason),
            subjects=(data.target,),
            estimates=estimates,
            curves=curves,
            accounting={"measured": 0 if reason else n, "not_measured": n if reason else 0},
            parameters={**asdict(self), "attributes": list(data.groups)},
            reason=reason,
            limitations=LIMITATIONS if data.patients_named else (*LIMITATIONS, UNNAMED_PATIENTS),
            sources=SOURCES,
            seed=self.seed,
        )

    def _reason(self, data: BinaryScores) -> str | None:
        people = len(set(data.patients))
        if people < max(self.min_group_size, 2):
            return f"{people} patients are fewer than the {max(self.min_group_size, 2)} a statement needs"
        return no_probabilities(data)

    def _group(self, group: Forecasts, label: Mapping[str, str | None], shared: Bins) -> list[Estimate]:
        people = len(group.names)
        base: dict[str, Any] = {"unit": "1", "n": people, "n_unit": "patients", "group": label}
        positives = None if label and veiled(people, self.min_group_size) else int(group.y.sum())
        counts = [("cases", len(group.p)), ("positives", positives)]
        rows = [
            Estimate(
                name=name,
                value=count,
                estimand=f"number of {name}",
                reason=VEILED if count is None else "a count has no interval",
                **base,
            )
            for name, count in counts
        ]
        names = [name for error in ERRORS for name in (error, f"{error}_null_mean", f"{error}_null_95th")]
        if label and people < self.min_group_size:
            why = f"{people} patients: listed, not judged (at least {self.min_group_size})"
            every = [*names, "calibration_in_the_large", "calibration_slope", "brier"]
            return rows + [
                Estimate(name=name, value=None, estimand="calibration in this group", reason=why, **base)
                for name in every
            ]
        return rows + self._errors(group, shared, base) + self._moments(group, base)

    def _errors(self, group: Forecasts, shared: Bins, base: dict[str, Any]) -> list[Estimate]:
        values = errors(group.p, group.y, shared, group.codes if group.repeated else None)
        draws = min(self.draws, max(DRAW_CELLS // len(group.p), 200))
        null = None
        if not group.repeated:
            null = null_errors(group.p, shared, draws=draws, rng=np.random.default_rng(self.seed))
        rows = []
        for column, name in enumerate(ERRORS):
            edges = _edges_text(shared.width if name == "ece" else shared.mass)
            value = Result(value=float(values[column]), method=edges, reason=_BY_NULL)
            rows.append(self._estimate(name, f"case-weighted {_WORDS[name]}", value, base))
            for end, words in (("null_mean", "mean"), ("null_95th", "95th percentile")):
                result = Result(value=None, reason=_REPEATED)
                if null is not None:
                    drawn = null[:, column]
                    number = np.mean(drawn) if end == "null_mean" else np.quantile(drawn, 0.95)
                    method = f"consistency resampling, {draws} draws, seed {self.seed}"
                    result = Result(value=float(number), method=method, reason="a value under chance has no interval")
                what = f"{words} of {name} of a calibrated model at these probabilities"
                rows.append(self._estimate(f"{name}_{end}", what, result, base))
        return rows

    def _moments(self, group: Forecasts, base: dict[str, Any]) -> list[Estimate]:
        few = min(group.with_outcome(0), group.with_outcome(1))
        why = f"{few} patients with a positive or with a negative case: at least {FEWEST_OUTCOMES} of each are needed"
        rows = []
        for name, values, words in (
            ("calibration_in_the_large", group.p - group.y, "mean probability minus share of positives"),
            ("brier", (group.p - group.y) ** 2, "mean squared difference of probability and outcome (Brier score)"),
        ):
            result = self._mean(group, name, values)
            if few < FEWEST_OUTCOMES:
                result = Result(value=result.value, method="mean over cases", reason=why)
            rows.append(self._estimate(name, f"case-weighted {words}", result, base))
        slope = Result(value=None, reason=why)
        if few >= FEWEST_OUTCOMES:
            slope = slope_interval(calibration_slope(group.p, group.y, group.patients), level=self.level)
        words = "slope of the outcome's log odds on the logit of the probability; 1 = calibrated, below 1 = too extreme"
        return [*rows, self._estimate("calibration_slope", words, slope, base)]

    def _mean(self, group: Forecasts, name: str, values: Floats) -> Result:
        """Student's t, except for the Brier score of few patients, which is skewed."""
        if name != "brier" or len(group.names) >= T_FROM:
            return ratio_value_interval(ratio_group(group, values), level=self.level, counts=False)
        if not group.repeated:
            return mean_over_patients(values, bounds=(0.0, 1.0), failures=False, level=self.level)
        why = f"fewer than {T_FROM} patients with several cases: no interval is sure"
        return Result(value=ratio_group(group, values).value, method="mean over cases", reason=why)

    def _estimate(self, name: str, estimand: str, result: Result, base: Mapping[str, Any]) -> Estimate:
        return Estimate(name=name, estimand=estimand, **result.stated(self.level), **base)

    @staticmethod
    def example(n: int, seed: int) -> BinaryScores:
        """Probabilities of `n` patients with sex, too extreme for some."""
        rng = np.random.default_rng(seed)
        line = rng.normal(0, 1.2, n)
        keys = tuple(f"case-{i}" for i in range(n))
        return BinaryScores(
            target="finding",
            cases=keys,
            patients=tuple(f"patient-{i}" for i in range(n)),
            y_true=tuple((rng.random(n) < special.expit(line)).tolist()),
            y_score=tuple(special.expit(1.3 * line).tolist()),
            probabilities=True,
            groups={"sex": tuple("FM"[i] for i in rng.integers(0, 2, n))},
        )


def no_probabilities(data: BinaryScores) -> str | None:
    """Why calibration cannot be asked of these scores; ``None`` if it can."""
    if not data.y_score:
        return "there are no scores, only decisions"
    if not data.probabilities:
        return "the scores are not said to be probabilities, and only a probability can be calibrated"
    return None


def ratio_group(group: Forecasts, values: Floats) -> RatioGroup:
    """The mean of `values` over cases, as a ratio over patients."""
    tops, bottoms = group.per_patient(values)
    return RatioGroup(label=group.label, patients=group.names, tops=tops, bottoms=bottoms)


def _edges_text(edges: Floats) -> str:
    return f"{len(edges) - 1} bins [low, high) with edges {', '.join(f'{edge:.3g}' for edge in edges)}"


def _statement(data: BinaryScores, estimates: list[Estimate], reason: str | None) -> str:
    if reason:
        return f"{data.target}: calibration cannot be said, because {reason}."
    overall = {item.name: item for item in estimates if not item.group}
    people, shift = overall["ece"].n, overall["calibration_in_the_large"].value or 0.0
    text = f"{data.target}: {people} patients; mean probability minus share of positives {shift:+.3f}"
    error, null = overall["ece"].value, overall["ece_null_mean"].value
    if error is not None and null is not None:
        text += f"; calibration error {error:.3f}, where a calibrated model shows {null:.3f} on average at this number"
    small = {tuple(item.group.items()) for item in estimates if item.name == "ece" and item.value is None}
    if small:
        groups = "1 group has" if len(small) == 1 else f"{len(small)} groups have"
        text += f". {groups} too few patients: listed, not judged"
    return f"{text}."
