# SPDX-License-Identifier: Apache-2.0
"""`BinaryBeforeAfter`: what a classifier said about the same test cases before and after something was changed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from monai_ethics.errors import InputError
from monai_ethics.fairness.data.before_after import NOTHING_AFTER, PairedGroup, fate
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.classes import is_top_one
from monai_ethics.fairness.data.groups import labels_of
from monai_ethics.fairness.data.rates import MIN_DENOMINATOR, RATE_WORDS
from monai_ethics.statistics.auc import areas_by_group
from monai_ethics.statistics.intervals import Floats

__all__ = ["CHANGES", "BinaryBeforeAfter", "measures_of"]

#: What is compared, and whether more of it is better; ``None`` = neither is.
CHANGES: dict[str, bool | None] = {"tpr": True, "fpr": False, "selection_rate": None, "auc": True, "accuracy": True}
_AUC = "area under the ROC curve within the group"


def measures_of(sides: Sequence[BinaryScores]) -> list[str]:
    """Measures that at least one of two measurements allows; of whether the class is right, its accuracy alone."""
    if any(is_top_one(side) for side in sides):
        return ["accuracy"]
    decided, scored = (any(getattr(side, name) for side in sides) for name in ("y_pred", "y_score"))
    return [*(["tpr", "fpr", "selection_rate"] if decided else []), *(["auc"] if scored else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryBeforeAfter:
    """Two measurements of a classifier for one target, by one measure, and how often their cases were used before.

    Groups and patients are those of `before`. Cases are weighted alike.

    Args:
        before: labels with scores or decisions before the change, with groups.
        after: the same after it; ``None`` if nothing was measured afterwards.
        measure: one of `CHANGES`.
        uses_known: evaluations of exactly these cases that the evidence at hand holds; ``None`` = not looked for.
        uses_declared: further uses of these cases that somebody declares.

    Raises:
        InputError: if the targets or the labels of a case differ, the measure is unknown, or a count is negative.
    """

    before: BinaryScores
    after: BinaryScores | None
    measure: str
    uses_known: int | None = None
    uses_declared: int = 0

    def __post_init__(self) -> None:
        other = self.after or self.before
        if self.measure not in CHANGES:
            raise InputError(f"Expected one of {', '.join(CHANGES)}: got another measure. Correct its name.")
        if other.target != self.before.target:
            raise InputError("Expected one target before and after: got two. Compare like with like.")
        truth = dict(zip(other.cases, other.y_true, strict=True))
        rows = zip(self.before.cases, self.before.y_true, strict=True)
        if differ := sum(truth.get(case, label) != label for case, label in rows):
            raise InputError(
                f"Labels must be the same before and after: got other labels for {differ} of {len(self.before)} cases. "
                "A change of labels is no change of the model. Evaluate both with one set of labels."
            )
        if self.uses_declared < 0 or (self.uses_known or 0) < 0:
            raise InputError("Expected a count of uses: got a negative number.")

    def __len__(self) -> int:
        return len(self.before)

    @property
    def metric(self) -> str:
        """Name of what is compared."""
        return f"{self.before.target}_{self.measure}"

    @property
    def unit(self) -> str:
        """Its unit."""
        return "1"

    @property
    def higher_is_better(self) -> bool | None:
        """Its direction; ``None`` = neither is better."""
        return CHANGES[self.measure]

    @property
    def estimand(self) -> str:
        """What the value of a group is."""
        what = _AUC if self.measure == "auc" else RATE_WORDS[self.measure][0]
        return f"{what}, over cases measured before and after"

    @property
    def needed(self) -> str:
        """Which patients a group needs."""
        cases = "cases of either class" if self.measure == "auc" else RATE_WORDS[self.measure][1]
        return f"patients measured before and after, {MIN_DENOMINATOR} of them with {cases}"

    @property
    def noun(self) -> str:
        """How the value of a group is called in a sentence."""
        return "value"

    @property
    def limitations(self) -> tuple[str, ...]:
        """What is to be said of these two measurements alone."""
        if self.measure == "auc":
            return ("An area does not see a change of the scores that keeps their order within a group.",)
        if self.after is not None and self.after.decided_by != self.before.decided_by:
            return (
                f"Decisions were made in two ways: before, {self.before.decided_by or 'none'}; "
                f"after, {self.after.decided_by or 'none'}.",
            )
        return ()

    @property
    def why_not(self) -> str | None:
        """Why nothing can be compared; ``None`` if it can."""
        if self.after is None:
            return NOTHING_AFTER
        if any(len(side) and not self._column(side) for side in (self.before, self.after)):
            what = "scores" if self.measure == "auc" else "decisions"
            return f"there are no {what} in one of the two measurements"
        return None

    def _column(self, side: BinaryScores) -> Sequence[float]:
        if self.measure == "accuracy" and side.y_pred:
            return [decided == truth for decided, truth in zip(side.y_pred, side.y_true, strict=True)]
        return side.y_score if self.measure == "auc" else side.y_pred

    def reordered(self, order: Sequence[int]) -> Self:
        """The rows at the positions of `order`, which may also leave rows out."""
        after = self.after
        if after is not None and len(after) == len(self.before):
            after = after.reordered(order)
        return replace(self, before=self.before.reordered(order), after=after)

    def fate(self, judged: Mapping[str, bool]) -> dict[str, int]:
        """Cases of both measurements by what became of them; adds up to all cases."""
        after = () if self.after is None else self.after.cases
        return fate(self.before.cases, after, judged, uncounted="not_counted_by_this_measure")

    def paired(self) -> list[int]:
        """Positions in `before` of the cases that count, in both measurements."""
        if self.after is None or self.why_not:
            return []
        later = set(self.after.cases)
        wanted = {"tpr": (True,), "fpr": (False,)}.get(self.measure, (True, False))
        rows = zip(self.before.cases, self.before.y_true, strict=True)
        return [i for i, (case, truth) in enumerate(rows) if case in later and truth in wanted]

    def groups(self, attribute: str | None) -> list[PairedGroup]:
        """Groups of an attribute sorted by label, not recorded last; everyone as one group if it is ``None``."""
        labels = (None,) * len(self) if attribute is None else labels_of(self.before, attribute)
        if self.after is None or self.why_not:
            return []
        at = {case: row for row, case in enumerate(self.after.cases)}
        counted = set(self.paired())
        members: defaultdict[str | None, list[int]] = defaultdict(list)
        for i in sorted(range(len(self)), key=self.before.cases.__getitem__):
            if self.before.cases[i] in at:
                members[labels[i]].append(i)
        earlier, later = self._column(self.before), self._column(self.after)
        out = []
        for label in sorted(members, key=lambda v: (v is None, v or "")):
            size = len({self.before.patients[i] for i in members[label]})
            rows = [i for i in members[label] if i in counted]
            sides = np.array([(earlier[i], later[at[self.before.cases[i]]]) for i in rows], dtype=np.float64)
            out.append(self._group(label, rows, sides.reshape(-1, 2), size))
        return out

    def too_small(self, group: PairedGroup, min_group_size: int) -> str | None:
        """Why a group is listed and not judged; ``None`` if it is judged."""
        least = max(min_group_size, 2)
        if group.size < least:
            return f"{group.size} patients: listed, not judged (at least {least})"
        fewest = len(group.patients) if group.fewest is None else group.fewest
        if fewest < MIN_DENOMINATOR:
            among = "cases of the rarer class" if self.measure == "auc" else RATE_WORDS[self.measure][1]
            return f"{fewest} patients with {among}: listed, not judged (at least {MIN_DENOMINATOR})"
        return None

    def _group(self, label: str | None, rows: Sequence[int], sides: Floats, size: int) -> PairedGroup:
        people = [self.before.patients[i] for i in rows]
        names = tuple(sorted(set(people)))
        row = {name: place for place, name in enumerate(names)}
        codes = np.array([row[name] for name in people], dtype=np.int64)
        if self.measure != "auc":
            return _rate_group(label, names, codes, sides, size)
        truth = np.array([self.before.y_true[i] for i in rows], dtype=bool)
        fewest = min(len(np.unique(codes[side])) for side in (truth, ~truth))
        if fewest < 2:
            empty = np.full(len(names), math.nan)
            return PairedGroup(label=label, patients=names, before=empty, after=empty, members=size, fewest=fewest)
        before, after = (_area_parts(truth, scores, codes, len(names)) for scores in sides.T)
        return PairedGroup(
            label=label,
            patients=names,
            before=before,
            after=after,
            members=size,
            fewest=fewest,
        )


def _rate_group(
    label: str | None, names: tuple[str, ...], codes: NDArray[np.int64], sides: Floats, size: int
) -> PairedGroup:
    n, cases = len(names), np.bincount(codes, minlength=len(names)).astype(np.float64)
    tops = [np.bincount(codes, weights=side, minlength=n) for side in sides.T]
    total = max(math.fsum(cases), 1.0)
    moved = tops[1] - tops[0]
    change = math.fsum(moved) / total
    return PairedGroup(
        label=label,
        patients=names,
        before=n * tops[0] / total,
        after=n * tops[1] / total,
        parts=change + n * (moved - change * cases) / total,
        step=math.sqrt(max(n, 1) / total),
        members=size,
    )


def _area_parts(truth: NDArray[np.bool_], scores: Floats, codes: NDArray[np.int64], n: int) -> Floats:
    """What each patient adds to the area and, at the sample variance within each class, to its error."""
    zeros = np.zeros(len(scores), dtype=np.int64)
    found = areas_by_group(zeros, truth, scores, codes, 1)
    parts = np.zeros(n)
    for side in (truth, ~truth):
        people = len(np.unique(codes[side]))
        own = np.bincount(codes[side], weights=found.influence[side], minlength=n)
        parts += own * math.sqrt(people / (people - 1))
    return float(found.values[0]) + n * parts
