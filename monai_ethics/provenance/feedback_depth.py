# SPDX-License-Identifier: Apache-2.0
"""Check `provenance.feedback_depth`: how many synthetic images were made by models that learned from synthetic ones."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, Observation, Source, Stage, Verdict
from monai_ethics.provenance.records.counts import IN_LOGS, counted
from monai_ethics.registry import question_of

__all__ = ["FeedbackDepth", "SyntheticDepths"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticDepths:
    """Records of synthesis with what the logs say of their ancestors.

    Args:
        items: ids of the records, shape ``(N,)``.
        depths: most records of synthesis on a way that ends there, itself included; ``None`` if they form a circle.
        unseen: whether something in its ancestry cannot be seen, so that the depth is a lower bound.
        undeclared: whether a set in its ancestry holds synthetic images and does not say so.
    """

    items: Sequence[str]
    depths: Sequence[int | None]
    unseen: Sequence[bool]
    undeclared: Sequence[bool]

    def __post_init__(self) -> None:
        lengths = {len(self.items), len(self.depths), len(self.unseen), len(self.undeclared)}
        if len(lengths) != 1:
            raise InputError("Each item must have one depth and two flags: got other numbers. Match them.")

    def reordered(self, order: Sequence[int]) -> SyntheticDepths:
        """The same records in another order."""
        return SyntheticDepths(
            items=[self.items[place] for place in order],
            depths=[self.depths[place] for place in order],
            unseen=[self.unseen[place] for place in order],
            undeclared=[self.undeclared[place] for place in order],
        )


@dataclass(frozen=True, kw_only=True)
class FeedbackDepth:
    """How many synthetic images come from models that were themselves trained on synthetic images.

    Args:
        listed: most records of greater depth that the finding lists.

    Notes:
        Depth 1: made by a model trained on acquired images only. Depth 2: trained on images of depth 1, and so on. A
        record with a gap in its ancestry has at least the depth that is counted. There is no limit in the code: a
        policy may set one on any of the numbers.

    References:
        Practical and Ethical Considerations for Generative AI in Medical Imaging, requirement GEN-11 (bias from the
        feedback loop).
    """

    listed: int = 100

    id: ClassVar[str] = "provenance.feedback_depth"
    title: ClassVar[str] = "Were synthetic images made from synthetic images?"
    stage: ClassVar[Stage] = Stage.TRAINING
    requirements: ClassVar[tuple[str, ...]] = ("GEN-11",)

    def __call__(self, data: SyntheticDepths, /) -> Finding:
        """Count the records by depth."""
        rows = sorted(
            zip(data.items, data.depths, data.unseen, data.undeclared, strict=True),
            key=lambda row: (-(row[1] or 0), str(row[0])),
        )
        counts = Counter("in a circle" if depth is None else f"depth {depth}" for _, depth, _, _ in rows)
        accounting = dict(sorted(counts.items()))
        if len(rows) < 2:
            reason = f"The logs hold {len(rows)} records of synthesis; two are needed to compare generations."
            return self._finding(Verdict.NOT_ASSESSABLE, reason, reason=reason, accounting=accounting)
        deep = [row for row in rows if row[1] is None or row[1] > 1]
        numbers = {
            "beyond_first_generation": len(deep),
            "beyond_first_generation_undeclared": sum(undeclared for *_, undeclared in deep),
            "depth_is_lower_bound": sum(unseen for _, _, unseen, _ in rows),
        }
        deepest = max((depth for _, depth, _, _ in rows if depth is not None), default=0)
        return self._finding(
            Verdict.MEASURED,
            _statement(numbers, deepest, n=len(rows)),
            estimates=_estimates(numbers, deepest, n=len(rows)),
            observations=[_listed(row) for row in sorted(deep, key=lambda row: not row[3])[: self.listed]],
            accounting=accounting,
        )

    def _finding(self, verdict: Verdict, statement: str, **content: Any) -> Finding:
        return Finding(
            **question_of(self),
            verdict=verdict,
            statement=statement,
            parameters={"listed": self.listed},
            limitations=(
                "Synthetic images that nobody registered count as acquired ones.",
                "Depth says nothing of how good or how bad the images are.",
            ),
            sources=(
                Source(
                    title="Practical and Ethical Considerations for Generative AI in Medical Imaging",
                    locator="bias of user interaction and feedback loops",
                ),
            ),
            **content,
        )

    @staticmethod
    def example(n: int, seed: int) -> SyntheticDepths:
        """`n` records of which each third one is of the first, second and third generation."""
        names = ["sha256:" + hashlib.sha256(f"{seed}/{index}".encode()).hexdigest() for index in range(n)]
        return SyntheticDepths(
            items=names,
            depths=[index % 3 + 1 for index in range(n)],
            unseen=[index % 5 == 0 for index in range(n)],
            undeclared=[index % 3 == 2 for index in range(n)],
        )


def _statement(numbers: Mapping[str, int], deepest: int, *, n: int) -> str:
    deep, quiet, lower = numbers.values()
    gaps = f" For {lower} the ancestry has gaps: their depth is a lower bound." if lower else ""
    return (
        f"{deep} of {n} synthetic images were made by models that had learned from synthetic images; "
        f"for {quiet} of them a set does not say that it holds synthetic ones. "
        f"The deepest chain has {deepest} {'synthesis' if deepest == 1 else 'syntheses'}.{gaps}"
    )


def _estimates(numbers: Mapping[str, int], deepest: int, *, n: int) -> list[Estimate]:
    what = "most syntheses on a recorded way to a synthetic image"
    return [
        *(
            counted(name, value, n, estimand="number of recorded synthetic images", why=IN_LOGS)
            for name, value in numbers.items()
        ),
        counted("deepest_chain", deepest, n, unit="syntheses", n_unit="images", estimand=what, why=IN_LOGS),
    ]


def _listed(row: tuple[str, int | None, bool, bool]) -> Observation:
    item, depth, _, undeclared = row
    return Observation(
        label="in a circle" if depth is None else f"depth {depth}",
        items=(item,),
        value=None,
        unit="1",
        note="a set in its ancestry does not say so" if undeclared else "declared",
    )
