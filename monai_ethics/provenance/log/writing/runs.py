# SPDX-License-Identifier: Apache-2.0
"""Which run ids a log has used: ranges of numbers behind a name, so that a million runs of a site are one range."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence

__all__ = ["MOST_RANGES", "RunNames"]

MOST_RANGES = 10_000  # about 1 MB where every run has another name
_NUMBERED = re.compile(r"(.+)-([2-9]|[1-9][0-9]{1,8})", re.DOTALL)


class RunNames:
    """Run ids as ``name`` (number 1) and ``name-2``, ``name-3`` and so on; memory grows with the gaps between numbers.

    Beyond `MOST_RANGES` ranges nothing is remembered, and each run gets the number of its first entry: no other run
    has that one.
    """

    def __init__(self) -> None:
        self._ranges: dict[str, list[list[int]]] = {}
        self._count = 0
        self._latest: str | None = None
        self._exact = True

    def add(self, name: str) -> None:
        """Note one; most entries are of the same run as the entry before."""
        if name == self._latest or not self._exact:
            return
        self._latest = name
        base, number = _split(name)
        ranges = self._ranges.setdefault(base, [])
        at = bisect_right(ranges, number, key=lambda pair: pair[0])
        if at and number <= ranges[at - 1][1]:
            return
        joins_left = at > 0 and ranges[at - 1][1] == number - 1
        joins_right = at < len(ranges) and ranges[at][0] == number + 1
        if joins_left and joins_right:
            ranges[at - 1][1] = ranges.pop(at)[1]
            self._count -= 1
        elif joins_left:
            ranges[at - 1][1] = number
        elif joins_right:
            ranges[at][0] = number
        else:
            ranges.insert(at, [number, number])
            self._count += 1
        if self._count > MOST_RANGES:
            self._ranges, self._exact = {}, False

    def __contains__(self, name: str) -> bool:
        base, number = _split(name)
        return any(low <= number <= high for low, high in self._ranges.get(base, ()))

    def free(self, wanted: str, *, size: int) -> str:
        """The id itself where it is free, else with the smallest free number from 2 behind it.

        Args:
            wanted: the id asked for.
            size: entries of the log.
        """
        if not self._exact:
            return f"{wanted}-{max(size, 2)}" if size else wanted
        if wanted not in self:
            return wanted
        number = 2
        for low, high in self._ranges.get(wanted, ()):
            if low <= number <= high:
                number = high + 1
        return f"{wanted}-{number}"

    def to_dict(self) -> dict[str, list[list[int]]] | None:
        """Name to ranges, for JSON; ``None`` where there were too many."""
        return self._ranges if self._exact else None

    @classmethod
    def from_dict(cls, data: Mapping[str, Sequence[Sequence[int]]] | None) -> RunNames:
        """What `to_dict` gave."""
        names = cls()
        names._exact = data is not None
        names._ranges = {str(base): [[int(a), int(b)] for a, b in pairs] for base, pairs in (data or {}).items()}
        names._count = sum(map(len, names._ranges.values()))
        return names


def _split(name: str) -> tuple[str, int]:
    found = _NUMBERED.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, 1)
