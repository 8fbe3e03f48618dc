# SPDX-License-Identifier: Apache-2.0
"""Check `provenance.consent_coverage`: is the use of every image covered by its person's consent?"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import Direction, Finding, Limit, Observation, Source, Stage, Verdict
from monai_ethics.provenance.consent.state import REASONS, Decision
from monai_ethics.provenance.consent.terms import PURPOSES
from monai_ethics.provenance.records.counts import counted
from monai_ethics.registry import question_of

__all__ = ["NOBODY", "RULES", "ConsentCoverage", "ConsentUse", "refuses"]

RULES = ("opt-in", "opt-out")
NOBODY = "no person known"  # an image without a patient
_LIMITS = (
    "This shows what the site log holds, not what people understood or were told.",
    "An image whose person is not known cannot be covered, and a withdrawal cannot reach it.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentUse:
    """Images that are to be used for a purpose, with what the site log says of each.

    Args:
        items: pseudonyms of the images, shape ``(N,)``.
        people: pseudonyms of their persons, shape ``(N,)``; ``None`` where no person is known.
        decisions: of each image; that of an image without a person is not looked at.
        purpose: of `PURPOSES`.
        at: time of the use, ISO 8601.
    """

    items: Sequence[str]
    people: Sequence[str | None]
    decisions: Sequence[Decision]
    purpose: str
    at: str

    def __post_init__(self) -> None:
        if not len(self.items) == len(self.people) == len(self.decisions):
            raise InputError(
                f"Items, people and decisions must be of one length: got {len(self.items)}, {len(self.people)} and "
                f"{len(self.decisions)}. Match them."
            )
        if self.purpose not in PURPOSES:
            raise InputError(f"`purpose` must be one of {', '.join(PURPOSES)}: got another. Choose one.")

    def reordered(self, order: Sequence[int]) -> ConsentUse:
        """The same images in another order."""
        return ConsentUse(
            items=tuple(self.items[index] for index in order),
            people=tuple(self.people[index] for index in order),
            decisions=tuple(self.decisions[index] for index in order),
            purpose=self.purpose,
            at=self.at,
        )

    def reasons(self) -> list[str]:
        """Why each image is covered or not."""
        pairs = zip(self.people, self.decisions, strict=True)
        return [NOBODY if person is None else decision.reason for person, decision in pairs]


def refuses(rule: str | None, person: str | None, decision: Decision) -> bool:
    """Whether a rule refuses an image: opt-in all that no consent covers, opt-out what somebody opposes."""
    if rule is None:
        return False
    if rule == "opt-in":
        return person is None or not decision.covered
    return person is not None and decision.opposed


@dataclass(frozen=True, kw_only=True)
class ConsentCoverage:
    """Which images a purpose may use, by the consents and withdrawals of a site log.

    Args:
        rule: ``"opt-in"`` refuses every image that no valid consent covers; ``"opt-out"`` refuses those whose person
            withdrew, refused, or let the consent expire; ``None`` counts and refuses nothing.
        listed: most refused images that the finding lists.

    Notes:
        The last statement of a person about a purpose decides, at the time of the use. A withdrawal holds from its
        time on: what was done before stays lawful, and which models and sets it touches is a question to
        ``monai-ethics lineage``. Shares are by image and counted in full: there is no sample and no interval.

    References:
        Practical and ethical considerations for generative AI in medicine (requirement GEN-09); Ethics by Design
        lifecycle, table 2 (LIF-C1, LIF-P7); GDPR Art. 7(3).
    """

    rule: str | None = None
    listed: int = 100

    id: ClassVar[str] = "provenance.consent_coverage"
    title: ClassVar[str] = "Did the people whose images are used agree to it?"
    stage: ClassVar[Stage] = Stage.COLLECTION
    requirements: ClassVar[tuple[str, ...]] = ("GEN-09", "LIF-C1", "LIF-P7", "MIS-20")

    def __post_init__(self) -> None:
        if self.rule not in (None, *RULES):
            raise InputError(f"`rule` must be {' or '.join(RULES)}: got another. Choose one.")

    def __call__(self, data: ConsentUse, /) -> Finding:
        """Judge a `ConsentUse`."""
        reasons = data.reasons()
        counts = Counter(reasons)
        accounting = {reason: counts[reason] for reason in (*REASONS, NOBODY) if counts[reason]}
        parameters = {"rule": self.rule, "purpose": data.purpose, "at": data.at, "listed": self.listed}
        if not reasons or counts[NOBODY] == len(reasons):
            why = "The list is empty." if not reasons else "No image has a person whose consent could be looked up."
            if not reasons or self.rule != "opt-in":
                return self._finding(
                    Verdict.NOT_ASSESSABLE, why, reason=why, accounting=accounting, parameters=parameters
                )
        return self._judged(data, reasons, accounting=accounting, parameters=parameters)

    def _judged(
        self,
        data: ConsentUse,
        reasons: Sequence[str],
        *,
        accounting: Mapping[str, int],
        parameters: Mapping[str, Any],
    ) -> Finding:
        rows = sorted(zip(data.items, data.people, data.decisions, reasons, strict=True), key=lambda row: row[0])
        refused = [row for row in rows if refuses(self.rule, row[1], row[2])]
        covered = sum(row[1] is not None and row[2].covered for row in rows)
        opposed = sum(row[1] is not None and row[2].opposed for row in rows)
        people = {row[1] for row in rows if row[1] is not None}
        n = len(rows)
        estimates = [
            counted("covered", covered, n, estimand="images whose use a valid consent covers"),
            counted("opposed", opposed, n, estimand="images whose person withdrew, refused or let the consent expire"),
            counted("refused", len(refused), n, estimand="images that the rule refuses"),
            counted(
                "people", len(people), n, estimand="different people among those known", unit="people", n_unit="images"
            ),
        ]
        limit, verdict = None, Verdict.MEASURED
        if self.rule is not None:
            source = Source(title=f"Consent rule '{self.rule}'", locator="chosen by the caller")
            limit = Limit(estimate="refused", value=0, direction=Direction.AT_MOST, source=source)
            verdict = Verdict.FAILED if refused else Verdict.PASSED
        statement = (
            f"{covered} of {len(rows)} images are covered by a consent for {data.purpose}; somebody opposes the use of "
            f"{opposed}; {len(refused)} are refused under {self.rule or 'no rule'}."
        )
        shown = refused if self.rule else [row for row in rows if row[1] is not None and row[2].opposed]
        observations = [
            Observation(label=reason, items=(item,), value=None, unit="1", note=_note(decision))
            for item, _, decision, reason in shown[: self.listed]
        ]
        return self._finding(
            verdict,
            statement,
            estimates=estimates,
            observations=observations,
            accounting=accounting,
            parameters=parameters,
            limit=limit,
        )

    def _finding(self, verdict: Verdict, statement: str, **content: Any) -> Finding:
        return Finding(
            **question_of(self),
            verdict=verdict,
            statement=statement,
            limitations=_LIMITS,
            sources=(Source(title="Regulation (EU) 2016/679 (GDPR)", locator="Art. 7(3)"),),
            **content,
        )

    @staticmethod
    def example(n: int, seed: int) -> ConsentUse:
        """`n` images of as many people: every fourth withdrew; every fifth, from the first on, is not known."""

        def name(index: int) -> str:
            return hashlib.sha256(f"{seed}/{index}".encode()).hexdigest()[:32]

        yes, no = Decision(True, False, "consented"), Decision(False, True, "withdrawn")
        return ConsentUse(
            items=tuple(name(index) for index in range(n)),
            people=tuple(None if index % 5 == 0 else name(-1 - index) for index in range(n)),
            decisions=tuple(no if index % 4 == 3 else yes for index in range(n)),
            purpose="training",
            at="2026-01-01T00:00:00Z",
        )


def _note(decision: Decision) -> str:
    return f"conditions: {', '.join(decision.conditions)}" if decision.conditions else ""
