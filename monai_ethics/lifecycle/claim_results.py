# SPDX-License-Identifier: Apache-2.0
"""Which result of the evidence a sentence names, and what that result allows to be said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, FrozenDict, Verdict

__all__ = ["Linked", "ResultName", "at_stake", "find", "neutral_of", "p_and_level", "result_name", "rows_of"]

FORM = re.compile(r"(?P<check>[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+)(?P<subjects>(?:#[^#/@]+)*)(?:/(?P<name>[^@]+))?")
NEUTRAL = {"relative_effect": 0.5, "ratio": 1.0}  # where a comparison says: no difference; 0 for all others
SIGNED = ("difference", "change", "difference_models", "difference_recipe", "excess")
TESTS = ("p_adjusted", "p_value")
MARGINS = ("equivalence_margin", "smallest_parity_margin")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultName:
    """How a sentence names a result.

    Args:
        check: id of the check.
        subjects: subjects that its finding must have, such as a metric and an attribute.
        estimate: name of one of its numbers; empty if the whole finding is meant.
        group: attribute to label of that number; ``None`` if any group is meant, empty for everyone together.
    """

    check: str
    subjects: tuple[str, ...] = ()
    estimate: str = ""
    group: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A result that a sentence names.

    Args:
        finding: the finding.
        rows: the numbers that are meant.
        whole: whether the whole finding is meant.
    """

    finding: Finding
    rows: tuple[Estimate, ...] = field(default=())
    whole: bool = True


def result_name(item: str | Mapping[str, Any]) -> ResultName:
    """Read ``check#subject/estimate@attribute=label,attribute=label``, or a mapping with the same parts.

    Raises:
        InputError: if the text has another form.
    """
    if isinstance(item, Mapping):
        group = item.get("group")
        return ResultName(
            check=item["check"],
            subjects=tuple(item.get("subjects", ())),
            estimate=item.get("estimate", ""),
            group=None if group is None else FrozenDict(group),
        )
    left, _, right = item.partition("@")
    found = FORM.fullmatch(left)
    pairs = [part.partition("=") for part in right.split(",")] if right else []
    if found is None or any(not key or not sign for key, sign, _ in pairs) or (pairs and not found["name"]):
        raise InputError(
            "A result must be named `check`, `check/estimate` or `check/estimate@attribute=label`: got another form. "
            "See docs/how-to/back-a-claim.md."
        )
    return ResultName(
        check=found["check"],
        subjects=tuple(part for part in found["subjects"].split("#") if part),
        estimate=found["name"] or "",
        group=FrozenDict({key: label for key, _, label in pairs}) if pairs else None,
    )


def find(name: ResultName, findings: Sequence[Finding]) -> list[Linked]:
    """Every finding that fits the name, judged copies of one finding once; empty if the evidence has none."""
    kept: dict[str, Linked] = {}
    for finding in findings:
        if finding.check != name.check or not set(name.subjects) <= set(finding.subjects):
            continue
        rows = rows_of(finding, name)
        if rows is not None:
            plain = (finding.run, finding.subjects, finding.parameters, finding.statement)
            linked = Linked(finding=finding, rows=rows, whole=not name.estimate)
            kept[repr(plain)] = _judged_first(kept.get(repr(plain)), linked)
    return list(kept.values())


def _judged_first(old: Linked | None, new: Linked) -> Linked:
    """Of copies judged by several limits the one whose limit is passed on a margin, else the first."""
    return new if old is None or (not at_stake(old.finding) and at_stake(new.finding)) else old


def rows_of(finding: Finding, name: ResultName) -> tuple[Estimate, ...] | None:
    """The numbers that are meant; ``None`` if the finding has none of that name and group."""
    if not name.estimate:
        return tuple(finding.estimates)
    rows = [row for row in finding.estimates if row.name == name.estimate]
    if name.group is not None:
        rows = [row for row in rows if dict(row.group) == dict(name.group)]
    return tuple(rows) or None


def neutral_of(row: Estimate) -> float | None:
    """The value at which a comparison says: no difference; ``None`` if the number compares nothing."""
    last = row.name.rpartition("_")[2]
    for name in (row.name, last):
        if name in NEUTRAL:
            return NEUTRAL[name]
        if name in SIGNED:
            return 0.0
    return None


def p_and_level(linked: Linked, row: Estimate | None = None) -> tuple[float, float | None] | None:
    """p-value and significance level of the test that stands behind a finding, or behind one pair of its groups.

    The level is the one that the finding states; ``None`` if it states none.
    """
    finding = linked.finding
    found = {(each.name, tuple(sorted(each.group.items(), key=str))): each.value for each in finding.estimates}
    names = [("pairwise_p_adjusted", tuple(sorted(row.group.items(), key=str)))] if row is not None else []
    names += [(name, ()) for name in TESTS]
    p = next((found[name] for name in names if found.get(name) is not None), None)
    level = finding.parameters.get("level")
    if p is None:
        return None
    return p, 1 - level if isinstance(level, float) else None


def at_stake(finding: Finding) -> bool:
    """Whether a policy judged a margin of equivalence of this finding, and it holds."""
    limit = finding.limit
    return finding.verdict is Verdict.PASSED and limit is not None and limit.estimate.startswith(MARGINS)
