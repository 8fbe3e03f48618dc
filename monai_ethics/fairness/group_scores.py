# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.group_scores`: how well each group is served, with what is sure at its size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.groups import Group, at_worst, label_text, labels_of, split
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS, ScoreTable
from monai_ethics.fairness.spread import spread_curves
from monai_ethics.fairness.wording import HALF_MISSED, at_extreme, quantity
from monai_ethics.registry import question_of
from monai_ethics.statistics.intervals import Result, clustered_rate, mean_over_patients, median_over_patients
from monai_ethics.statistics.shrunk import shrunk_means

__all__ = ["GroupScores"]

SOURCES = (
    Source(title="Ethics-by-Design for medical imaging AI", locator="Table 1", url="https://arxiv.org/abs/2507.04249"),
    Source(title="Metrics reloaded (Nat. Methods 2024)", locator="missing predictions", url=None),
    Source(title="Wilson 1927; Rao & Scott 1992 (Biometrics 48)", locator="rates and repeated patients"),
    Source(title="Waudby-Smith & Ramdas 2024 (JRSS-B 86)", locator="section 4: bounded means by betting"),
)
LIMITATIONS = (
    "Numbers per group describe these patients; whether groups differ is answered by fairness.score_gap.",
    "A case with an empty reference has no score: it appears in the false positive rate only.",
    "Groups also differ in case mix (prevalence, severity, scanner); nothing here separates that from the model.",
)


@dataclass(frozen=True, kw_only=True)
class GroupScores:
    """Scores of one metric overall and in every group of every attribute, missing labels included.

    Per group: the failure rate (share of cases with a reference in which nothing was found) and the false positive rate
    (share of cases with an empty reference in which something was found), each with Wilson's interval, at the
    Rao-Scott effective number where patients have several cases; the median over patients with its exact interval; the
    mean over patients with Student's t from 30 patients without a failure, otherwise the guaranteed interval of bounded
    scores, otherwise the reason why none is sure. Curves show how patients' values are spread, smoothed. With 5 or more
    judged groups of an attribute, partially pooled means stand beside the raw ones, labelled "shrunk"; they enter no
    verdict, no gap and no worst group, because pooling hides a group that is harmed.

    Args:
        min_group_size: smallest group (patients with a score) whose numbers are given; smaller ones are listed.
        level: nominal coverage of the intervals.

    Notes:
        Not a comparison: intervals of two groups may overlap although the groups differ, and the reverse.

    References:
        arXiv 2507.04249, Table 1; facts on each interval in `monai_ethics.statistics.intervals`.
    """

    id: ClassVar[str] = "fairness.group_scores"
    title: ClassVar[str] = "How well does the model work for each group?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1", "MIS-12", "TRU-03")

    min_group_size: int = 10
    level: float = 0.95

    def __call__(self, data: ScoreTable, /) -> Finding:
        """Measure one metric.

        Args:
            data: per-case scores with their groups.

        Returns:
            Verdict `measured`; `not_assessable` with fewer patients overall than `min_group_size`.
        """
        everyone, rates = split(data, None), _is_yes_or_no(data)
        n = len(everyone[0].patients) if everyone else 0
        estimates = [item for group in everyone for item in self._estimates(data, group, {}, rates=rates)]
        small, places = 0, {}
        drawn: list[tuple[Mapping[str, str | None], Group]] = [({}, group) for group in everyone]
        for attribute in data.groups:
            labels, groups = labels_of(data, attribute), split(data, attribute)
            drawn += [({attribute: group.label}, group) for group in groups]
            for group in groups:
                rows = data.reordered([i for i, label in enumerate(labels) if label == group.label])
                if len(group.patients) >= max(self.min_group_size, 1):
                    places[attribute, group.label] = _place(group, rates=rates)
                else:
                    small += 1
                estimates += self._estimates(rows, group, {attribute: group.label}, rates=rates)
            estimates += self._shrunk(data, attribute, groups)
        reason = None
        if n < self.min_group_size:
            reason = f"{n} patients with a score are fewer than the {self.min_group_size} a statement needs"
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=self._statement(data, n, places, small),
            subjects=(data.metric,),
            estimates=estimates,
            curves=[] if rates or reason else spread_curves(data, drawn, min_group_size=self.min_group_size),
            accounting=data.accounting(),
            parameters={**asdict(self), "higher_is_better": data.higher_is_better, "attributes": list(data.groups)},
            reason=reason,
            limitations=LIMITATIONS if data.patients_named else (*LIMITATIONS, UNNAMED_PATIENTS),
            sources=SOURCES,
        )

    def _estimates(
        self, rows: ScoreTable, group: Group, name: Mapping[str, str | None], *, rates: bool
    ) -> list[Estimate]:
        n, scored = group.n_patients, len(group.patients)
        base: dict[str, Any] = {"unit": rows.unit, "n_unit": "patients", "group": name, "n": n, "n_valid": scored}
        results = (
            []
            if rates
            else [
                ("median", f"median, {group.estimand}", median_over_patients(group.values, level=self.level)),
            ]
        )
        results.append(("mean", f"mean, {group.estimand}", self._mean(rows, group, rates=rates)))
        if name and scored < self.min_group_size:
            hidden = Result(
                value=None,
                reason=f"{scored} patients with a score: listed, not judged (at least {self.min_group_size})",
            )
            results = [(what, estimand, hidden) for what, estimand, _ in results]
        found = [self._estimate(what, estimand, result, base) for what, estimand, result in results]
        return found + [item for item in self._rates(rows, name) if not rates or item.name != "failure_rate"]

    def _shrunk(self, data: ScoreTable, attribute: str, groups: Sequence[Group]) -> list[Estimate]:
        """Partially pooled means, beside the raw ones and never in their place."""
        judged = [group for group in groups if len(group.patients) >= max(self.min_group_size, 2)]
        values = shrunk_means([group.values for group in judged])
        if values is None:
            return []
        return [
            Estimate(
                name="shrunk_mean",
                value=float(value),
                unit=data.unit,
                n=group.n_patients,
                n_valid=len(group.patients),
                n_unit="patients",
                estimand=f"shrunk: mean pulled towards the {len(judged)} judged groups, {group.estimand}",
                method="empirical Bayes with DerSimonian-Laird's variance between groups",
                group={attribute: group.label},
                reason="shrunk values hide a harmed group and their interval does not cover: read the mean",
            )
            for group, value in zip(judged, values, strict=True)
        ]

    def _mean(self, rows: ScoreTable, group: Group, *, rates: bool) -> Result:
        failures = group.missed or at_worst(rows, group.values)
        if rates and np.isin(group.values, (0.0, 1.0)).all():
            return clustered_rate([bool(value) for value in group.values], group.patients, level=self.level)
        return mean_over_patients(group.values, bounds=rows.score_bounds, failures=failures, level=self.level)

    def _rates(self, rows: ScoreTable, name: Mapping[str, str | None]) -> list[Estimate]:
        kinds = (
            (
                "failure_rate",
                ("scored", "missed"),
                "missed",
                "share of cases with a reference in which nothing, or not all that the score needs, was found",
            ),
            (
                "false_positive_rate",
                ("false_positive", "true_negative"),
                "false_positive",
                "share of cases with an empty reference in which something was found",
            ),
        )
        found = []
        for what, among, hit, estimand in kinds:
            pairs = [(p, o) for p, o in zip(rows.patients, rows.outcomes, strict=True) if o in among]
            if not pairs and what == "false_positive_rate":
                continue
            result = clustered_rate([o == hit for _, o in pairs], [p for p, _ in pairs], level=self.level)
            if not rows.misses_known and pairs:
                result = Result(value=None, reason="the stored scores do not say which cases were missed")
            elif name and pairs and (people := len({p for p, _ in pairs})) < self.min_group_size:
                why = f"{people} patients with such cases: listed, not judged (at least {self.min_group_size})"
                result = Result(value=None, reason=why)
            base = {"unit": "1", "n_unit": "cases", "group": name, "n": len(pairs), "n_valid": len(pairs)}
            found.append(self._estimate(what, f"case-weighted {estimand}", result, base))
        return found

    def _estimate(self, name: str, estimand: str, result: Result, base: Mapping[str, Any]) -> Estimate:
        return Estimate(name=name, estimand=estimand, **result.stated(self.level), **base)

    def _statement(self, data: ScoreTable, n: int, places: Mapping[tuple[str, str | None], float], small: int) -> str:
        if n == 0:
            return f"No patient has a score of {data.metric}: nothing can be said."
        text = f"{data.metric}: {n} patients with a score"
        rates = _is_yes_or_no(data)
        middle = _place(split(data, None)[0], rates=rates)
        if math.isfinite(middle):
            text += f", {_headline(rates)} {quantity(data, middle)}"
        text += f"{_misses(data)}.{self._worst(data, places, rates=rates)}"
        if small:
            groups = "1 group has" if small == 1 else f"{small} groups have"
            text += f" {groups} fewer than {self.min_group_size} patients with a score: listed, not judged."
        return text

    def _worst(self, data: ScoreTable, places: Mapping[tuple[str, str | None], float], *, rates: bool) -> str:
        """The group at the worse end, all that tie with it, as a description."""
        if len(places) < 2 or data.higher_is_better is None:
            return ""
        names = [f"{attribute} {label_text(label)}" for attribute, label in places]
        values = list(places.values())
        worst = at_extreme(values, highest=not data.higher_is_better)
        if len(worst) == len(values):
            return f" The {_headline(rates)} is the same in all {len(values)} groups."
        value = quantity(data, values[worst[0]]) if math.isfinite(values[worst[0]]) else HALF_MISSED
        found = names[worst[0]] if len(worst) == 1 else f"shared by {len(worst)} groups"
        text = f" Worst {_headline(rates)} of {len(values)} groups: {found} ({value});"
        return f"{text} some group is worst by chance alone."

    @staticmethod
    def example(n: int, seed: int) -> ScoreTable:
        """Overlap scores of `n` patients, a few of them missed, with sex and site."""
        rng = np.random.default_rng(seed)
        missed = rng.random(n) < 0.05
        scores = np.where(missed, 0.0, rng.beta(8, 2, n))
        return ScoreTable(
            metric="mean_dice",
            unit="1",
            higher_is_better=True,
            cases=tuple(f"case-{i}" for i in range(n)),
            patients=tuple(f"patient-{i}" for i in range(n)),
            values=tuple(float(score) for score in scores),
            outcomes=tuple("missed" if miss else "scored" for miss in missed),
            groups={"sex": tuple("FM"[i] for i in rng.integers(0, 2, n))},
            bounds=(0.0, 1.0),
        )


def _place(group: Group, *, rates: bool) -> float:
    """Mean of yes-or-no scores, median of others; infinite if half or more were missed without a value."""
    if not len(group.values):
        return math.nan
    with np.errstate(invalid="ignore"):
        return float(np.mean(group.values) if rates else np.median(group.values))


def _headline(rates: bool) -> str:
    return "mean" if rates else "median"


def _misses(table: ScoreTable) -> str:
    """What was missed, and what was found where there was nothing, as a clause."""
    if not table.misses_known:
        return ""
    missed, scored, false, empty = map(table.outcomes.count, ("missed", "scored", "false_positive", "true_negative"))
    text = f"; {missed} of {missed + scored} cases with a reference missed"
    return f"{text}, something found in {false} of {false + empty} without one" if false + empty else text


def _is_yes_or_no(table: ScoreTable) -> bool:
    """Whether the scores are zeros and ones and tell of no misses: a rate of its own."""
    return not table.misses_known and all(value in (None, 0.0, 1.0) for value in table.values)
