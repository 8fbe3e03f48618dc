# SPDX-License-Identifier: Apache-2.0
"""Check `lifecycle.claims`: does a result stand behind every sentence that somebody wants to publish?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, Observation, Source, Stage, Verdict
from monai_ethics.lifecycle.claim_results import ResultName
from monai_ethics.lifecycle.claim_rules import FAMILIES, PROBLEMS, problems_of
from monai_ethics.lifecycle.claim_words import word_lists
from monai_ethics.registry import question_of

__all__ = ["Claim", "ClaimTable", "Claims"]

SAYS = ("better", "worse", "higher", "lower")
MIS = Source(
    title="Ethical medical image synthesis", locator="claims, tests, balance", url="https://arxiv.org/abs/2508.09293"
)
COUNTED = "A count of these sentences, not an estimate from a sample."
LIMITATIONS = (
    "Words are looked up in lists of English words; a sentence is not understood. One that promises too much in other "
    "words is not seen, and one that needs no result may be held up.",
    "That a result stands behind a sentence does not say that the sentence is true, or important, or about the people "
    "whom it will be used for.",
    "Sentences that were not listed here were not looked at.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence with the results that shall carry it.

    Args:
        position: its place in the list, from 1.
        text: the sentence.
        results: the results it names.
        says: which way it says that the difference it names goes; ``None`` leaves that to its words.
    """

    position: int
    text: str
    results: tuple[ResultName, ...] = ()
    says: str | None = None

    def __post_init__(self) -> None:
        if self.position < 1 or not self.text.strip() or self.says not in (None, *SAYS):
            raise InputError("A claim must have a place from 1, a text, and `says` as listed: got another. Correct it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTable:
    """Sentences, and the evidence that shall carry them.

    Args:
        claims: the sentences.
        findings: the results there are, judged by a policy where one was given.

    Raises:
        InputError: if two sentences have the same place.
    """

    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "claims", tuple(self.claims))
        object.__setattr__(self, "findings", tuple(self.findings))
        if len({claim.position for claim in self.claims}) != len(self.claims):
            raise InputError("Each claim must have a place of its own: got one twice. Number them.")

    def reordered(self, order: Sequence[int]) -> ClaimTable:
        """The same sentences in another order; each keeps its place."""
        return replace(self, claims=tuple(self.claims[index] for index in order))


@dataclass(frozen=True, kw_only=True)
class Claims:
    """Whether every sentence names a result, and says no more than that result holds.

    Args:
        listed: most problems that the finding lists.

    Notes:
        A sentence is unsupported if it names no result, one that is not there or has no answer; if it speaks of
        significance without a test, or against it; if it compares without an interval or a test that rules chance
        out, or the other way round; if it says that there is no difference without a test of equivalence within a
        margin that a policy sets; if it names the best group without the worst; or if it holds a word that no result
        can carry. There is no limit in the code: the shipped policy ``claims`` sets 0.

    References:
        Ethical medical image synthesis (arXiv 2508.09293), requirements MIS-10, MIS-11 and MIS-12.
        Andaur Navarro et al., J. Clin. Epidemiol. 158 (2023): spin in studies of prediction models.
    """

    listed: int = 100

    id: ClassVar[str] = "lifecycle.claims"
    title: ClassVar[str] = "Does a result stand behind every sentence that is to be published?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("MIS-10", "MIS-11", "MIS-12")

    def __call__(self, data: ClaimTable) -> Finding:
        """Hold every sentence against the results that it names.

        Args:
            data: sentences and results.

        Returns:
            A finding that names sentences by their place and never repeats them.
        """
        lists = word_lists()
        ordered = sorted(data.claims, key=lambda claim: claim.position)
        found = {
            claim.position: problems_of(claim.text, claim.results, says=claim.says, findings=data.findings, lists=lists)
            for claim in ordered
        }
        bad = sum(map(bool, found.values()))
        reason = _reason(data)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=_statement(bad, len(found)),
            estimates=_estimates(found),
            observations=self._listed(found),
            accounting={"supported": len(found) - bad, "unsupported": bad},
            parameters={**asdict(self), "language": lists.language},
            reason=reason,
            limitations=LIMITATIONS,
            sources=(MIS, *dict.fromkeys(lists.sources.values())),
        )

    def _listed(self, found: dict[int, tuple[str, ...]]) -> list[Observation]:
        rows = [(position, code) for position, codes in found.items() for code in codes]
        return [
            Observation(
                label=code.replace("_", " "), items=(f"claim {position}",), value=None, unit="1", note=PROBLEMS[code]
            )
            for position, code in rows[: self.listed]
        ]

    @staticmethod
    def example(n: int, seed: int) -> ClaimTable:
        """`n` sentences, each third one without a result; the evidence of a single one is empty."""
        change = Estimate(
            name="change",
            value=0.05,
            unit="1",
            n=40,
            n_unit="patients",
            estimand="after minus before",
            low=0.01,
            high=0.09,
            level=0.95,
            method="bootstrap",
        )
        finding = Finding(
            check="fairness.mitigation_change",
            title="What changed?",
            stage=Stage.EVALUATION,
            verdict=Verdict.MEASURED,
            statement="The mean rose by 0.05.",
            subjects=("dice",),
            estimates=(change,),
            parameters={"higher_is_better": True, "level": 0.95},
        )
        name = ResultName(check=finding.check, estimate="change")
        claims = (
            Claim(position=i + 1, text="The overlap improved.", results=() if (i + seed) % 3 == 2 else (name,))
            for i in range(n)
        )
        return ClaimTable(claims=tuple(claims), findings=(finding,) if n > 1 else ())


def _reason(data: ClaimTable) -> str | None:
    if not data.claims:
        return "No sentence was given."
    return None if data.findings else "The evidence holds no result on which a sentence could rest."


def _statement(bad: int, n: int) -> str:
    if not n:
        return "No sentence was given."
    sentences = "sentence" if n == 1 else "sentences"
    return f"{bad} of {n} {sentences} that are to be published say more than the results they name."


def _estimates(found: dict[int, tuple[str, ...]]) -> list[Estimate]:
    counts = {"unsupported_claims": sum(map(bool, found.values()))}
    for name, codes in FAMILIES.items():
        counts[name] = sum(bool(set(codes) & set(own)) for own in found.values())
    return [
        Estimate(
            name=name,
            value=count if found else None,
            unit="claims",
            n=len(found),
            n_unit="claims",
            estimand="number of these sentences",
            reason=COUNTED if found else "No sentence was given.",
        )
        for name, count in counts.items()
    ]
