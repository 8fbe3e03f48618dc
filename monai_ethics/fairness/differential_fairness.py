# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.differential_fairness`: by what factor do the chances of a decision differ between groups?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import label_text, labels_of
from monai_ethics.fairness.data.per_patient import selected_by_patient
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS
from monai_ethics.fairness.gap import GapNumbers, PairNumbers, gap_curves, gap_estimates, parity_level
from monai_ethics.fairness.methods.epsilon import EpsilonByChance, epsilon_by_chance
from monai_ethics.fairness.methods.permutation import Omnibus
from monai_ethics.fairness.methods.ratios import RatioGroup, ratio_detectable, ratio_difference, ratio_omnibus
from monai_ethics.fairness.wording import is_exploratory

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
        groups: every group, small ones and missing labels included.
        judged: those with enough patients.
        omnibus: test of equal selection rates; ``None`` with fewer than 2 judged groups.
        chance: epsilon beside its distribution; ``None`` where there is no test.
    """

    groups: tuple[RatioGroup, ...]
    judged: tuple[RatioGroup, ...]
    omnibus: Omnibus | None
    chance: EpsilonByChance | None

    @property
    def p(self) -> float | None:
        """p-value of the omnibus test; ``None`` if there was none."""
        return None if self.omnibus is None else self.omnibus.p


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
        attribute = self._name(data)
        if attribute is None or not data.y_pred:
            return None
        groups = tuple(selected_by_patient(data, attribute))
        judged = tuple(group for group in groups if len(group.patients) >= max(self.min_group_size, 2))
        if len(judged) < 2:
            return DecisionGap(groups=groups, judged=judged, omnibus=None, chance=None)
        draws = self.n_permutations
        omnibus = ratio_omnibus(judged, n_permutations=draws, rng=np.random.default_rng(self.seed))
        chance = epsilon_by_chance(
            judged,
            concentration=self.concentration,
            n_permutations=draws,
            rng=np.random.default_rng(self.seed),
        )
        return DecisionGap(groups=groups, judged=judged, omnibus=omnibus, chance=chance)

    def _name(self, data: BinaryScores) -> str | None:
        if self.attribute:
            return self.attribute
        return next(iter(data.groups)) if len(data.groups) == 1 else None

    def finding(
        self,
        data: BinaryScores,
        found: DecisionGap | None,
        *,
        p_adjusted: float | None = None,
        family: int = 1,
        family_name: str = "this test alone",
    ) -> Finding:
        """Put a comparison into a finding.

        Args:
            data: the decisions compared.
            found: the comparison.
            p_adjusted: p-value adjusted over a family of tests; ``None`` = no other test.
            family: number of tests in the family.
            family_name: what the family is, printed.

        Returns:
            The finding.
        """
        attribute = self._name(data) or ""
        reason = self._reason(data, found)
        numbers = None if found is None else self._numbers(found, attribute, family)
        adjusted = p_adjusted if p_adjusted is not None else (found.p if found else None) or 0.0
        estimates: list[Estimate] = []
        if numbers is not None and found is not None and found.chance is not None:
            estimates = [
                *gap_estimates(numbers, adjusted=adjusted, family=family),
                *self._epsilon(found.chance, numbers),
            ]
        exploratory = (EXPLORATORY,) if is_exploratory(attribute) else ()
        unnamed = () if data.patients_named else (UNNAMED_PATIENTS,)
        return Finding(
            check=self.id,
            title=self.title,
            stage=self.stage,
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=self._statement(data, attribute, found, adjusted, reason),
            requirements=self.requirements,
            subjects=(f"{data.target}_differential_fairness", *((attribute,) if attribute else ())),
            estimates=estimates,
            curves=[] if numbers is None else gap_curves(numbers),
            accounting=_accounting(data, attribute, found),
            parameters={
                **asdict(self),
                **_settings(data, found),
                "family": family,
                "family_name": family_name,
                "draws": self.n_permutations if estimates else 0,
                "attribute": attribute,
            },
            reason=reason,
            limitations=(*exploratory, *LIMITATIONS, *unnamed),
            sources=SOURCES,
            seed=self.seed,
        )

    def _reason(self, data: BinaryScores, found: DecisionGap | None) -> str | None:
        if not data.y_pred:
            return "there are no decisions, and no threshold to make them from scores"
        if found is None:
            return f"the table has {len(data.groups)} attributes and none was named"
        if found.omnibus is None:
            return (
                f"{len(found.judged)} of {len(found.groups)} groups have {self.min_group_size} patients, "
                "and a comparison needs two such groups"
            )
        return None

    def _numbers(self, found: DecisionGap, attribute: str, family: int) -> GapNumbers | None:
        if found.omnibus is None:
            return None
        everyone = [patient for group in found.judged for patient in group.patients]
        n = len(set(everyone))
        alpha = (1 - self.level) / family
        kind = "permutation of patients" if n == len(everyone) else "random signs of patients"
        return GapNumbers(
            attribute=attribute,
            omnibus=found.omnibus,
            method=f"studentised {kind}, {self.n_permutations} draws, seed {self.seed}",
            n=n,
            gap_estimand="selection rate, case-weighted",
            detectable=ratio_detectable(found.judged, alpha=alpha),
            detectable_estimand=(
                f"smallest difference of selection rates between the two smallest groups found with 80 % power at "
                f"level {alpha:.3g}"
            ),
            pairs=[self._pair(first, second) for first, second in combinations(found.judged, 2)],
            level=self.level,
        )

    def _pair(self, first: RatioGroup, second: RatioGroup) -> PairNumbers:
        result, p = ratio_difference(first, second, level=self.level, counts=True)
        close, _ = ratio_difference(first, second, level=parity_level(self.level), counts=True)
        names = label_text(first.label), label_text(second.label)
        return PairNumbers(
            first=first.label,
            second=second.label,
            n=len({*first.patients, *second.patients}),
            result=result,
            p=p,
            parity=close,
            estimand=f"selection rate of {names[0]} minus selection rate of {names[1]}, case-weighted",
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
        self, data: BinaryScores, attribute: str, found: DecisionGap | None, adjusted: float, reason: str | None
    ) -> str:
        if reason or found is None or found.chance is None:
            by = attribute or "group"
            return f"{data.target}: whether decisions differ by {by} cannot be said, because {reason}."
        seen, mean = math.exp(found.chance.epsilon), math.exp(found.chance.null_mean)
        n = len({patient for group in found.judged for patient in group.patients})
        explored = "exploratory; " if is_exploratory(attribute) else ""
        tested = f"{explored}adjusted p = {adjusted:.2g}, {n} patients in {len(found.judged)} groups"
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
        """Decisions on `n` patients with sex."""
        rng = np.random.default_rng(seed)
        truth = rng.random(n) < 0.4
        scores = np.round(rng.beta(2, 3, n) * 0.6 + 0.4 * truth * rng.random(n), 3)
        return BinaryScores(
            target="finding",
            cases=tuple(f"case-{i}" for i in range(n)),
            patients=tuple(f"patient-{i}" for i in range(n)),
            y_true=tuple(truth.tolist()),
            y_score=tuple(scores.tolist()),
            probabilities=True,
            groups={"sex": tuple("FM"[i] for i in rng.integers(0, 2, n))},
        ).decided(0.4, decided_by="a threshold of 0.4, fixed beforehand")


def _settings(data: BinaryScores, found: DecisionGap | None) -> Mapping[str, Any]:
    decided = {"threshold": data.threshold, "decided_by": data.decided_by}
    if found is None:
        return decided
    judged = {group.label for group in found.judged}
    everyone = [patient for group in found.judged for patient in group.patients]
    repeats = sum(count > 1 for count in Counter(everyone).values())
    return {
        **decided,
        "groups": {label_text(group.label): len(group.patients) for group in found.groups},
        "small_groups": [label_text(group.label) for group in found.groups if group.label not in judged],
        "patients_in_several_groups": repeats,
    }


def _accounting(data: BinaryScores, attribute: str, found: DecisionGap | None) -> dict[str, int]:
    """Cases by what became of them; adds up to all cases."""
    names = ("compared", "in_groups_too_small", "without_a_group_to_compare_with", "not_compared")
    if found is None:
        return {name: len(data) if name == "not_compared" else 0 for name in names}
    judged = {group.label for group in found.judged}
    large = names[0] if found.omnibus else names[2]
    counts = Counter(large if label in judged else names[1] for label in labels_of(data, attribute))
    return {name: counts[name] for name in names}
