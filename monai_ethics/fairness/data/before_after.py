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
from monai_ethics.statistics.intervals import Floats

__all__ = ["NOTHING_AFTER", "BeforeAfter", "PairedGroup", "fate"]

NOTHING_AFTER = "nothing was measured after the change, so that it did anything is a claim without a number"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedGroup:
    """The patients of one group with a score in both measurements.

    Args:
        label: label of the attribute; ``None`` = not recorded.
        patients: sorted, length ``n``.
        before: mean over the cases of each patient, shape ``(n,)``.
        after: the same afterwards, over the same cases.
        failures: whether a case was missed, or is at the worst possible score, in one measurement and not the other.
        parts: linearized change of each patient, with the mean of the change, shape ``(n,)``; ``None`` if the value of
            the group is a plain mean of `before` and of `after`.
        step: how far one case more moves `parts`, for a rate; 0 otherwise.
        members: patients of the group, of whom only some may count; ``None`` = all count.
        fewest: patients with a case of the rarest kind needed; ``None`` = none is needed.
    """

    label: str | None
    patients: tuple[str, ...]
    before: Floats
    after: Floats
    failures: bool = False
    parts: Floats | None = None
    step: float = 0.0
    members: int | None = None
    fewest: int | None = None

    @property
    def change(self) -> Floats:
        """What each patient adds to the change and to its error, shape ``(n,)``; its mean is the change."""
        return self.after - self.before if self.parts is None else self.parts

    @property
    def size(self) -> int:
        """Patients of the group."""
        return len(self.patients) if self.members is None else self.members


def fate(before: Sequence[str], after: Sequence[str], judged: Mapping[str, bool], *, uncounted: str) -> dict[str, int]:
    """Cases of both measurements by what became of them; adds up to all cases.

    Args:
        before: cases of the first measurement.
        after: cases of the second.
        judged: for each case that counts, whether its group was compared.
        uncounted: name of those in both measurements that do not count.
    """
    later = set(after)
    out = dict.fromkeys(("compared", "in_groups_too_small", uncounted, "only_before"), 0)
    for case in before:
        if case in judged:
            out["compared" if judged[case] else "in_groups_too_small"] += 1
        else:
            out[uncounted if case in later else "only_before"] += 1
    out["only_after"] = len(later - set(before))
    return out


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

    @property
    def metric(self) -> str:
        """Name of what is compared."""
        return self.before.metric

    @property
    def unit(self) -> str:
        """Its unit."""
        return self.before.unit

    @property
    def higher_is_better(self) -> bool | None:
        """Its direction; ``None`` = not known."""
        return self.before.higher_is_better

    @property
    def estimand(self) -> str:
        """What the value of a group is."""
        return "mean over patients with a score before and after"

    @property
    def needed(self) -> str:
        """Which patients a group needs."""
        return "patients with a score before and after"

    @property
    def noun(self) -> str:
        """How the value of a group is called in a sentence."""
        return "mean"

    @property
    def limitations(self) -> tuple[str, ...]:
        """What is to be said of these two measurements alone."""
        return ()

    @property
    def why_not(self) -> str | None:
        """Why nothing can be compared; ``None`` if it can."""
        return None if self.after is not None else NOTHING_AFTER

    def too_small(self, group: PairedGroup, min_group_size: int) -> str | None:
        """Why a group is listed and not judged; ``None`` if it is judged."""
        n = len(group.patients)
        return None if n >= min_group_size else f"{n} patients: listed, not judged (at least {min_group_size})"

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
        return fate(self.before.cases, [*self._afterwards()], judged, uncounted="without_a_score_in_both")

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
