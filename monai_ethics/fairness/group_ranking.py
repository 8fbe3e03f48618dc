# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.group_ranking`: how well scores put positive cases above negative ones, within and across groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from monai_ethics.evidence import Curve, Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.cells import VEILED, veiled
from monai_ethics.fairness.data.groups import label_text
from monai_ethics.fairness.data.rankings import Ranking, ranking
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS
from monai_ethics.fairness.methods.roc import roc_at, roc_vertices
from monai_ethics.registry import question_of
from monai_ethics.statistics.auc import area_between
from monai_ethics.statistics.average_precision import average_precision
from monai_ethics.statistics.intervals import Result

__all__ = ["FEWEST_OF_CLASS", "GroupRanking", "area_sets", "no_scores"]

FEWEST_OF_CLASS = 5  # patients with cases of either class behind any number of a group
ROC_POINTS = 51
SOURCES = (
    Source(title="DeLong et al. 1988 (Biometrics 44); Obuchowski 1997 (Biometrics 53)", locator="variance of areas"),
    Source(title="Newcombe 2006 (Stat. Med. 25)", locator="method 5"),
    Source(title="Borkan et al. 2019", locator="section 3: BPSN and BNSP", url="https://arxiv.org/abs/1903.04561"),
    Source(title="Boyd, Eng & Page 2013 (ECML PKDD)", locator="average precision on the logit scale"),
)
LIMITATIONS = (
    "Areas within groups do not see that one group's scores lie higher than another's: those across groups do.",
    "Average precision rises with prevalence: groups of unequal prevalence cannot be compared by it.",
    "Numbers per group describe these patients; whether groups differ is answered by fairness.ranking_gap.",
    "Labels that are wrong more often in one group make its ranking look worse there.",
)
_ESTIMANDS = {
    "auc": "probability that a positive case of the group scores higher than a negative one of it, ties half",
    "auc_bpsn": "probability that a positive case outside the group scores higher than a negative one of it, ties half",
    "auc_bnsp": "probability that a positive case of the group scores higher than a negative one outside it, ties half",
}
Mask = NDArray[np.bool_]


def area_sets(data: Ranking, group: int, measure: str) -> tuple[Mask, Mask]:
    """Cases that should score higher and cases that should score lower; the background is everyone outside the group.

    Args:
        data: the cases.
        group: number of the group.
        measure: ``"auc"``, ``"auc_bpsn"`` or ``"auc_bnsp"``.

    Returns:
        Two masks, both of shape ``(N,)``.
    """
    inside = data.labels == group
    above = ~inside if measure == "auc_bpsn" else inside
    below = ~inside if measure == "auc_bnsp" else inside
    return data.truth & above, ~data.truth & below


def no_scores(data: BinaryScores) -> str | None:
    """Why nothing can be ranked, or ``None``."""
    if not len(data):
        return "there is no case"
    return None if data.y_score else "there are decisions and no scores"


@dataclass(frozen=True, kw_only=True)
class GroupRanking:
    """Area under the ROC curve and average precision of everyone and of every group of every attribute.

    Per group also the area of its negative cases against everyone else's positive ones (``auc_bpsn``) and of its
    positive cases against everyone else's negative ones (``auc_bnsp``), which see that a group's scores lie higher or
    lower as a whole; the counts behind them; and its ROC curve.

    Args:
        min_group_size: patients that a group needs for its numbers to be given; smaller ones are listed. Every number
            also needs 5 patients of either class behind it.
        level: nominal coverage of the intervals.

    Notes:
        Not a comparison. Case-weighted; intervals are by patient.

    References:
        arXiv 2406.11868 (performance measured for each group); Borkan et al. 2019, section 3; methods as in `sources`.
    """

    id: ClassVar[str] = "fairness.group_ranking"
    title: ClassVar[str] = "How well do the scores rank cases in each group?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1")

    min_group_size: int = 10
    level: float = 0.95

    def __call__(self, data: BinaryScores, /) -> Finding:
        """Measure one target.

        Args:
            data: labels and scores with their groups.

        Returns:
            Verdict `measured`; `not_assessable` without scores, with one class, or with too few patients.
        """
        n = len(set(data.patients))
        reason = no_scores(data)
        estimates: list[Estimate] = []
        curves: list[Curve] = []
        small = 0
        if reason is None:
            for attribute in ("", *data.groups):
                cases = ranking(data, attribute)
                for group in range(len(cases.names)):
                    found, curve = self._group(cases, group, attribute)
                    estimates += found
                    curves += [] if curve is None else [curve]
                    small += curve is None
            area = next(item for item in estimates if item.name == "auc")
            reason = area.reason if area.value is None else None
        if reason is None and n < max(self.min_group_size, 2):
            reason = f"{n} patients are fewer than the {max(self.min_group_size, 2)} a statement needs"
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=self._statement(data, estimates, reason, small),
            subjects=(f"{data.target}_auc",),
            estimates=estimates,
            curves=curves,
            accounting={"positive": sum(data.y_true), "negative": len(data) - sum(data.y_true)},
            parameters={**asdict(self), "higher_is_better": True, "attributes": list(data.groups)},
            reason=reason,
            limitations=LIMITATIONS if data.patients_named else (*LIMITATIONS, UNNAMED_PATIENTS),
            sources=SOURCES,
        )

    def _group(self, cases: Ranking, group: int, attribute: str) -> tuple[list[Estimate], Curve | None]:
        own = cases.labels == group
        people = len(np.unique(cases.patients[own]))
        name: Mapping[str, str | None] = {attribute: cases.names[group]} if attribute else {}
        positives = int((own & cases.truth).sum())
        base: dict[str, Any] = {"unit": "1", "n": int(own.sum()), "n_unit": "cases", "group": name}
        shown = None if attribute and veiled(people, self.min_group_size) else float(positives)
        counts = (("patients", float(people)), ("cases", float(own.sum())), ("positives", shown))
        estimates = [
            Estimate(
                name=what,
                value=count,
                estimand=f"number of {what}",
                reason=VEILED if count is None else "a count of these data",
                **base,
            )
            for what, count in counts
        ]
        for measure, estimand in _ESTIMANDS.items():
            if attribute or measure == "auc":
                text = estimand if attribute else estimand.replace(" of the group", "").replace(" of it", "")
                result = self._area(cases, group, measure, people, whole=not attribute)
                estimates.append(self._estimate(measure, f"{text}; case-weighted", result, base))
        estimates.append(self._precision(cases, own, people, base, whole=not attribute))
        known = estimates[3].value is not None and people >= self.min_group_size
        return estimates, self._curve(cases, own, people, name) if known else None

    def _few(self, sets: tuple[Mask, Mask], cases: Ranking, people: int) -> str | None:
        if people < self.min_group_size:
            return f"{people} patients: listed, not judged (at least {self.min_group_size})"
        fewest = min(len(np.unique(cases.patients[side])) for side in sets)
        if 0 < fewest < FEWEST_OF_CLASS:
            return f"{fewest} patients with cases of one class: listed, not judged (at least {FEWEST_OF_CLASS})"
        return None

    def _area(self, cases: Ranking, group: int, measure: str, people: int, *, whole: bool) -> Result:
        sets = area_sets(cases, group, measure)
        few = None if whole else self._few(sets, cases, people)
        if few:
            return Result(value=None, reason=few)
        return area_between(cases.scores, cases.patients, *sets, level=self.level)

    def _precision(self, cases: Ranking, own: Mask, people: int, base: dict[str, Any], *, whole: bool) -> Estimate:
        sets = own & cases.truth, own & ~cases.truth
        few = None if whole else self._few(sets, cases, people)
        if few:
            result = Result(value=None, reason=few)
        else:
            result = average_precision(cases.scores[own], cases.truth[own], cases.patients[own], level=self.level)
        chance = f"{sets[0].sum() / own.sum():.3g}" if own.any() else "none"
        chance = "not shown" if not whole and veiled(people, self.min_group_size) else chance
        estimand = f"mean precision over positive cases, no interpolation; {chance} (the prevalence) by chance"
        return self._estimate("average_precision", f"{estimand}; case-weighted", result, base)

    def _estimate(self, name: str, estimand: str, result: Result, base: dict[str, Any]) -> Estimate:
        return Estimate(name=name, estimand=estimand, **result.stated(self.level), **base)

    @staticmethod
    def _curve(cases: Ranking, own: Mask, people: int, name: Mapping[str, str | None]) -> Curve:
        x = np.linspace(0, 1, ROC_POINTS)
        return Curve(
            name="roc",
            x_name="false positive rate",
            y_name="true positive rate",
            x=x.tolist(),
            y=roc_at(roc_vertices(cases.scores[own], cases.truth[own]), x).tolist(),
            n=people,
            n_unit="patients",
            method=f"read at {ROC_POINTS} false positive rates, case-weighted",
            group=name,
            reason="the area has an interval, the curve has none",
        )

    def _statement(self, data: BinaryScores, estimates: list[Estimate], reason: str | None, small: int) -> str:
        if reason:
            return f"{data.target}: how well scores rank cases cannot be said, because {reason}."
        area = estimates[3]
        text = f"{data.target}: a positive case scores higher than a negative one in "
        text += f"{100 * (area.value or 0):.3g} of 100 pairs"
        if area.low is not None and area.high is not None:
            text += f" ({100 * area.low:.3g} to {100 * area.high:.3g})"
        known = [item for item in estimates if item.name == "auc" and item.group and item.value is not None]
        if len(known) > 1:
            worst = min(known, key=lambda item: item.value or 0)
            ((attribute, label),) = worst.group.items()
            text += (
                f". Of {len(known)} groups it is lowest in {attribute} {label_text(label)} "
                f"({100 * (worst.value or 0):.3g}); some group is lowest by chance alone"
            )
        if small:
            text += f". {small} {'group is' if small == 1 else 'groups are'} too small, or of one class: listed only"
        return f"{text}."

    @staticmethod
    def example(n: int, seed: int) -> BinaryScores:
        """Scores of `n` patients with sex."""
        rng = np.random.default_rng(seed)
        truth = rng.random(n) < 0.5
        return BinaryScores(
            target="finding",
            cases=tuple(f"case-{i}" for i in range(n)),
            patients=tuple(f"patient-{i}" for i in range(n)),
            y_true=tuple(truth),
            y_score=tuple(rng.standard_normal(n) + 1.2 * truth),
            groups={"sex": tuple("FM"[i] for i in rng.integers(0, 2, n))},
        )
