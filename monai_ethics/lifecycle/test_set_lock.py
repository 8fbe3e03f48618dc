# SPDX-License-Identifier: Apache-2.0
"""Check `lifecycle.test_set_lock`: was it always the same evaluation data, and how often was it used?"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, Observation, Source, Stage, Verdict
from monai_ethics.registry import question_of

__all__ = ["EvaluationSetLock", "SetUse", "SetUses"]

PURPOSES = ("evaluation", "training", "selection")
COUNTED = "A count of what is recorded, not an estimate from a sample."
NOTHING_TO_COMPARE = (
    "No lock was declared, and one evaluation is recorded: there is nothing to hold its data against. "
    "Declare the root of the set as `record#evaluation_set`."
)
REUSE = (
    "Whoever looks at a result and then changes something because of it has used the data for choosing: the next "
    "result on the same data may then be too favorable, and its intervals and tests no longer hold as stated. By how "
    "much this count does not tell; runs between which nothing was chosen by their results do no such harm."
)
SOURCES = (
    Source(
        title="Dwork et al.: The reusable holdout: preserving validity in adaptive data analysis",
        locator="Science 349 (2015), 636-638",
        url="https://doi.org/10.1126/science.aaa9375",
    ),
    Source(
        title="Ethics by Design",
        locator="Table 2: model evaluation, valid and secure data",
        url="https://arxiv.org/abs/2507.04249",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUse:
    """One run that used a set of images.

    Args:
        run: id of the run.
        purpose: ``"evaluation"``, ``"training"``, or ``"selection"`` for the validation set of a training.
        root: root of the set, hex; ``None`` if the run recorded none.
        n: images in it.
        order: place of the run among all.
    """

    run: str
    purpose: str
    root: str | None
    n: int
    order: int

    def __post_init__(self) -> None:
        if self.purpose not in PURPOSES or self.n < 0:
            raise InputError(
                f"`purpose` must be one of {', '.join(PURPOSES)} and `n` a count: got another. Correct it."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUses:
    """Every use of a set that is known.

    Args:
        uses: one for each run and set.
        locked: roots that were declared as the evaluation data; empty if none was.
        unseen: other logs that a site log witnessed, whose sets are not among `uses`.

    Raises:
        InputError: if two uses have the same place.
    """

    uses: tuple[SetUse, ...]
    locked: tuple[str, ...] = ()
    unseen: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "uses", tuple(self.uses))
        object.__setattr__(self, "locked", tuple(self.locked))
        if len({use.order for use in self.uses}) != len(self.uses):
            raise InputError("Each use of a set must have a place of its own: got one twice. Number them.")

    def reordered(self, order: Sequence[int]) -> SetUses:
        """The same uses in another order; each keeps its place."""
        return replace(self, uses=tuple(self.uses[index] for index in order))


@dataclass(frozen=True, kw_only=True)
class EvaluationSetLock:
    """Whether evaluations used the data that were locked, and how often these were used.

    Args:
        listed: most sets that the finding lists.

    Notes:
        A set is known by the root of its images' digests: another image, or a changed one, gives another root. The
        lock is what was declared; where nothing was, the set of the first evaluation on record. There is no limit in
        the code: a policy may ask for ``roots_other_than_locked`` at most 0.

    References:
        Ethics by Design (arXiv 2507.04249), Table 2, model evaluation (requirement LIF-E3).
        C. Dwork et al., Science 349 (2015): a holdout that is used again after what it showed is overfitted.
    """

    listed: int = 100

    id: ClassVar[str] = "lifecycle.test_set_lock"
    title: ClassVar[str] = "Was it always the same evaluation data, and how often was it used?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("LIF-E3",)

    def __call__(self, data: SetUses) -> Finding:
        """Count the evaluations on the locked set, on others, and on sets that a training used too.

        Args:
            data: every use that is known.

        Returns:
            A finding, `measured` if a lock was declared or two evaluations can be compared.
        """
        uses = sorted(data.uses, key=lambda use: use.order)
        tested = [use for use in uses if use.purpose == "evaluation"]
        known = [use for use in tested if use.root is not None]
        locked: set[str | None] = {*(data.locked or [use.root for use in known[:1]])}
        reason = _reason(tested, known, declared=bool(data.locked))
        counts = Counter(use.root for use in known)
        learned = {use.root for use in uses if use.purpose != "evaluation"} & set(counts)
        other = sum(use.root not in locked for use in known)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=_statement(counts, other, len(learned), declared=bool(data.locked)),
            estimates=_estimates(counts, other, len(learned), reason=reason, n=len(tested)),
            observations=self._listed(counts, locked, learned),
            accounting={
                "evaluations_on_the_locked_set": len(known) - other,
                "evaluations_on_another_set": other,
                "evaluations_without_a_set": len(tested) - len(known),
                "trainings_and_selections": len(uses) - len(tested),
            },
            parameters={**asdict(self), "lock": "declared" if data.locked else "first use"},
            reason=reason,
            limitations=_limitations(data.unseen),
            sources=SOURCES,
        )

    def _listed(self, counts: Mapping[str | None, int], locked: set[str | None], learned: set[str | None]) -> list[Any]:
        rows = sorted(counts.items(), key=lambda item: (item[0] in locked, -item[1], str(item[0])))
        return [
            Observation(
                label="locked evaluation data" if root in locked else "other evaluation data",
                items=(str(root),),
                value=count,
                unit="runs",
                note="a training used the same set, to learn or to choose" if root in learned else "",
            )
            for root, count in rows[: self.listed]
        ]

    @staticmethod
    def example(n: int, seed: int) -> SetUses:
        """`n` evaluations, each fifth one on other data; no lock was declared."""
        roots = [hashlib.sha256(f"{seed}/{i % 5 == 4}".encode()).hexdigest() for i in range(n)]
        uses = (SetUse(run=f"run-{i}", purpose="evaluation", root=root, n=20, order=i) for i, root in enumerate(roots))
        return SetUses(uses=tuple(uses))


def _reason(tested: Sequence[SetUse], known: Sequence[SetUse], *, declared: bool) -> str | None:
    if not tested:
        return "No evaluation is recorded, so there are no evaluation data to compare."
    if not known:
        return "No evaluation recorded which images it used: its datasets showed no files."
    return None if declared or len(known) > 1 else NOTHING_TO_COMPARE


def _statement(counts: Mapping[str | None, int], other: int, learned: int, *, declared: bool) -> str:
    if not counts:
        return "Which data were evaluated on is not recorded."
    most, total = max(counts.values()), sum(counts.values())
    times = "once" if most == 1 else f"in {most} runs"
    lock = "the set that was declared" if declared else "the set of the first evaluation"
    said = f"The evaluation data were used {times}; {other} of {total} evaluations used another set than {lock}."
    if learned:
        sets = "set was" if learned == 1 else "sets were"
        said += f" {learned} evaluation {sets} also used to learn or to choose."
    return said


def _estimates(
    counts: Mapping[str | None, int], other: int, learned: int, *, reason: str | None, n: int
) -> tuple[Estimate, ...]:
    numbers: dict[str, tuple[float | None, str, str]] = {
        "uses_of_evaluation_set": (
            max(counts.values(), default=0) or None,
            "runs",
            "most evaluations on one set, this one included",
        ),
        "evaluation_sets": (len(counts) or None, "sets", "different sets that evaluations used"),
        "roots_other_than_locked": (None if reason else other, "runs", "evaluations on another set than the lock"),
        "sets_also_used_to_learn": (
            learned if counts else None,
            "sets",
            "evaluation sets that a training used to learn or to choose",
        ),
    }
    return tuple(
        Estimate(
            name=name,
            value=value,
            unit=unit,
            n=n,
            n_unit="evaluations",
            estimand=estimand,
            reason=COUNTED if value is not None else reason or COUNTED,
        )
        for name, (value, unit, estimand) in numbers.items()
    )


def _limitations(unseen: int) -> tuple[str, ...]:
    hidden = (
        f"The site log witnessed {unseen} other {'log' if unseen == 1 else 'logs'}; whether the same data were used "
        "there is not in this evidence.",
    )
    return (
        "Only uses that this package recorded are counted. Data that somebody looked at elsewhere, or before, were "
        "used as well.",
        REUSE,
        *(hidden if unseen else ()),
    )
