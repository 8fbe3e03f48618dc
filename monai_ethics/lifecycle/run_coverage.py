# SPDX-License-Identifier: Apache-2.0
"""Check `lifecycle.run_coverage`: did everything that ran leave evidence?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.registry import question_of

__all__ = ["EngineEntry", "EngineLedger", "RunCoverage"]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")
SOURCE = Source(
    title="Ethics by Design",
    locator="Table 2: model training, accountability",
    url="https://arxiv.org/abs/2507.04249",
)
NOT_A_SAMPLE = "A count of this run, not an estimate from a sample."


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEntry:
    """What is known of one engine.

    Args:
        engine_id: its id in the config, such as ``"validate#evaluator"``; of a program without a config, a name.
        expected: whether the config predicted it.
        ran: whether it started.
        carried: whether this package's handlers were attached when it started.
        cases: cases it processed, on all ranks and without padding.
    """

    engine_id: str
    expected: bool
    ran: bool
    carried: bool
    cases: int = 0

    def __post_init__(self) -> None:
        if self.cases < 0 or (not self.ran and (self.carried or self.cases)):
            raise InputError("An engine that did not run must have carried nothing and seen no case: got one that did.")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLedger:
    """All engines of a run, and how the run ended.

    Args:
        engines: one entry for each engine, in any order.
        outcome: ``"completed"``, or ``"failed"`` if an exception left the run.
        error_type: class name of that exception; never its message, which may hold a path.

    Raises:
        InputError: if an engine comes twice, or the error's type and the outcome disagree.
    """

    engines: tuple[EngineEntry, ...]
    outcome: Literal["completed", "failed"] = "completed"
    error_type: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "engines", tuple(self.engines))
        ids = [entry.engine_id for entry in self.engines]
        if len(ids) != len(set(ids)):
            raise InputError("Each engine must be listed once: got an id twice. Merge its entries.")
        if self.outcome not in ("completed", "failed"):
            raise InputError("`outcome` must be 'completed' or 'failed': got something else. Give one of them.")
        if self.error_type is not None and (self.outcome == "completed" or not NAME.fullmatch(self.error_type)):
            raise InputError("`error_type` must be the class name of what ended a failed run: got something else.")

    def reordered(self, order: Sequence[int]) -> EngineLedger:
        """The same ledger with its engines in another order."""
        return replace(self, engines=tuple(self.engines[index] for index in order))


@dataclass(frozen=True, kw_only=True)
class RunCoverage:
    """Did every engine that ran carry this package, and did the run end well?

    A prediction from a config proves nothing; only what ran counts. If one engine ran without the handlers, numbers
    that look complete are not, and the finding is `not_assessable`.

    Args:
        data: given to the call, an `EngineLedger`: every engine of a run and how the run ended. No parameters.

    Notes:
        It sees the engines of one process group. That an engine was observed does not say that what it was fed, or
        what its metrics mean, is right.

    References:
        Ethics by Design (arXiv 2507.04249), Table 2, training and accountability: decisions are tracked and reviewed.
    """

    id: ClassVar[str] = "lifecycle.run_coverage"
    title: ClassVar[str] = "Did everything that ran leave evidence?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("LIF-Q05", "FMF-02")

    def __call__(self, data: EngineLedger) -> Finding:
        """Count the engines that ran and those that carried this package.

        Args:
            data: all engines of a run.

        Returns:
            A finding, `measured` if at least one engine ran and all that ran carried this package.
        """
        ran = [entry for entry in data.engines if entry.ran]
        carried = [entry for entry in ran if entry.carried]
        reason = _reason(len(ran), len(carried))
        end = "completed" if data.outcome == "completed" else f"failed with {data.error_type or 'an error'}"
        cases = sum(entry.cases for entry in carried)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=f"The run {end}; {len(carried)} of {len(ran)} engines that ran were observed, on {cases} cases.",
            subjects=sorted(entry.engine_id for entry in ran),
            estimates=_estimates(data, ran=ran, carried=carried),
            accounting={
                "expected_and_ran": sum(entry.expected and entry.ran for entry in data.engines),
                "expected_and_did_not_run": sum(entry.expected and not entry.ran for entry in data.engines),
                "ran_without_being_expected": sum(entry.ran and not entry.expected for entry in data.engines),
            },
            reason=reason,
            limitations=(
                "It speaks of engines that this process could see, with `attach` of those attached; code that runs no "
                "engine leaves no trace here.",
                "An observed engine can still be fed data that nobody described.",
            ),
            sources=(SOURCE,),
        )

    @staticmethod
    def example(n: int, seed: int) -> EngineLedger:
        """A ledger of `n` predicted engines of which the first never started and the others were observed."""
        entries = (
            EngineEntry(
                engine_id=f"engine_{i}", expected=True, ran=i > 0, carried=i > 0, cases=(seed + i) % 7 * (i > 0)
            )
            for i in range(n)
        )
        return EngineLedger(engines=tuple(entries))


def _reason(ran: int, carried: int) -> str | None:
    if not ran:
        return "No engine ran, so there is nothing that evidence could cover."
    if carried < ran:
        return f"{ran - carried} of {ran} engines ran without being observed, so what they did is not in the evidence."
    return None


def _estimates(
    data: EngineLedger, *, ran: Sequence[EngineEntry], carried: Sequence[EngineEntry]
) -> tuple[Estimate, ...]:
    share = len(carried) / len(ran) if ran else None
    reason = NOT_A_SAMPLE if ran else "No engine ran."
    return (
        Estimate(
            name="share_observed",
            value=share,
            unit="1",
            n=len(ran),
            n_unit="engines",
            estimand="share of the engines that ran and carried this package",
            reason=reason,
        ),
        Estimate(
            name="completed",
            value=float(data.outcome == "completed"),
            unit="runs",
            n=1,
            n_unit="runs",
            estimand="1 if no exception left the run, else 0",
            reason=NOT_A_SAMPLE,
        ),
        Estimate(
            name="cases",
            value=sum(entry.cases for entry in carried),
            unit="cases",
            n=len(carried),
            n_unit="engines",
            estimand="cases that the observed engines processed",
            reason=NOT_A_SAMPLE,
        ),
    )
