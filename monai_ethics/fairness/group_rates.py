# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.group_rates`: how often decisions are right and wrong, for everyone and in every group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.cells import VEILED, veiled
from monai_ethics.fairness.data.classes import TOP_ONE_RATES, is_top_one
from monai_ethics.fairness.data.groups import label_text
from monai_ethics.fairness.data.rates import NO_DECISIONS, RATE_WORDS, RATES, RateCell, cells, rate_group, too_small
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS
from monai_ethics.fairness.methods.ratios import design_effect, ratio_value_interval
from monai_ethics.fairness.methods.reference_ppv import reference_ppv
from monai_ethics.fairness.rate_wording import percent
from monai_ethics.fairness.wording import at_extreme
from monai_ethics.registry import question_of
from monai_ethics.statistics.intervals import Result

__all__ = ["GroupRates"]

SOURCES = (
    Source(title="Ethics-by-Design for medical imaging AI", locator="Table 1", url="https://arxiv.org/abs/2507.04249"),
    Source(title="Wilson 1927; Rao & Scott 1992 (Biometrics 48)", locator="rates and repeated patients"),
    Source(title="Seyyed-Kalantari et al. 2021 (Nat. Med. 27)", locator="underdiagnosis and overdiagnosis"),
)
LIMITATIONS = (
    "Numbers per group describe these patients; whether groups differ is answered by fairness.rate_gap.",
    "Rates hold at one threshold, and against labels that may themselves differ in quality between groups.",
    "PPV and NPV change with prevalence: compare them at a common one, which takes TPR and FPR to stay as they are.",
)
REFERENCE = "ppv_at_reference_prevalence"
_COUNT = "a count has no interval"


@dataclass(frozen=True, kw_only=True)
class GroupRates:
    """Every rate of a classifier's decisions overall and in every group of every attribute, missing labels included.

    Rates are case-weighted, with Wilson's interval, at the Rao-Scott effective number of cases where patients have
    several; PPV also at everyone's prevalence. Beside them stand patients, cases, positive cases and the design effect
    of each group. A rate without a case to be counted on is undefined, with its reason, and never 0.

    Args:
        min_group_size: smallest group (patients, 5 of them with a denominator) whose rates are given; smaller ones are
            listed with their counts.
        level: nominal coverage of the intervals.

    Notes:
        Not a comparison: intervals of two groups may overlap although the groups differ, and the reverse.

    References:
        arXiv 2507.04249, Table 1; Seyyed-Kalantari 2021 (Nat. Med. 27) for under- and overdiagnosis.
    """

    id: ClassVar[str] = "fairness.group_rates"
    title: ClassVar[str] = "How often are decisions right and wrong for each group?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1", "MIS-12")

    min_group_size: int = 10
    level: float = 0.95

    def __call__(self, data: BinaryScores, /) -> Finding:
        """Measure the decisions about one target.

        Args:
            data: labels and decisions, with their groups.

        Returns:
            Verdict `measured`; `not_assessable` without decisions, or with fewer patients than `min_group_size`.
        """
        reason = self._why_not(data)
        estimates: list[Estimate] = []
        statement = f"{data.target}: rates cannot be given, because {reason}."
        if reason is None:
            everyone = cells(data, None)[0]
            total = everyone.total
            prevalence = None if is_top_one(data) else float(total[2:].sum() / total.sum())
            estimates = self._estimates(everyone, {}, prevalence)
            found = {attribute: cells(data, attribute) for attribute in data.groups}
            for attribute, groups in found.items():
                for cell in groups:
                    estimates += self._estimates(cell, {attribute: cell.label}, prevalence)
            statement = self._statement(data, everyone, found)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=statement,
            subjects=(data.target,),
            estimates=estimates,
            accounting={"counted": 0 if reason else len(data), "not_counted": len(data) if reason else 0},
            parameters={
                **asdict(self),
                "attributes": list(data.groups),
                "threshold": data.threshold,
                "decided_by": data.decided_by,
            },
            reason=reason,
            limitations=LIMITATIONS if data.patients_named else (*LIMITATIONS, UNNAMED_PATIENTS),
            sources=SOURCES,
        )

    def _why_not(self, data: BinaryScores) -> str | None:
        if not data.y_pred and len(data):
            return NO_DECISIONS
        n = len(set(data.patients))
        if n < max(self.min_group_size, 2):
            return f"{n} patients are fewer than the {max(self.min_group_size, 2)} a statement needs"
        return None

    def _estimates(self, cell: RateCell, name: Mapping[str, str | None], prevalence: float | None) -> list[Estimate]:
        found = self._counts(cell, name)
        for rate in TOP_ONE_RATES if prevalence is None else RATES:
            group = rate_group(cell, rate)
            result = self._hidden(cell, name, rate) or ratio_value_interval(group, level=self.level, counts=True)
            n = int(cell.total.sum() if self._veiled(cell, name) else group.bottoms.sum())
            found.append(self._estimate(rate, RATE_WORDS[rate][0], result, name, n))
        if prevalence is None:
            return found
        hidden = self._hidden(cell, name, "tpr") or self._hidden(cell, name, "fpr")
        groups = rate_group(cell, "tpr"), rate_group(cell, "fpr")
        result = hidden or reference_ppv(*groups, prevalence, level=self.level)
        words = f"PPV if {percent(prevalence)} of cases were positive, as in everyone"
        found.append(self._estimate(REFERENCE, words, result, name, int(cell.total.sum())))
        return found

    def _hidden(self, cell: RateCell, name: Mapping[str, str | None], rate: str) -> Result | None:
        """Why a group's rate is listed without a value."""
        group = rate_group(cell, rate)
        if not len(group.patients) and not self._veiled(cell, name):
            return Result(value=None, reason=f"there are no {RATE_WORDS[rate][1]}: undefined, which is not 0")
        why = too_small(cell, group, rate, self.min_group_size) if name else None
        return Result(value=None, reason=why) if why else None

    def _veiled(self, cell: RateCell, name: Mapping[str, str | None]) -> bool:
        return bool(name) and veiled(len(cell.patients), self.min_group_size)

    def _counts(self, cell: RateCell, name: Mapping[str, str | None]) -> list[Estimate]:
        patients, cases = len(cell.patients), int(cell.total.sum())
        hidden = self._veiled(cell, name)
        positives = None if hidden else float(cell.total[2:].sum())
        numbers = {"patients": float(patients), "cases": float(cases), "positives": positives}
        base: dict[str, Any] = {"unit": "1", "n": patients, "n_unit": "patients", "group": name}
        found = [
            Estimate(
                name=what,
                value=value,
                estimand=f"number of {what}",
                reason=_COUNT if value is not None else VEILED,
                **base,
            )
            for what, value in numbers.items()
        ]
        effect = design_effect([rate_group(cell, "accuracy")]) if patients > 1 and not hidden else None
        why = VEILED if hidden else "one patient has no design effect"
        found.append(
            Estimate(
                name="design_effect",
                value=effect,
                estimand="cases by effective number of cases, of the share called rightly",
                method="Rao-Scott",
                reason="a design figure has no interval" if effect else why,
                **base,
            )
        )
        return found

    def _estimate(self, rate: str, words: str, result: Result, name: Mapping[str, str | None], n: int) -> Estimate:
        return Estimate(
            name=rate,
            estimand=f"case-weighted {words}",
            unit="1",
            n=n,
            n_unit="cases",
            group=name,
            **result.stated(self.level),
        )

    def _statement(self, data: BinaryScores, everyone: RateCell, found: Mapping[str, list[RateCell]]) -> str:
        negative, positive = int(everyone.total[:2].sum()), int(everyone.total[2:].sum())
        by = f"decided by {data.decided_by}" if data.threshold is None else f"threshold {data.threshold:.3g}"
        text = f"{data.target}: {len(everyone.patients)} patients, {negative + positive} cases ({by}). "
        errors = [("fnr", "Underdiagnosis (positive cases called negative)"), ("fpr", "Overdiagnosis")]
        if is_top_one(data):
            text += f"{int(everyone.total[3])} of {positive} cases were given their own class."
            errors = [("fnr", "Another class than their own")]
        else:
            text += f"{int(everyone.total[3])} of {positive} positive cases were found and "
            text += f"{int(everyone.total[1])} of {negative} negative cases were called positive."
        for rate, kind in errors:
            text += self._worst(rate, kind, found)
        small = sum(len(cell.patients) < self.min_group_size for groups in found.values() for cell in groups)
        if small:
            groups = "1 group has" if small == 1 else f"{small} groups have"
            text += f" {groups} fewer than {self.min_group_size} patients: listed, not judged."
        return text

    def _worst(self, rate: str, kind: str, found: Mapping[str, list[RateCell]]) -> str:
        """Where an error is most frequent, as a description."""
        places = {}
        for attribute, groups in found.items():
            for cell in groups:
                group = rate_group(cell, rate)
                if too_small(cell, group, rate, self.min_group_size) is None:
                    places[f"{attribute} {label_text(cell.label)}"] = group.value
        worst = at_extreme(list(places.values()), highest=True) if len(places) > 1 else []
        if not worst or len(worst) == len(places):
            return ""
        names = list(places)
        who = names[worst[0]] if len(worst) == 1 else f"{len(worst)} groups alike"
        value = percent(places[names[worst[0]]])
        return f" {kind} is most frequent in {who} ({value}) of {len(places)} groups; some group is by chance alone."

    @staticmethod
    def example(n: int, seed: int) -> BinaryScores:
        """Scores and decisions about `n` cases of as many patients, with sex."""
        rng = np.random.default_rng(seed)
        truth = rng.random(n) < 0.4
        scores = np.clip(rng.normal(np.where(truth, 0.6, 0.4), 0.15), 0.0, 1.0)
        labels = tuple("FM"[i] for i in rng.integers(0, 2, n))
        data = BinaryScores(
            target="finding",
            cases=tuple(f"case-{i}" for i in range(n)),
            patients=tuple(f"patient-{i}" for i in range(n)),
            y_true=tuple(truth.tolist()),
            y_score=tuple(scores.tolist()),
            probabilities=True,
            groups={"sex": labels},
        )
        return data.decided(0.5, decided_by="a threshold of 0.5 chosen beforehand")
