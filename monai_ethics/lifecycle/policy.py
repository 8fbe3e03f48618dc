# SPDX-License-Identifier: Apache-2.0
"""Policies: limits with their sources, kept in a file, applied to findings and gathered in a gate.

No limit lives in the code. A policy states what an estimate must be and who said so; `apply_policy` turns measured
findings into judged ones, and `gate` says whether everything the policy asks for holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from monai_ethics._input import read_input
from monai_ethics.evidence import Direction, Estimate, Finding, Limit, Side, Source, Verdict
from monai_ethics.lifecycle.policy_file import LARGEST, load_policy_mapping

__all__ = ["GateResult", "GateRow", "Policy", "PolicyLimit", "RequiredCheck", "apply_policy", "gate", "read_policy"]

Answer = Literal["refuse", "accept"]
JUDGEABLE = (Verdict.MEASURED, Verdict.WARNED)
POOLED = "Pooled (shrunk) values hide a group that is harmed and are never judged: set the limit on the raw value."
UNDECIDED = (Verdict.NOT_ASSESSABLE, Verdict.ATTESTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLimit:
    """One limit of a policy.

    Args:
        check: id of the check whose findings it judges.
        limit: what the estimate must be, and who says so.
        subject: judge only findings about this subject, such as a metric's name; ``None`` means every finding.
        when_missing: whether the gate refuses if the evidence has no such finding.
        when_not_assessable: whether the gate refuses if the finding cannot be judged, or is only attested.
    """

    check: str
    limit: Limit
    subject: str | None = None
    when_missing: Answer = "refuse"
    when_not_assessable: Answer = "refuse"

    def concerns(self, finding: Finding) -> bool:
        """Whether this limit judges that finding."""
        return finding.check == self.check and (self.subject is None or self.subject in finding.subjects)

    def __str__(self) -> str:
        side = "" if self.limit.side is Side.VALUE else f" ({self.limit.side} end of its interval)"
        words = f"{self.limit.estimate}{side} {self.limit.direction.replace('_', ' ')} {self.limit.value:g}"
        group = ", ".join(f"{key}={value}" for key, value in (self.limit.group or {}).items())
        return words + (f" for {group}" if group else "") + (f" in {self.subject}" if self.subject else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredCheck:
    """A check that the evidence must hold, and must have been able to answer.

    Args:
        check: id of the check.
        when_missing: whether the gate refuses if the evidence has no finding of it.
        when_not_assessable: whether the gate refuses if one of its findings is not assessable.
    """

    check: str
    when_missing: Answer = "refuse"
    when_not_assessable: Answer = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy file's content.

    Args:
        title: name of the policy.
        limits: the limits in the file's order.
        required_checks: the checks that must be there.
        sha256: digest of the file's bytes, hexadecimal.
    """

    title: str
    limits: tuple[PolicyLimit, ...] = ()
    required_checks: tuple[RequiredCheck, ...] = ()
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """One line of a gate's answer.

    Args:
        check: id of the check.
        subjects: what the finding is about; empty if there was none.
        asked: what the policy asks for, in words.
        verdict: verdict of the finding, or ``"missing"``.
        refuses: whether this line alone makes the gate refuse.
        observed: the number that decided, if there was one.
        reason: why it could not be judged, if so.
        source: who set the limit.
        run: id of the run that the finding is from, if it was read from a log.
    """

    check: str
    subjects: tuple[str, ...]
    asked: str
    verdict: str
    refuses: bool
    observed: float | None = None
    reason: str | None = None
    source: str | None = None
    run: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {name: _jsonable(getattr(self, name)) for name in GateRow.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """Answer of a gate; it passes only if no row refuses.

    Args:
        policy: title of the policy.
        policy_sha256: digest of the policy file.
        rows: one line for each limit on each finding, and for each required check.
    """

    policy: str
    policy_sha256: str
    rows: tuple[GateRow, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing refuses and at least one thing was asked."""
        return bool(self.rows) and not any(row.refuses for row in self.rows)

    def about(self, row: GateRow) -> tuple[str, ...]:
        """What a row speaks of: its subjects, and its run where rows of several runs stand together."""
        several = len({item.run for item in self.rows if item.run}) > 1
        return (*row.subjects, *((f"run {row.run}",) if several and row.run else ()))

    def to_dict(self) -> dict[str, Any]:
        head = {"passed": self.passed, "policy": self.policy, "policy_sha256": self.policy_sha256}
        return {**head, "rows": [row.to_dict() for row in self.rows]}


def read_policy(path: str | Path) -> Policy:
    """Read a policy file.

    Args:
        path: YAML file of ``schemas/policy-1.schema.json``.

    Returns:
        The policy, with the digest of the file.

    Raises:
        InputError: if the file is no policy; one sentence that names the key.
        OSError: if the file cannot be read.
    """
    data = read_input(path, most=LARGEST)
    content = load_policy_mapping(data)
    required = [{"check": item} if isinstance(item, str) else item for item in content.get("required_checks", [])]
    return Policy(
        title=content["title"],
        limits=tuple(_limit(item) for item in content.get("limits", [])),
        required_checks=tuple(RequiredCheck(**item) for item in required),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _limit(item: Mapping[str, Any]) -> PolicyLimit:
    direction = Direction.AT_LEAST if "at_least" in item else Direction.AT_MOST
    limit = Limit(
        estimate=item["estimate"],
        value=item[direction.value],
        direction=direction,
        side=Side(item.get("on", "value")),
        group=item.get("group"),
        source=Source(**item["source"]),
    )
    kept = {name: item[name] for name in ("subject", "when_missing", "when_not_assessable") if name in item}
    return PolicyLimit(check=item["check"], limit=limit, **kept)


def apply_policy(findings: Iterable[Finding], policy: Policy) -> list[Finding]:
    """Judge findings by a policy.

    A `Finding` holds one `Limit`: a finding that several limits concern comes back as one judged copy for each of
    them, in the policy's order. Findings that no limit concerns, and findings that were not measured
    (`not_assessable`, `not_applicable`, `attested`), come back as they are. The worst estimate that a limit names
    decides; if one of them has no number, nothing is known about the worst, and the copy is `not_assessable`.
    Findings judged before are judged anew, so that applying a policy twice changes nothing.

    Args:
        findings: results of checks.
        policy: what they are judged by.

    Returns:
        The judged findings, in the order of the findings given.
    """
    judged: list[Finding] = []
    for finding in findings:
        limits = [item.limit for item in policy.limits if item.concerns(finding)]
        judged += [judge(unjudged(finding), limit) for limit in limits] or [finding]
    return _distinct(judged)


def judge(finding: Finding, limit: Limit) -> Finding:
    """One finding by one limit; a finding that was not measured comes back as it is."""
    if finding.verdict not in JUDGEABLE:
        return finding
    if limit.estimate.startswith("shrunk_"):
        return replace(finding, verdict=Verdict.NOT_ASSESSABLE, limit=limit, reason=POOLED)
    named = _named(finding, limit)
    answers = [limit.accepts(estimate) for estimate in named]
    if False in answers:
        return replace(finding, verdict=Verdict.FAILED, limit=limit)
    if answers and None not in answers:
        return replace(finding, verdict=Verdict.PASSED, limit=limit)
    return replace(finding, verdict=Verdict.NOT_ASSESSABLE, limit=limit, reason=_why_not(named, limit))


def unjudged(finding: Finding) -> Finding:
    """The measured finding behind a judged copy."""
    if finding.limit is None:
        return finding
    reason = None if finding.verdict is Verdict.NOT_ASSESSABLE else finding.reason
    return replace(finding, verdict=Verdict.MEASURED, limit=None, reason=reason)


def gate(findings: Iterable[Finding], policy: Policy) -> GateResult:
    """Whether evidence holds against a policy.

    Every limit is applied to every finding it concerns, however that finding was judged before. A limit or a required
    check without a finding refuses, and so does one that could not be assessed or is only attested, unless the policy
    accepts that in so many words. A finding that failed against a limit set elsewhere, on a check of which this policy
    says nothing, refuses too.

    Args:
        findings: results of checks, judged or not.
        policy: what is asked for.

    Returns:
        One row for everything asked, and whether it passed; a policy that asks nothing never passes.
    """
    given = list(findings)
    pool = _distinct(unjudged(finding) for finding in given)
    rows = [row for item in policy.limits for row in _limit_rows(item, pool)]
    rows += [row for required in policy.required_checks for row in _required_rows(required, pool)]
    limited = {item.check for item in policy.limits}
    rows += [
        GateRow(
            check=finding.check,
            subjects=tuple(finding.subjects),
            asked="no failure against another limit",
            verdict=finding.verdict.value,
            refuses=True,
            source=finding.limit.source.title if finding.limit else None,
            run=finding.run,
        )
        for finding in _distinct(given)
        if finding.verdict is Verdict.FAILED and finding.check not in limited
    ]
    return GateResult(policy=policy.title, policy_sha256=policy.sha256, rows=tuple(rows))


def _limit_rows(item: PolicyLimit, pool: Sequence[Finding]) -> list[GateRow]:
    concerned = [finding for finding in pool if item.concerns(finding)]
    if not concerned:
        return [_missing(item, str(item), item.limit.source.title)]
    rows = []
    for finding in (judge(finding, item.limit) for finding in concerned):
        numbers = [getattr(estimate, item.limit.side.value) for estimate in _named(finding, item.limit)]
        defined = sorted(number for number in numbers if number is not None)
        worst = 0 if item.limit.direction is Direction.AT_LEAST else -1
        undecided = finding.verdict in UNDECIDED and item.when_not_assessable == "refuse"
        row = GateRow(
            check=item.check,
            subjects=tuple(finding.subjects),
            asked=str(item),
            verdict=finding.verdict.value,
            refuses=finding.verdict is Verdict.FAILED or undecided,
            observed=defined[worst] if defined else None,
            reason=finding.reason,
            source=item.limit.source.title,
            run=finding.run,
        )
        rows.append(row)
    return rows


def _required_rows(required: RequiredCheck, pool: Sequence[Finding]) -> list[GateRow]:
    found = [finding for finding in pool if finding.check == required.check]
    if not found:
        return [_missing(required, "the check is there")]
    return [
        GateRow(
            check=required.check,
            subjects=tuple(finding.subjects),
            asked="the check could be assessed",
            verdict=finding.verdict.value,
            refuses=finding.verdict in UNDECIDED and required.when_not_assessable == "refuse",
            reason=finding.reason,
            run=finding.run,
        )
        for finding in found
    ]


def _missing(item: PolicyLimit | RequiredCheck, asked: str, source: str | None = None) -> GateRow:
    return GateRow(
        check=item.check,
        subjects=(),
        asked=asked,
        verdict="missing",
        refuses=item.when_missing == "refuse",
        reason="The evidence has no such finding.",
        source=source,
    )


def _named(finding: Finding, limit: Limit) -> list[Estimate]:
    named = [estimate for estimate in finding.estimates if estimate.name == limit.estimate]
    return named if limit.group is None else [item for item in named if dict(item.group) == dict(limit.group)]


def _why_not(named: Sequence[Estimate], limit: Limit) -> str:
    if not named:
        whom = "" if limit.group is None else " for the group that the limit names"
        return f"The limit names the estimate `{limit.estimate}`, and the finding has none of that name{whom}."
    without = [estimate for estimate in named if getattr(estimate, limit.side.value) is None]
    first = next((estimate.reason for estimate in without if estimate.reason), "no reason was given")
    what = "value" if limit.side is Side.VALUE else f"{limit.side} end of an interval"
    return f"{len(without)} of {len(named)} estimates of `{limit.estimate}` have no {what}: {first}"


def _distinct(findings: Iterable[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for finding in findings:
        if finding not in kept:
            kept.append(finding)
    return kept


def _jsonable(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
