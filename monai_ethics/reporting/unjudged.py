# SPDX-License-Identifier: Apache-2.0
"""What could not be judged, gathered by its reason: a whole question, or the number of one group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from monai_ethics.evidence import UNJUDGED, Verdict
from monai_ethics.reporting.asked import Asked
from monai_ethics.reporting.quantity import group_label
from monai_ethics.reporting.telling import COUNTED, brief

__all__ = ["Withheld", "withheld"]

NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """Results without a number that share one reason.

    Args:
        reason: why there is none.
        n: how many results.
        what: which ones; those of one question stand together.
        anchor: where the first one stands.
        verdict: of each of them.
    """

    reason: str
    n: int
    what: tuple[str, ...]
    anchor: str
    verdict: Verdict


@dataclass(slots=True, kw_only=True)
class _Heap:
    anchor: str
    reasons: list[str] = field(default_factory=list)
    whole: dict[str, list[str]] = field(default_factory=dict)
    parts: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)


def withheld(asked: Sequence[Asked]) -> tuple[Withheld, ...]:
    """Every result without a number: whole questions first; reasons that differ in a number only are one reason."""
    heaps: dict[tuple[bool, Verdict, str], _Heap] = {}

    def heap(item: Asked, reason: str | None, *, whole: bool, verdict: Verdict) -> _Heap:
        text = reason or "No reason was recorded."
        found = heaps.setdefault((whole, verdict, NUMBER.sub("#", text)), _Heap(anchor=item.anchor))
        found.reasons.append(text)
        return found

    for item in asked:
        finding = item.finding
        if finding.verdict in UNJUDGED:
            found = heap(item, finding.reason, whole=True, verdict=finding.verdict)
            found.whole.setdefault(finding.title, []).append(item.label)
            continue
        for row in finding.estimates:
            if row.value is None:
                size = "" if row.name in COUNTED else f"{row.n} {row.n_unit}"  # a count is of all, not of its group
                key = (item.label or finding.title, group_label(row.group), size)
                found = heap(item, row.reason, whole=False, verdict=Verdict.NOT_ASSESSABLE)
                found.parts.setdefault(key, []).append(brief(row.name))
    order = sorted(heaps.items(), key=lambda pair: not pair[0][0])
    return tuple(
        Withheld(
            reason=common(found.reasons), n=_count(found), what=_names(found), anchor=found.anchor, verdict=verdict
        )
        for (_, verdict, _), found in order
    )


def _count(found: _Heap) -> int:
    return sum(map(len, found.whole.values())) + len(found.parts)


def _names(found: _Heap) -> tuple[str, ...]:
    parts = (
        f"{group} ({', '.join(filter(None, (label, *dict.fromkeys(names), count)))})"
        for (label, group, count), names in found.parts.items()
    )
    whole = (
        f"{title} ({'; '.join(labels)})" if any(labels) else title
        for title, labels in ((title, dict.fromkeys(each)) for title, each in found.whole.items())
    )
    return (*whole, *parts)


def common(texts: Iterable[str]) -> str:
    """One text for several that differ in their numbers only: a number that differs becomes its range."""
    first, *others = dict.fromkeys(texts)
    columns = list(zip(*(NUMBER.findall(text) for text in (first, *others)), strict=True))
    ranges = iter([_range(column) for column in columns])
    return NUMBER.sub(lambda _: next(ranges), first)


def _range(column: Sequence[str]) -> str:
    if len(set(column)) == 1:
        return column[0]
    numbers = sorted(map(int, column))
    return f"{numbers[0]} to {numbers[-1]}"
