# SPDX-License-Identifier: Apache-2.0
"""What a check leaves behind: typed, immutable, strict-JSON results (ring 0, standard library only).

A `Finding` holds `Estimate`s and at most one judgement. Measurement is kept apart from judgement: without a `Limit`
that carries its `Source`, nothing passes or fails. No number stands without its n, unit, interval and the interval's
method; where there is no interval or no number, the reason stands in its place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Self

from monai_ethics._curve import Curve
from monai_ethics._json import SCHEMA_VERSION, FrozenDict, Serializable, normalize, plain
from monai_ethics.errors import InputError, SchemaError

__all__ = [
    "INTRINSIC_LIMITS",
    "SCHEMA_VERSION",
    "Curve",
    "Direction",
    "Estimate",
    "EvidenceReport",
    "Finding",
    "FrozenDict",
    "Limit",
    "Observation",
    "Side",
    "Source",
    "Stage",
    "Verdict",
    "plain",
]

#: W. Jin et al., Ethical medical image synthesis (2025), arXiv 2508.09293: the intrinsic limits, in our words.
INTRINSIC_LIMITS = (
    "Synthetic images have no grounding of their own in what happens in a body: they show nobody.",
    "They cannot fully represent the images they were learned from.",
    "They bring shifts and biases that those images did not have.",
)


class Verdict(StrEnum):
    """Outcome of a check. `attested` and `not_assessable` never count as passed."""

    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"
    MEASURED = "measured"
    ATTESTED = "attested"
    NOT_APPLICABLE = "not_applicable"
    NOT_ASSESSABLE = "not_assessable"


class Stage(StrEnum):
    """Lifecycle stages of the Ethics-by-Design paper (arXiv 2507.04249, Table 1)."""

    COLLECTION = "data collection"
    PROCESSING = "data processing"
    TRAINING = "model training"
    EVALUATION = "model evaluation"
    DEPLOYMENT = "deployment"


class Direction(StrEnum):
    """Which side of a limit is acceptable."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"


class Side(StrEnum):
    """Which number of an estimate a limit is compared with."""

    VALUE = "value"
    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Serializable):
    """Where a limit, a method or a requirement comes from.

    Args:
        title: name of the paper, standard or policy.
        locator: section, table or page; empty if the whole.
        url: ``https`` address, or ``None``.
    """

    title: str
    locator: str = ""
    url: str | None = None

    def __post_init__(self) -> None:
        normalize(self)
        if not self.title.strip():
            raise InputError("A source must have a title: got an empty one. Name the paper, standard or policy.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate(Serializable):
    """One number with all that is needed to read it.

    Args:
        name: what was measured, such as ``"median"``.
        value: the number, or ``None`` with a `reason`.
        unit: unit of the value; ``"1"`` if it has none.
        n: units the value speaks of.
        n_unit: what `n` counts, such as ``"patients"``.
        estimand: what the number estimates, such as ``"mean over patients"``.
        n_valid: units with a defined value; ``None`` means all.
        low: lower end of the interval.
        high: upper end of the interval.
        level: nominal coverage of the interval, such as ``0.95``.
        method: how the value and its interval were computed.
        group: attribute to label; a label of ``None`` means not recorded; empty is everyone.
        reason: why there is no value, or no interval.

    Raises:
        InputError: if a number lacks its interval and the reason why, or is not finite.
    """

    name: str
    value: float | None
    unit: str
    n: int
    n_unit: str
    estimand: str
    n_valid: int | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    method: str | None = None
    group: Mapping[str, str | None] = field(default_factory=FrozenDict)
    reason: str | None = None

    def __post_init__(self) -> None:
        normalize(self)
        n_valid = self.n if self.n_valid is None else self.n_valid
        object.__setattr__(self, "n_valid", n_valid)
        if not 0 <= n_valid <= self.n:
            raise InputError(f"`n_valid` must lie between 0 and n: got {n_valid} of {self.n}. Count the defined units.")
        ends = (self.low, self.high)
        if (None in ends) != (ends == (None, None)):
            raise InputError("An interval needs both ends: got one. Give `low` and `high`, or neither with a `reason`.")
        if self.value is None and (ends != (None, None) or not self.reason):
            raise InputError("An undefined estimate needs a reason and no interval: state why there is no number.")
        if self.value is not None and self.low is None and not self.reason:
            raise InputError(
                f"`{self.name}` has no interval: give `low` and `high`, or say in `reason` why there is none."
            )
        if self.low is not None and self.high is not None:
            if self.low > self.high:
                raise InputError(f"The interval of `{self.name}` must be ordered: got low above high. Swap the ends.")
            if self.level is None or not 0 < self.level < 1 or not self.method:
                raise InputError(f"The interval of `{self.name}` must name its level and method: give both.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation(Serializable):
    """A single thing listed for a human to look at; it carries no inference.

    Args:
        label: what it is, such as ``"nearest pair"``.
        items: pseudonyms or digests of what is meant; never a name or an identifier.
        value: the number that put it on the list, or ``None``.
        unit: unit of the value; ``"1"`` if it has none.
        note: one sentence beside it.
    """

    label: str
    items: Sequence[str]
    value: float | None
    unit: str
    note: str = ""

    def __post_init__(self) -> None:
        normalize(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Serializable):
    """What an estimate is judged by. There is none in the code: limits live in policy files.

    Args:
        estimate: name of the estimate that is judged.
        value: the limit, in the estimate's unit.
        direction: which side is acceptable.
        side: which number of the estimate is compared.
        source: who set the limit.
        group: the stratum it applies to; ``None`` means every estimate of that name.
    """

    estimate: str
    value: float
    direction: Direction
    source: Source
    side: Side = Side.VALUE
    group: Mapping[str, str | None] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "direction", Direction(self.direction))
        object.__setattr__(self, "side", Side(self.side))
        normalize(self)

    def accepts(self, estimate: Estimate) -> bool | None:
        """Whether the estimate is within the limit; ``None`` if it has no such number."""
        number: float | None = getattr(estimate, self.side.value)
        if number is None:
            return None
        return number >= self.value if self.direction is Direction.AT_LEAST else number <= self.value

    @classmethod
    def _decode(cls, key: str, value: Any) -> Any:
        return Source.from_dict(value) if key == "source" else value


JUDGED = (Verdict.PASSED, Verdict.FAILED)
UNJUDGED = (Verdict.NOT_ASSESSABLE, Verdict.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Serializable):
    """A check's result.

    Args:
        check: id of the check, such as ``"fairness.score_gap"``.
        title: the question it answers, in plain words.
        stage: lifecycle stage it belongs to.
        verdict: see `Verdict`.
        statement: the answer in plain words, one or two sentences.
        requirements: ids of the requirements it answers.
        subjects: what it is about: metric names, digests, pseudonyms.
        estimates: the numbers.
        observations: single items listed for review.
        curves: lines to be drawn, such as ROC curves; they carry no judgement.
        accounting: what became of every case, by count; the counts add up to all cases.
        parameters: settings of the check, as JSON.
        limit: what was judged against, if anything.
        reason: why there is no judgement; needed for `not_assessable` and `not_applicable`.
        limitations: what the result does not show.
        sources: papers and standards behind the method.
        seed: seed of the random numbers used; ``None`` if none were used.
        phase: evaluation phase 1-5 (arXiv 2508.09293); 1 is algorithmic evaluation in model space.
        run: id of the run that found it; filled in when a finding is read from a log.

    Raises:
        InputError: if a judgement has no limit, or a missing judgement no reason.
    """

    ADDED: ClassVar[frozenset[str]] = frozenset({"curves"})

    check: str
    title: str
    stage: Stage
    verdict: Verdict
    statement: str
    requirements: Sequence[str] = ()
    subjects: Sequence[str] = ()
    estimates: Sequence[Estimate] = ()
    observations: Sequence[Observation] = ()
    curves: Sequence[Curve] = ()
    accounting: Mapping[str, int] = field(default_factory=FrozenDict)
    parameters: Mapping[str, Any] = field(default_factory=FrozenDict)
    limit: Limit | None = None
    reason: str | None = None
    limitations: Sequence[str] = ()
    sources: Sequence[Source] = ()
    seed: int | None = None
    phase: int = 1
    run: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stage", Stage(self.stage))
        object.__setattr__(self, "verdict", Verdict(self.verdict))
        for name in ("estimates", "observations", "curves", "sources"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        normalize(self)
        if self.verdict in JUDGED and self.limit is None:
            raise InputError(
                f"`{self.verdict}` needs a limit with its source: give one, or use the verdict `measured`."
            )
        if self.verdict in UNJUDGED and not self.reason:
            raise InputError(f"`{self.verdict}` needs a reason: say what was missing.")
        if not 1 <= self.phase <= 5:
            raise InputError(f"`phase` must be 1 to 5: got {self.phase}. See arXiv 2508.09293 for the phases.")

    @classmethod
    def _decode(cls, key: str, value: Any) -> Any:
        many: dict[str, type[Serializable]] = {
            "estimates": Estimate,
            "observations": Observation,
            "curves": Curve,
            "sources": Source,
        }
        if key in many:
            return tuple(many[key].from_dict(item) for item in value)
        return Limit.from_dict(value) if key == "limit" and value is not None else value


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceReport(Serializable):
    """All findings of a run folder, as `report.json` holds them.

    Args:
        created: UTC time ``YYYY-MM-DDTHH:MM:SSZ``, given by the caller.
        tool: name and version of what wrote it.
        environment: versions and device, as JSON.
        inputs: name to digest of what was read.
        findings: the results, in the order in which they were logged.
        schema_version: version of this format.
    """

    created: str
    tool: str
    environment: Mapping[str, Any]
    inputs: Mapping[str, str]
    findings: Sequence[Finding]
    schema_version: str = SCHEMA_VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "findings", tuple(self.findings))
        normalize(self)
        if self.schema_version != SCHEMA_VERSION:
            raise SchemaError(
                f"Expected evidence of schema version {SCHEMA_VERSION}: got another. "
                "Read it with the version of monai_ethics that wrote it."
            )

    def to_json(self) -> str:
        """Strict JSON with sorted keys; equal reports give equal bytes."""
        return json.dumps(self.to_dict(), allow_nan=False, ensure_ascii=False, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; raises `SchemaError` for anything else."""
        try:
            return cls.from_dict(json.loads(text))
        except SchemaError:
            raise
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise SchemaError(
                "Expected a report of this package: got something else. Give it a report.json."
            ) from error

    @classmethod
    def _decode(cls, key: str, value: Any) -> Any:
        return tuple(Finding.from_dict(item) for item in value) if key == "findings" else value
