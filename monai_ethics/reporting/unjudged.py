# SPDX-License-Identifier: Apache-2.0
"""What could not be judged, gathered by its reason: a whole question, or the number of one group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from monai_ethics.evidence import UNJUDGED, Verdict
from monai_ethics.reporting.asked import Asked
from monai_ethics.reporting.quantity import group_label
from monai_ethics.reporting.telling import brief

__all__ = ["Withheld", "withheld"]

NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """Results without a number that share one reason."""

    reason: str
    what: tuple[str, ...]
    anchor: str
    verdict: Verdict


@dataclass(slots=True, kw_only=True)
class _Heap:
    anchor: str
    reasons: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
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
            name = f"{finding.title} ({item.label})" if item.label else finding.title
            heap(item, finding.reason, whole=True, verdict=finding.verdict).whole.append(name)
            continue
        for row in finding.estimates:
            if row.value is None:
                key = (item.label or finding.title, group_label(row.group), f"{row.n} {row.n_unit}")
                found = heap(item, row.reason, whole=False, verdict=Verdict.NOT_ASSESSABLE)
                found.parts.setdefault(key, []).append(brief(row.name))
    order = sorted(heaps.items(), key=lambda pair: not pair[0][0])
    return tuple(
        Withheld(reason=common(found.reasons), what=_names(found), anchor=found.anchor, verdict=verdict)
        for (_, verdict, _), found in order
    )


def _names(found: _Heap) -> tuple[str, ...]:
    parts = (
        f"{group} ({', '.join(filter(None, (label, *dict.fromkeys(names), count)))})"
        for (label, group, count), names in found.parts.items()
    )
    return (*dict.fromkeys(found.whole), *parts)


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
