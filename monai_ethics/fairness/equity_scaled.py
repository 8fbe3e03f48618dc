# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.equity_scaled`: published one-number summaries of groups, with their definition, beside chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.groups import Group, attribute_of, label_text, repeated, split
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS, ScoreTable
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.fairness.methods.comparison import judgeable
from monai_ethics.fairness.score_gap import case_accounting
from monai_ethics.registry import question_of
from monai_ethics.statistics.intervals import Floats
from monai_ethics.statistics.permutation import share_at_least
from monai_ethics.statistics.scaled import DEFINITIONS, Scaled, scaled_scores

__all__ = ["EquityScaled"]

SOURCES = (
    Source(title="FairVision", locator="equity-scaled AUC: the sum", url="https://arxiv.org/abs/2310.02492"),
    Source(title="FairSeg", locator="standard deviation, ddof=1 in code", url="https://arxiv.org/abs/2311.02189"),
    Source(title="FairMedFM", locator="standard deviation, ddof=0 in code", url="https://arxiv.org/abs/2407.00983"),
    Source(title="DerSimonian & Laird 1986 (Control. Clin. Trials 7)", locator="variance between groups"),
)
LIMITATIONS = (
    "Three different numbers are published under this name: compare it with others of the same definition only.",
    "It is below the overall score by chance alone, the more so with more and smaller groups: read its null mean.",
    "A description: its draws do not allow for groups of unequal spread. Whether groups differ is answered by "
    "fairness.score_gap.",
)
_WORDS = {
    "sum": "the sum of the groups' absolute distances from it",
    "std_ddof0": "the standard deviation of the group means (ddof=0)",
    "std_ddof1": "the standard deviation of the group means (ddof=1)",
}
_BY_DRAWS = "no interval: read it beside its distribution when labels are exchanged"
_CROSSED = "patients are in several groups: their labels cannot be exchanged"


@dataclass(frozen=True, kw_only=True)
class EquityScaled:
    """The equity-scaled score of one metric over the groups of one attribute, and two more summaries of all groups.

    The mean over patients of the judged groups, divided by one plus a distance of the groups; three definitions of that
    distance are published under one name, so that the one used is printed. Beside it the skewed error ratio, the
    standard deviation between groups beyond chance, and for each the distribution when labels are exchanged between
    patients. It gives no test and is not in the family of tests.

    Args:
        attribute: name of the grouping; empty if the table has only one.
        definition: ``"sum"`` of absolute distances, or ``"std_ddof0"`` or ``"std_ddof1"`` of group means.
        weight: what the distance is multiplied with.
        min_group_size: smallest group that is judged (patients with a score); smaller ones are listed.
        n_permutations: random draws.
        seed: seed of the draws.

    Notes:
        For scores of 0 to 1 of which more is better. One number for all groups cannot say who is served worst.

    References:
        arXiv 2310.02492 (sum), arXiv 2311.02189 (ddof=1), arXiv 2407.00983 (ddof=0).
    """

    id: ClassVar[str] = "fairness.equity_scaled"
    title: ClassVar[str] = "What is the equity-scaled score, and what would it be by chance alone?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03",)

    attribute: str = ""
    definition: str = "sum"
    weight: float = 1.0
    min_group_size: int = 10
    n_permutations: int = 2_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.definition not in DEFINITIONS:
            raise InputError(f"A definition must be one of {', '.join(DEFINITIONS)}: got another. Choose one of them.")
        if not 0 < self.weight < float("inf"):
            raise InputError("The weight must be finite and above 0: got another. Use 1, as published.")

    def __call__(self, data: ScoreTable, /) -> Finding:
        """Summarize one metric over the groups of one attribute.

        Args:
            data: per-case scores with their groups.

        Returns:
            Verdict `measured`; `not_assessable` with fewer than 2 groups of `min_group_size` patients, or for scores
            that are not of 0 to 1 with more better.
        """
        attribute = attribute_of(self.attribute, data)
        groups = split(data, attribute) if attribute else []
        judged = judgeable(groups, self.min_group_size)
        reason = self._why_not(data, attribute, groups, judged)
        found = None if reason else self._scaled(judged)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=self._statement(data, attribute, judged, found, reason),
            subjects=(data.metric, attribute) if attribute else (data.metric,),
            estimates=self._estimates(data, judged, found),
            accounting=case_accounting(data, attribute, judged if attribute else None),
            parameters={
                **asdict(self),
                "attribute": attribute,
                "groups": {label_text(group.label): len(group.patients) for group in groups},
                "small_groups": [label_text(group.label) for group in groups if group not in judged],
                "patients_in_several_groups": repeated(list(judged)),
            },
            reason=reason,
            limitations=LIMITATIONS if data.patients_named else (*LIMITATIONS, UNNAMED_PATIENTS),
            sources=SOURCES,
            seed=self.seed,
        )

    def _why_not(
        self, data: ScoreTable, attribute: str, groups: Sequence[Group], judged: Sequence[Group]
    ) -> str | None:
        if not attribute:
            return f"the table has {len(data.groups)} attributes and none was named"
        if data.higher_is_better is not True or data.score_bounds != (0.0, 1.0):
            return "it is defined for scores known to lie between 0 and 1 of which more is better"
        if len(judged) < 2:
            return (
                f"{len(judged)} of {len(groups)} groups have {self.min_group_size} patients with a score, and a "
                "comparison needs two such groups"
            )
        return None

    def _scaled(self, judged: Sequence[Group]) -> Scaled:
        draws = 0 if repeated(list(judged)) else self.n_permutations
        return scaled_scores(
            [group.values for group in judged],
            definition=self.definition,
            weight=self.weight,
            n_permutations=draws,
            rng=np.random.default_rng(self.seed),
        )

    def _statement(
        self, data: ScoreTable, attribute: str, judged: Sequence[Group], found: Scaled | None, reason: str | None
    ) -> str:
        if found is None:
            return f"The equity-scaled {data.metric} by {attribute or 'group'} cannot be given, because {reason}."
        overall = np.concatenate([group.values for group in judged]).mean()
        text = (
            f"{data.metric} by {attribute}: {overall:.3g} over {len(judged)} groups, equity-scaled "
            f"({self.definition}) {found.equity[0]:.3g}"
        )
        if len(found.equity) == 1:
            return f"{text}; what chance alone would make of it cannot be said, because {_CROSSED}."
        return f"{text}, where {found.equity[1:].mean():.3g} is expected when no group differs from another."

    def _estimates(self, data: ScoreTable, judged: Sequence[Group], found: Scaled | None) -> list[Estimate]:
        if found is None:
            return []
        n = len({patient for group in judged for patient in group.patients})
        over = f"the mean over patients of {len(judged)} groups"
        kinds = (
            (
                "equity_scaled",
                found.equity,
                0.05,
                f"{over}, divided by 1 + {self.weight:g} x {_WORDS[self.definition]}; {data.estimand}",
            ),
            ("skewed_error_ratio", found.ratio, 0.95, f"(1 - smallest group mean) / (1 - largest); {data.estimand}"),
            (
                "between_group_sd",
                found.spread,
                0.95,
                f"standard deviation of true group means, DerSimonian-Laird, never below 0; {data.estimand}",
            ),
        )
        estimates = []
        for name, values, tail, estimand in kinds:
            estimates += _beside_null(name, values, tail, estimand, n)
        share = None if len(found.equity) == 1 else share_at_least(-found.equity[1:], -float(found.equity[0]))
        return [
            *estimates,
            Estimate(
                name="share_of_draws_as_low",
                value=share,
                unit="1",
                n=n,
                n_unit="patients",
                estimand="share of exchanges of labels with an equity-scaled score as low",
                method="permutation of patients",
                reason=_CROSSED if share is None else "a description, no test: unequal spreads alone can make it small",
            ),
        ]

    @staticmethod
    def example(n: int, seed: int) -> ScoreTable:
        """Overlap scores of `n` patients with sex."""
        return GroupScores.example(n, seed)


def _beside_null(name: str, values: Floats, tail: float, estimand: str, n: int) -> list[Estimate]:
    """An observed summary, then the mean and one tail of its distribution when labels are exchanged."""
    null = values[1:]
    sure = bool(len(null)) and bool(np.isfinite(null).all())
    which = f"null_{round(100 * tail)}th"
    ordered = np.sort(null)
    edge = ordered[round(tail * (len(null) - 1))] if sure else None
    rows: list[tuple[str, Any, str]] = [
        (name, values[0] if np.isfinite(values[0]) else None, estimand),
        (f"{name}_null_mean", null.mean() if sure else None, "its mean when labels are exchanged"),
        (f"{name}_{which}", edge, "that percentile of it then"),
    ]
    missing = _CROSSED if not len(null) else "a group with a mean of 1 leaves it without a finite value"
    return [
        Estimate(
            name=label,
            value=None if value is None else float(value),
            unit="1",
            n=n,
            n_unit="patients",
            estimand=text,
            method="group means" if label == name else f"permutation of patients, {len(null)} draws",
            reason=missing if value is None else _BY_DRAWS,
        )
        for label, value, text in rows
    ]
