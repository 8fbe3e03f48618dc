# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.group_correctness`: is what was asked of the generator in its images, for every group alike?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from monai_ethics.errors import NotAssessableError
from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.registry import question_of
from monai_ethics.statistics.differences import newcombe
from monai_ethics.statistics.intervals import Result, clustered_rate, effective_cases
from monai_ethics.synthesis.data.requests import Requests
from monai_ethics.synthesis.methods.labels import why_no_grouping
from monai_ethics.synthesis.methods.shares_by_group import StratifiedTest, stratified_test, unit_table

__all__ = ["GroupCorrectness"]

UNRECORDED = "not recorded"
SOURCES = (
    Source(
        title="D. Jha et al., Practical and ethical considerations for generative AI in medical imaging",
        locator="section 4: equal opportunity of generation",
    ),
    Source(title="A. Agresti, Categorical Data Analysis (2013)", locator="section 8.4, by permutation"),
)
LIMITATIONS = (
    "It is the judge's view: where the judge errs more in one group, so does this share. Its share on real images "
    "stands beside it for that.",
    "A condition that the judge finds is not shown to look as in patients; no physician looked.",
)


@dataclass(frozen=True, kw_only=True)
class GroupCorrectness:
    """Is what was requested found in the synthetic images of every group alike?

    Correctness of a group is the share of its images in which an independent judge sees what was requested. Groups are
    compared by exchanging labels among images of which the same was requested; the judge's share on held-out real
    images of the same group stands beside it, as the part of the gap that is the judge's.

    Args:
        attribute: the attribute whose groups are compared.
        min_group_size: images (and patients, of real images) below which a group is listed without a value; of units
            that were generated together, half.
        permutations: exchanges of labels.
        family: tests among which this one is corrected (Bonferroni).
        level: nominal coverage of intervals.
        seed: of the exchanges.

    Notes:
        Not assessable without two groups of `min_group_size` images, or if a unit lies in several groups. Labels move
        among units of as many images of which the same was requested: a group that shares neither with another is
        listed and not compared.

    References:
        GEN-12 (equal opportunity of generation) and GEN-13 of the paper of Jha et al.; the formulas are ours.
    """

    id: ClassVar[str] = "synthesis.group_correctness"
    title: ClassVar[str] = "Is what was requested in the synthetic images, for every group alike?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("GEN-12", "MIS-14")

    attribute: str = "group"
    min_group_size: int = 50
    permutations: int = 1999
    family: int = 1
    level: float = 0.95
    seed: int = 0

    def __call__(self, data: Requests) -> Finding:
        """Measure correctness of every group and compare them.

        Args:
            data: what was requested of each image and what the judge sees in it.

        Returns:
            A finding, `measured` if two groups could be compared; the same whatever the order of the images.
        """
        try:
            labels, large = self._groups(data)
            test = self._test(data, labels, large)
        except NotAssessableError as error:
            return self._finding(
                data,
                verdict=Verdict.NOT_ASSESSABLE,
                statement=f"Whether {data.condition} is generated as requested for every group could not be assessed.",
                reason=str(error),
            )
        shares = {label: self._share(data, labels, label) for label in large}
        values = {label: float(result.value or 0.0) for label, result in shares.items()}
        compared = [label for label, known in zip(large, test.compared, strict=True) if known]
        worst, best = (pick(compared, key=lambda label: values[label]) for pick in (min, max))
        adjusted = min(1.0, test.p_value * self.family)
        shown = "differ" if adjusted <= 1 - self.level else "were not shown to differ, which is not equality"
        return self._finding(
            data,
            verdict=Verdict.MEASURED,
            statement=(
                f"The {data.condition} that was requested is seen in {values[worst]:.0%} of the synthetic images with "
                f"{self.attribute} {worst} and in {values[best]:.0%} of those with {best}; groups {shown} "
                f"(adjusted p = {adjusted:.2g})."
            ),
            estimates=self._estimates(data, labels, large, test),
            reason=_alone(large, compared),
            seed=self.seed,
        )

    @staticmethod
    def example(n: int, seed: int) -> Requests:
        """`n` images of two groups; in one of them, fewer show what was requested."""
        rng = np.random.default_rng(seed)
        group = [("A", "B")[i % 2] for i in range(n)]
        return Requests(
            condition="lesion",
            judge="example judge",
            requested=[("yes", "no")[i // 2 % 2] for i in range(n)],
            seen=[
                ("yes", "no")[(i // 2 + (rng.random() > (0.9 if label == "A" else 0.6))) % 2]
                for i, label in enumerate(group)
            ],
            groups={"group": group},
        )

    def _groups(self, data: Requests) -> tuple[list[str], list[str]]:
        column = data.groups.get(self.attribute)
        if column is None:
            raise NotAssessableError(f"No {self.attribute} was requested of the images.")
        if reason := why_no_grouping(self.attribute, column, data.units):
            raise NotAssessableError(reason)
        labels = [UNRECORDED if label is None else label for label in column]
        large = [label for label in sorted(set(labels)) if self._lacks(data, labels, label) is None]
        if len(large) < 2:
            raise NotAssessableError(
                f"Two groups of {self.min_group_size} images with an answer of the judge, in half as many units, are "
                f"needed: got {len(large)}."
            )
        return labels, large

    def _lacks(self, data: Requests, labels: Sequence[str], label: str) -> str | None:
        """Why a group is too small to be compared; ``None`` if it is not."""
        units = len({data.units[i] for i in self._rows(data, labels, [label])})
        if self._images(data, labels, label) < self.min_group_size:
            return f"fewer than {self.min_group_size} images with an answer"
        if units < self.min_group_size // 2:
            return f"{units} units of images generated together, fewer than {self.min_group_size // 2}"
        return None

    def _images(self, data: Requests, labels: Sequence[str], label: str) -> int:
        return sum(own == label and seen is not None for own, seen in zip(labels, data.seen, strict=True))

    def _rows(self, data: Requests, labels: Sequence[str], wanted: Sequence[str]) -> list[int]:
        return [i for i, label in enumerate(labels) if label in wanted and data.seen[i] is not None]

    def _test(self, data: Requests, labels: Sequence[str], large: Sequence[str]) -> StratifiedTest:
        rows = self._rows(data, labels, large)
        table = unit_table(
            [data.seen[i] == data.requested[i] for i in rows],
            [data.units[i] for i in rows],
            [large.index(labels[i]) for i in rows],
            [data.requested[i] for i in rows],
        )
        if table is None:
            raise NotAssessableError(
                "Images of one unit belong to several groups or requests: nothing can be exchanged."
            )
        test = stratified_test(table, permutations=self.permutations, seed=self.seed)
        if test.log_labelings < -math.log(1 - self.level):
            raise NotAssessableError(
                "Groups share too few units of as many images of which the same was requested: no exchange of labels "
                f"could have a p-value of {1 - self.level:.2g} or less."
            )
        return test

    def _share(self, data: Requests, labels: Sequence[str], label: str) -> Result:
        rows = self._rows(data, labels, [label])
        right = [data.seen[i] == data.requested[i] for i in rows]
        return clustered_rate(right, [data.units[i] for i in rows], level=self.level)

    def _estimates(
        self, data: Requests, labels: Sequence[str], large: Sequence[str], test: StratifiedTest
    ) -> tuple[Estimate, ...]:
        shares = [self._share(data, labels, label).value or 0.0 for label in large]
        rows = self._of_test(test, shares, n=len(self._rows(data, labels, large)))
        for label in sorted(set(labels)):
            rows += self._of_group(data, labels, label, lacks=self._lacks(data, labels, label))
        rows += [self._pair(data, labels, pair) for pair in combinations(large, 2)]
        return tuple(rows)

    def _of_test(self, test: StratifiedTest, shares: Sequence[float], *, n: int) -> list[Estimate]:
        kept: dict[str, Any] = {"unit": "1", "n": n, "n_unit": "images"}
        return [
            Estimate(
                name="p_value",
                value=test.p_value,
                estimand="chance of shares as unequal if labels made no difference, given what was requested",
                method=f"Cochran-Mantel-Haenszel statistic, {self.permutations} exchanges of labels within requests",
                reason="a p-value has no interval",
                **kept,
            ),
            Estimate(
                name="p_adjusted",
                value=min(1.0, test.p_value * self.family),
                estimand=f"the p-value corrected over {self.family} tests (Bonferroni)",
                reason="a p-value has no interval",
                **kept,
            ),
            Estimate(
                name="max_min_gap",
                value=max(shares) - min(shares),
                estimand="largest less smallest share of a group",
                reason="no interval: read it beside its distribution when labels are exchanged",
                **kept,
            ),
            Estimate(
                name="gap_null_mean",
                value=float(test.null_gaps.mean()),
                estimand="mean of the gap when labels are exchanged",
                reason="a simulated mean",
                **kept,
            ),
            Estimate(
                name="gap_null_95th",
                value=float(np.quantile(test.null_gaps, 0.95)),
                estimand="95th percentile of the gap when labels are exchanged",
                reason="a simulated percentile",
                **kept,
            ),
        ]

    def _of_group(self, data: Requests, labels: Sequence[str], label: str, *, lacks: str | None) -> list[Estimate]:
        known = [UNRECORDED if item is None else item for item in data.real_groups.get(self.attribute, ())]
        real = [i for i, own in enumerate(known) if own == label and data.real_seen[i] is not None]
        seen = [data.real_seen[i] == data.real_requested[i] for i in real]
        patients = [data.real_units[i] for i in real]
        share, on_real = self._share(data, labels, label), clustered_rate(seen, patients, level=self.level)
        if len(set(patients)) < self.min_group_size:
            reason = f"{len(set(patients))} patients, fewer than {self.min_group_size}"
            on_real = Result(value=None, reason=reason if known else "no real images were given")
        if lacks is not None:
            share = Result(value=None, reason=lacks)
        count = self._images(data, labels, label)
        return [
            self._rate("correctness", share, n=count, n_unit="images", label=label),
            self._rate("correctness_on_real_images", on_real, n=len(real), n_unit="images", label=label),
        ]

    def _rate(self, name: str, result: Result, *, n: int, n_unit: str, label: str) -> Estimate:
        return Estimate(
            name=name,
            unit="1",
            n=n,
            n_valid=n if result.value is not None else 0,
            n_unit=n_unit,
            estimand="share of images in which the judge sees what was requested or recorded",
            group={self.attribute: None if label == UNRECORDED else label},
            **result.stated(self.level),
        )

    def _pair(self, data: Requests, labels: Sequence[str], pair: tuple[str, str]) -> Estimate:
        counts = [self._effective(data, labels, label) for label in pair]
        (hits_a, n_a), (hits_b, n_b) = counts
        low, high = newcombe((hits_a, hits_b), (n_a, n_b), level=self.level)
        value = hits_a / n_a - hits_b / n_b
        return Estimate(
            name="difference",
            value=value,
            low=min(low, value),
            high=max(high, value),
            level=self.level,
            method="Newcombe interval at the effective number of independent images",
            unit="1",
            n=sum(self._images(data, labels, label) for label in pair),
            n_unit="images",
            estimand="share of the first group less that of the second, not corrected for requests",
            group={self.attribute: f"{pair[0]} - {pair[1]}"},
        )

    def _effective(self, data: Requests, labels: Sequence[str], label: str) -> tuple[float, float]:
        rows = self._rows(data, labels, [label])
        table = unit_table(
            [data.seen[i] == data.requested[i] for i in rows],
            [data.units[i] for i in rows],
            [0] * len(rows),
            ["all"] * len(rows),
        )
        hits, images = (np.zeros(0), np.zeros(0)) if table is None else (table.hits, table.images)
        n = effective_cases(hits, images) or 1.0
        return float(hits.sum() / images.sum()) * n, n

    def _finding(self, data: Requests, **kept: Any) -> Finding:
        answered = sum(seen is not None for seen in data.seen)
        return Finding(
            **question_of(self),
            subjects=(data.condition, self.attribute),
            parameters={**asdict(self), "judge": data.judge},
            accounting={
                "images_with_an_answer": answered,
                "images_without_an_answer": len(data.seen) - answered,
                "real_images": len(data.real_seen),
            },
            limitations=LIMITATIONS,
            sources=SOURCES,
            **kept,
        )


def _alone(large: Sequence[str], compared: Sequence[str]) -> str | None:
    """Which groups took no part in the test."""
    alone = [label for label in large if label not in compared]
    why = "no other group has units of as many images of which the same was requested"
    return f"Not compared: {', '.join(alone)}; {why}." if alone else None
