# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.mitigation_change`: what a change to the model did to each group, on the same test cases."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.before_after import BeforeAfter, PairedGroup
from monai_ethics.fairness.data.binary_before_after import BinaryBeforeAfter
from monai_ethics.fairness.data.groups import label_text, labels_of
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.fairness.methods.linearized import area_changes, rate_changes
from monai_ethics.fairness.methods.paired import Exchange, changed_alike, exchange, paired_changes
from monai_ethics.registry import question_of
from monai_ethics.statistics.intervals import Result

__all__ = ["MitigationChange"]

Measured = BeforeAfter | BinaryBeforeAfter

SOURCES = (
    Source(title="Das et al., Ethical framework", locator="bias mitigation", url="https://arxiv.org/abs/2406.11868"),
    Source(title="Efron & Tibshirani 1993, An Introduction to the Bootstrap", locator="section 12.5"),
    Source(title="Lehmann & Romano 2005, Testing Statistical Hypotheses", locator="section 15.2"),
    Source(title="Bonett & Price 2012 (J. Educ. Behav. Stat. 37); Zou & Donner 2008 (Stat. Med. 27)", locator="pairs"),
)
LIMITATIONS = (
    "It shows a change on these cases between two measurements, not that the action caused it.",
    "A test set that was used before, to choose a model or a threshold, flatters what was chosen by it.",
    "The worst group is named by the same values: by chance alone it is mostly less extreme in the other measurement.",
    "Intervals hold one at a time, not all at once.",
)
_NO_INTERVAL = "no interval: largest minus smallest is never below 0 and biased upwards; see the pairs' changes"
_ARM = "no interval: see the change, and the evidence of this measurement alone"
_NULL = "from the distribution when before and after are exchanged within patients"


@dataclass(frozen=True, kw_only=True)
class MitigationChange:
    """Change of a metric for each group of one attribute between two measurements of the same patients.

    Each group's change, and that of each pair's signed difference, has an interval from a paired bootstrap of patients;
    of a classifier's rate or area one from what each patient adds to it.
    A studentized permutation test of patients' changes answers whether all groups changed alike. The change of the
    largest gap and of the worst group are descriptions, beside their distribution when before and after are exchanged
    within patients, which is exact if nothing changed.

    Args:
        attribute: name of the grouping, such as ``sex``; empty if the table has only one.
        min_group_size: smallest group that is judged, in patients with a score in both measurements.
        n_bootstraps: resamples of patients.
        n_permutations: draws of the test, and random exchanges of before and after.
        level: nominal coverage of intervals.
        seed: seed of the draws.

    Notes:
        Without a measurement afterwards nothing can be said of a mitigation, and the finding says so.

    References:
        arXiv 2406.11868 (mitigation is measured), arXiv 2507.04249, Table 1 (training); methods as in `sources`.
    """

    id: ClassVar[str] = "fairness.mitigation_change"
    title: ClassVar[str] = "What did the change do, for whom, on the same patients?"
    stage: ClassVar[Stage] = Stage.TRAINING
    requirements: ClassVar[tuple[str, ...]] = ("FMF-04", "LIF-T2")

    attribute: str = ""
    min_group_size: int = 10
    n_bootstraps: int = 1999
    n_permutations: int = 9999
    level: float = 0.95
    seed: int = 0

    def __call__(self, data: Measured, /) -> Finding:
        """Compare before and after.

        Args:
            data: scores, or a classifier's answers, of the same cases before and after, with groups.

        Returns:
            Verdict `measured`; `not_assessable` without a measurement afterwards, without an attribute, or with fewer
            than 2 groups of `min_group_size` patients.
        """
        known = data.before.groups
        attribute = self.attribute or (next(iter(known)) if len(known) == 1 else "")
        groups = data.groups(attribute) if attribute else []
        judged = [group for group in groups if not data.too_small(group, self.min_group_size)]
        reason = self._reason(data, attribute, judged)
        found = None if reason else self._exchange(data, judged)
        estimates = [] if found is None else self._estimates(data, attribute, groups, judged, found)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=_statement(data, attribute, judged, found, reason or _p(estimates)),
            subjects=(data.metric, attribute) if attribute else (data.metric,),
            estimates=[*estimates, _uses(data)],
            accounting=_accounting(data, attribute, judged),
            parameters={**asdict(self), "attribute": attribute, **_settings(groups, judged)},
            reason=reason,
            limitations=_limitations(data),
            sources=SOURCES,
            seed=self.seed,
        )

    def _reason(self, data: Measured, attribute: str, judged: Sequence[PairedGroup]) -> str | None:
        if data.why_not:
            return data.why_not
        if not attribute:
            return f"the table has {len(data.before.groups)} attributes and none was named"
        if len(judged) < 2:
            enough = f"{len(judged)} groups have {self.min_group_size} {data.needed}"
            return f"{enough}, and a comparison needs two"
        return None

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def _exchange(self, data: Measured, judged: Sequence[PairedGroup]) -> Exchange:
        higher = data.higher_is_better
        return exchange(judged, higher_is_better=higher, n_permutations=self.n_permutations, rng=self._rng())

    def _estimates(
        self,
        data: Measured,
        attribute: str,
        groups: Sequence[PairedGroup],
        judged: Sequence[PairedGroup],
        found: Exchange,
    ) -> list[Estimate]:
        (everyone,) = data.groups(None)
        (whole,), _ = self._intervals(data, [everyone])
        changes, pairs = self._intervals(data, judged)
        by_label = dict(zip((group.label for group in judged), changes, strict=True))
        rows = self._arms(data, {}, everyone, whole)
        for group in groups:
            rows += self._arms(data, {attribute: group.label}, group, by_label.get(group.label))
        for (i, j), result in pairs.items():
            names = label_text(judged[i].label), label_text(judged[j].label)
            n = len({*judged[i].patients, *judged[j].patients})
            what = f"change of {names[0]} minus change of {names[1]}, {data.estimand}"
            pair: dict[str, str | None] = {attribute: f"{names[0]} - {names[1]}"}
            rows.append(self._estimate("difference_change", result, data.unit, n, what, pair))
        return [*rows, *self._descriptions(data, judged, found)]

    def _intervals(
        self, data: Measured, groups: Sequence[PairedGroup]
    ) -> tuple[list[Result], dict[tuple[int, int], Result]]:
        if isinstance(data, BinaryBeforeAfter):
            changes = area_changes if data.measure == "auc" else rate_changes
            return changes(groups, level=self.level)
        bounds = data.before.score_bounds
        return paired_changes(groups, bounds=bounds, n_bootstraps=self.n_bootstraps, rng=self._rng(), level=self.level)

    def _arms(
        self, data: Measured, label: dict[str, str | None], group: PairedGroup, change: Result | None
    ) -> list[Estimate]:
        n, unit = len(group.patients), data.unit
        if change is None:
            small = data.too_small(group, self.min_group_size) or "no comparison"
            change = Result(value=None, reason=small)
            arms = [Result(value=None, reason=small)] * 2
        else:
            arms = [Result(value=math.fsum(side) / n, reason=_ARM) for side in (group.before, group.after)]
        what = data.estimand
        return [
            self._estimate("before", arms[0], unit, n, what, label),
            self._estimate("after", arms[1], unit, n, what, label),
            self._estimate("change", change, unit, n, f"after minus before, {what}", label),
        ]

    def _descriptions(self, data: Measured, judged: Sequence[PairedGroup], found: Exchange) -> list[Estimate]:
        n, unit = len({patient for group in judged for patient in group.patients}), data.unit
        alike = changed_alike(judged, n_permutations=self.n_permutations, rng=self._rng())
        gap = f"largest minus smallest {data.noun} of the groups judged"

        def row(name: str, value: float | None, what: str, why: str, its: str = unit) -> Estimate:
            return self._estimate(name, Result(value=value, reason=why), its, n, what, {})

        p = f"p-value that all groups changed alike, {self.n_permutations} draws, seed {self.seed}"
        out = [
            row("max_min_gap_before", found.gap_before, f"{gap}, before", _NO_INTERVAL),
            row("max_min_gap_after", found.gap_after, f"{gap}, after", _NO_INTERVAL),
            row("max_min_gap_change", found.gap_after - found.gap_before, f"{gap}, after minus before", _NO_INTERVAL),
            row("gap_change_null_5th", found.gap_null[0], "5th percentile of the gap's change", _NULL),
            row("gap_change_null_95th", found.gap_null[1], "95th percentile of the gap's change", _NULL),
            row("p_value", alike, p, "a p-value has no interval", "1"),
        ]
        worst = f"{data.noun} of the worst group, whichever it is"
        if found.worst_null is None:
            why = "it is not known whether more of this metric is better"
            return [*out, row("worst_group_change", None, f"{worst}, after minus before", why)]
        chosen = "no interval: the group is named by the same values"
        return [
            *out,
            row("worst_group_change", found.worst_change, f"{worst}, after minus before", chosen),
            row("worst_change_null_5th", found.worst_null[0], "5th percentile of the worst group's change", _NULL),
            row("worst_change_null_95th", found.worst_null[1], "95th percentile of the worst group's change", _NULL),
        ]

    def _estimate(
        self, name: str, found: Result, unit: str, n: int, estimand: str, group: dict[str, str | None]
    ) -> Estimate:
        return Estimate(
            name=name,
            unit=unit,
            n=n,
            n_unit="patients",
            n_valid=n if found.value is not None else 0,
            estimand=estimand,
            group=group,
            **found.stated(self.level),
        )

    @staticmethod
    def example(n: int, seed: int) -> BeforeAfter:
        """Overlap scores of `n` patients before and after, with sex; the women gain."""
        before = GroupScores.example(n, seed)
        rng = np.random.default_rng(seed + 1)
        gains = [0.05 if label == "F" else 0.0 for label in before.groups.get("sex", ())]
        noise = rng.normal(0, 0.02, n).tolist()
        moved = [
            value and min(max(value + gain + each, 0.0), 1.0)
            for value, gain, each in zip(before.values, gains, noise, strict=True)
        ]
        return BeforeAfter(before=before, after=replace(before, values=tuple(moved)), uses_known=2)


def _uses(data: Measured) -> Estimate:
    known = data.uses_known
    return Estimate(
        name="test_set_uses",
        value=None if known is None else known + data.uses_declared,
        unit="evaluations",
        n=len(data),
        n_unit="cases",
        estimand="evaluations of exactly these cases: in the evidence at hand, and declared",
        reason="A count, not an estimate." if known is not None else "Nobody looked for earlier uses of these cases.",
    )


def _settings(groups: Sequence[PairedGroup], judged: Sequence[PairedGroup]) -> dict[str, Any]:
    times = Counter(patient for group in groups for patient in group.patients)
    return {
        "groups": {label_text(group.label): group.size for group in groups},
        "small_groups": [label_text(group.label) for group in groups if group not in judged],
        "patients_in_several_groups": sum(count > 1 for count in times.values()),
    }


def _accounting(data: Measured, attribute: str, judged: Sequence[PairedGroup]) -> dict[str, int]:
    labels = labels_of(data.before, attribute) if attribute else (None,) * len(data)
    compared = {group.label for group in judged} if len(judged) > 1 else set()
    return data.fate({data.before.cases[i]: labels[i] in compared for i in data.paired()})


def _limitations(data: Measured) -> tuple[str, ...]:
    out = [*LIMITATIONS, *data.limitations]
    if not data.before.patients_named:
        out.append(UNNAMED_PATIENTS)
    if data.after is not None and set(data.after.cases) != set(data.before.cases):
        out.append(
            "The two measurements are not of the same cases: those in only one of them are counted and left out."
        )
    if not data.uses_declared:
        out.append("Uses of these cases outside the evidence at hand are not known.")
    return tuple(out)


def _p(estimates: Sequence[Estimate]) -> str:
    return next(f"p = {item.value:.2g}" for item in estimates if item.name == "p_value")


def _statement(data: Measured, attribute: str, judged: Sequence[PairedGroup], found: Exchange | None, said: str) -> str:
    metric = data.metric
    if found is None:
        return f"{metric}: what the change did for groups cannot be said, because {said}."
    n = len({patient for group in judged for patient in group.patients})
    low, high = found.gap_null
    text = (
        f"{metric} by {attribute}, {n} patients in {len(judged)} groups scored before and after: the largest "
        f"difference of group {data.noun}s went from {found.gap_before:.3g} to {found.gap_after:.3g}; if nothing had "
        f"changed, nine in ten such changes would lie between {low:.2g} and {high:.2g}. "
        f"That all groups changed alike: {said}."
    )
    if found.worst_before is None or found.worst_after is None:
        return text
    places = found.worst_before, found.worst_after
    ends = [math.fsum(side) / len(side) for side in (judged[places[0]].before, judged[places[1]].after)]
    names = [label_text(judged[place].label) for place in places]
    return f"{text} The worst group's {data.noun} went from {ends[0]:.3g} ({names[0]}) to {ends[1]:.3g} ({names[1]})."
