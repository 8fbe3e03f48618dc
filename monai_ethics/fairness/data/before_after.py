# SPDX-License-Identifier: Apache-2.0
"""`BeforeAfter`: the same test cases scored before and after something was changed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.fairness.data.groups import at_worst, labels_of
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.methods.intervals import Floats

__all__ = ["BeforeAfter", "PairedGroup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedGroup:
    """The patients of one group with a score in both measurements.

    Args:
        label: label of the attribute; ``None`` = not recorded.
        patients: sorted, length ``n``.
        before: mean over the cases of each patient, shape ``(n,)``.
        after: the same afterwards, over the same cases.
        failures: whether a case was missed, or is at the worst possible score, in one measurement and not the other.
    """

    label: str | None
    patients: tuple[str, ...]
    before: Floats
    after: Floats
    failures: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeAfter:
    """Two score tables of one metric, and how often their cases were used before.

    Groups and patients are those of `before`.

    Args:
        before: scores before the change, with groups.
        after: scores after it; ``None`` if nothing was measured afterwards.
        uses_known: evaluations of exactly these cases that the evidence at hand holds; ``None`` = not looked for.
        uses_declared: further uses of these cases that somebody declares.

    Raises:
        InputError: if the tables are of different metrics, or a count is negative.
    """

    before: ScoreTable
    after: ScoreTable | None
    uses_known: int | None = None
    uses_declared: int = 0

    def __post_init__(self) -> None:
        other = self.after or self.before
        mine, theirs = ((t.metric, t.unit, t.higher_is_better) for t in (self.before, other))
        if mine != theirs:
            raise InputError("Expected one metric, unit and direction before and after: got two. Score both alike.")
        if self.uses_declared < 0 or (self.uses_known or 0) < 0:
            raise InputError("Expected a count of uses: got a negative number.")

    def __len__(self) -> int:
        return len(self.before)

    def reordered(self, order: Sequence[int]) -> Self:
        """The rows at the positions of `order`, which may also leave rows out."""
        after = self.after
        if after is not None and len(after) == len(self.before):
            after = after.reordered(order)
        return replace(self, before=self.before.reordered(order), after=after)

    def _afterwards(self) -> Mapping[str, float | None]:
        after = self.after
        return {} if after is None else dict(zip(after.cases, after.case_values(), strict=True))

    def fate(self, judged: Mapping[str, bool]) -> dict[str, int]:
        """Cases of both measurements by what became of them; adds up to all cases.

        Args:
            judged: for each paired case, whether its group was compared.
        """
        later = self._afterwards()
        out = dict.fromkeys(("compared", "in_groups_too_small", "without_a_score_in_both", "only_before"), 0)
        for case in self.before.cases:
            if case in judged:
                out["compared" if judged[case] else "in_groups_too_small"] += 1
            else:
                out["without_a_score_in_both" if case in later else "only_before"] += 1
        out["only_after"] = len(set(later) - set(self.before.cases))
        return out

    def paired(self) -> list[int]:
        """Positions in `before` of the cases with a finite score in both measurements."""
        later = self._afterwards()
        values = self.before.case_values()
        return [i for i, case in enumerate(self.before.cases) if _finite(values[i]) and _finite(later.get(case))]

    def groups(self, attribute: str | None) -> list[PairedGroup]:
        """Groups of an attribute sorted by label, not recorded last; everyone as one group if it is ``None``."""
        if self.after is None:
            return []
        labels = (None,) * len(self) if attribute is None else labels_of(self.before, attribute)
        earlier, later = self.before.case_values(), self._afterwards()
        lost = _missed(self.before) ^ _missed(self.after)
        members: defaultdict[str | None, list[int]] = defaultdict(list)
        for i in self.paired():
            members[labels[i]].append(i)
        out = []
        for label in sorted(members, key=lambda v: (v is None, v or "")):
            rows = members[label]
            pairs = [(earlier[i], later[self.before.cases[i]]) for i in rows]
            people = [self.before.patients[i] for i in rows]
            failures = any(self.before.cases[i] in lost for i in rows)
            out.append(_group(label, people, np.asarray(pairs, dtype=np.float64), failures))
        return out


def _group(label: str | None, people: Sequence[str], pairs: Floats, failures: bool) -> PairedGroup:
    pools: defaultdict[str, list[Floats]] = defaultdict(list)
    for patient, pair in zip(people, pairs, strict=True):
        pools[patient].append(pair)
    names = tuple(sorted(pools))
    means = [[math.fsum(float(p[k]) for p in pools[n]) / len(pools[n]) for k in (0, 1)] for n in names]
    table = np.asarray(means, dtype=np.float64).reshape(len(names), 2)
    return PairedGroup(label=label, patients=names, before=table[:, 0], after=table[:, 1], failures=failures)


def _missed(table: ScoreTable) -> set[str]:
    """Cases that were missed or, where a stored file does not tell, are at the worst possible score."""
    values = table.case_values()
    bottom = at_worst(table, np.array([value for value in values if value is not None], dtype=np.float64))
    rows = zip(table.cases, values, table.outcomes, strict=True)
    return {case for case, value, outcome in rows if outcome == "missed" or (bottom and value == table.worst)}


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
