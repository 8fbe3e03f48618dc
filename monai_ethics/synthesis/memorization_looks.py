# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.memorization_looks`: did any look at a generator in training raise an alarm?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, Observation, Source, Stage, Verdict
from monai_ethics.registry import question_of
from monai_ethics.synthesis.methods.precedence import precedence_p_values, smallest_detectable

__all__ = ["Look", "Looks", "MemorizationLooks"]

COUNTED = "A count in this training, not an estimate from a sample."
SOURCES = (
    Source(title="L. S. Nelson, Tables for a precedence life test, Technometrics 5 (1963)", locator="pages 491-499"),
    Source(
        title="D. L. DeMets and K. K. G. Lan, Interim analysis: the alpha spending function approach (1994)",
        locator="Statistics in Medicine 13, pages 1341-1352",
    ),
)
LIMITATIONS = (
    "It is an alarm, never an all-clear: few images are sampled at a look, and copies among all others go unseen.",
    "Dividing the level by the number of looks holds however the looks depend on each other, and costs power.",
    "The finding on the last images of a training is a test of its own, beside these looks.",
)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at a generator while it trains.

    Args:
        epoch: when.
        images: synthetic images looked at.
        p_value: of the membership test; ``None`` if it could not be assessed.
        closer: training patients closer to a synthetic image than every held-out patient.
        reason: why there is no p-value.
    """

    epoch: int
    images: int
    p_value: float | None = None
    closer: int | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Looks:
    """All looks of one training.

    Args:
        planned: looks that were planned before the first; the level is divided among them.
        taken: the looks, in any order.
        members: training patients.
        others: held-out patients.

    Raises:
        InputError: if no look was planned.
    """

    planned: int
    taken: Sequence[Look]
    members: int
    others: int

    def __post_init__(self) -> None:
        if self.planned < 1:
            raise InputError(f"At least one look must be planned: got {self.planned}. Give their number.")
        object.__setattr__(self, "taken", tuple(self.taken))

    def reordered(self, order: Sequence[int]) -> Looks:
        """The same looks in another order."""
        return replace(self, taken=tuple(self.taken[i] for i in order if i < len(self.taken)))

    def judged(self) -> tuple[Look, ...]:
        """Looks with a p-value by epoch, as many as were planned."""
        return tuple(sorted((look for look in self.taken if look.p_value is not None), key=_when)[: self.planned])

    def alarms(self, significance: float) -> tuple[Look, ...]:
        """Looks whose p-value is at most the level's share of each planned look."""
        share = significance / self.planned
        return tuple(look for look in self.judged() if look.p_value is not None and look.p_value <= share)


@dataclass(frozen=True, kw_only=True)
class MemorizationLooks:
    r"""Did any look at a generator in training raise an alarm of memorization?

    The membership test looks again and again at the same training and held-out patients. With ``K`` looks planned
    before the first, a look raises an alarm if its ``p`` is at most ``significance / K``; then all looks together raise
    a false alarm with chance ``significance`` at most, however they depend on each other. For all of them

    .. math:: p = \min(1, K \min_k p_k).

    Args:
        significance: chance of a false alarm over all planned looks; it judges nothing here, and a run may stop at
            an alarm.

    Notes:
        Looks beyond the plan are counted and not judged. The number of images at a look is small, so that fewer copies
        are seen than by an audit of many images.

    References:
        Practical considerations for generative AI in medical imaging ask to look for memorization (GEN-02).
    """

    id: ClassVar[str] = "synthesis.memorization_looks"
    title: ClassVar[str] = "Did a look at the generator in training raise an alarm of memorization?"
    stage: ClassVar[Stage] = Stage.TRAINING
    requirements: ClassVar[tuple[str, ...]] = ("GEN-02", "FMF-16")

    significance: float = 0.05

    def __call__(self, data: Looks) -> Finding:
        """Join the looks.

        Args:
            data: what was planned and what was seen.

        Returns:
            A finding, `measured` if at least one look could be assessed and the plan leaves power.
        """
        judged = data.judged()
        fewest = None
        if data.members and data.others:
            fewest = smallest_detectable(data.members, data.others, significance=self.significance / data.planned)
        refused = _refused(data, judged, fewest)
        if refused:
            return self._finding(
                data,
                verdict=Verdict.NOT_ASSESSABLE,
                statement="Whether a look at the generator in training raised an alarm could not be assessed.",
                reason=refused,
            )
        alarms = data.alarms(self.significance)
        smallest = min(look.p_value for look in judged if look.p_value is not None)
        p_value = min(1.0, data.planned * smallest)
        return self._finding(
            data,
            verdict=Verdict.MEASURED,
            statement=(
                f"{len(alarms)} of {len(judged)} looks raised an alarm"
                + (f", the first at epoch {alarms[0].epoch}" if alarms else "")
                + f"; {data.planned} were planned, p = {p_value:.2g} over all of them. "
                "This can raise an alarm and is never an all-clear."
            ),
            estimates=self._estimates(data, p_value=p_value, alarms=len(alarms), fewest=fewest),
            observations=[_listed(look) for look in alarms],
        )

    @staticmethod
    def example(n: int, seed: int) -> Looks:
        """`n` looks at a generator that copies more and more of `n` training patients."""
        rng = np.random.default_rng(seed)
        chances = precedence_p_values(n, n) if n else np.ones(1)
        counts = [min(n, int(rng.integers(0, 2 + epoch // 4))) for epoch in range(n)]
        taken = [
            Look(epoch=epoch + 1, images=16, p_value=float(chances[closer]), closer=closer)
            for epoch, closer in enumerate(counts)
        ]
        return Looks(planned=max(n, 1), taken=taken, members=n, others=n)

    def _estimates(self, data: Looks, *, p_value: float, alarms: int, fewest: int | None) -> tuple[Estimate, ...]:
        patients = data.members + data.others
        return (
            Estimate(
                name="p_value",
                value=p_value,
                unit="1",
                n=patients,
                n_unit="patients",
                estimand="chance of a look like the most conspicuous one if training made no difference",
                method=f"smallest of the looks' p-values times the {data.planned} planned looks (Bonferroni)",
                reason="A p-value has no interval.",
            ),
            Estimate(
                name="alarms",
                value=alarms,
                unit="looks",
                n=len(data.judged()),
                n_unit="looks",
                estimand=f"looks with p at most {self.significance / data.planned:.3g}",
                reason=COUNTED,
            ),
            Estimate(
                name="smallest_detectable",
                value=fewest,
                unit="patients",
                n=data.members,
                n_unit="patients",
                estimand="fewest copied patients that raise an alarm at one look",
                reason=COUNTED,
            ),
        )

    def _finding(self, data: Looks, **kept: Any) -> Finding:
        without = sum(look.p_value is None for look in data.taken)
        accounting = {
            "looks_judged": len(data.judged()),
            "looks_not_assessable": without,
            "looks_beyond_the_plan": len(data.taken) - without - len(data.judged()),
        }
        return Finding(
            **question_of(self),
            parameters={**asdict(self), "planned": data.planned},
            accounting=accounting,
            limitations=LIMITATIONS,
            sources=SOURCES,
            **kept,
        )


def _when(look: Look) -> tuple[int, int, float]:
    return look.epoch, look.images, -1.0 if look.p_value is None else look.p_value


def _refused(data: Looks, judged: Sequence[Look], fewest: int | None) -> str | None:
    if not judged:
        reasons = [look.reason for look in sorted(data.taken, key=_when) if look.reason]
        return reasons[-1] if reasons else "No look was taken before the training ended."
    if fewest is None:
        return (
            f"With {data.members} training and {data.others} held-out patients and {data.planned} planned looks, not "
            "even copies of all training patients would raise an alarm: plan fewer looks."
        )
    return None


def _listed(look: Look) -> Observation:
    return Observation(
        label="alarm",
        items=(f"epoch {look.epoch}",),
        value=look.closer,
        unit="patients",
        note=f"{look.images} images were looked at; p = {look.p_value:.2g}",
    )
