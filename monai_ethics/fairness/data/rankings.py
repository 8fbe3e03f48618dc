# SPDX-License-Identifier: Apache-2.0
"""Labels and scores of a classifier as arrays, in an order that does not depend on the order of cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import labels_of
from monai_ethics.statistics.intervals import Floats
from monai_ethics.statistics.placements import Ints, runs_of

__all__ = ["Ranking", "ranking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Cases sorted upwards by score.

    Args:
        scores: score of each case, shape ``(N,)``.
        truth: whether it is positive, shape ``(N,)``.
        patients: number of its patient, 0 to ``n_patients - 1``, shape ``(N,)``; patients are numbered by the classes
            of their cases (positive only, negative only, both), then by their scores.
        labels: number of its group, an index of `names` or ``len(names)`` for no group compared, shape ``(N,)``.
        names: label of each group, sorted, not recorded last.
        n_patients: number of patients.
    """

    scores: Floats
    truth: NDArray[np.bool_]
    patients: Ints
    labels: Ints
    names: tuple[str | None, ...]
    n_patients: int

    @property
    def runs(self) -> Ints | None:
        """Number of the tie of each case; ``None`` without ties."""
        return runs_of(self.scores)

    @property
    def crossed(self) -> int:
        """Number of patients whose cases are in several groups."""
        pairs = np.unique(self.patients * (len(self.names) + 1) + self.labels)
        return int((np.bincount(pairs // (len(self.names) + 1)) > 1).sum()) if len(pairs) else 0

    @property
    def repeats(self) -> bool:
        """Whether patients have several cases."""
        return self.n_patients < len(self.scores)

    @property
    def patterns(self) -> Ints:
        """Classes among each patient's cases: 1 positive only, 2 negative only, 3 both; ascending."""
        has = [np.bincount(self.patients[side], minlength=self.n_patients) > 0 for side in (self.truth, ~self.truth)]
        return has[0] + 2 * has[1]

    @property
    def patient_labels(self) -> Ints:
        """Group of each patient; of one that is in several groups, one of them."""
        found = np.zeros(self.n_patients, dtype=np.int64)
        found[self.patients] = self.labels
        return found

    def patients_in(self, group: int) -> tuple[int, int, int]:
        """Patients of a group, those of them with a positive case, and those with a negative one."""
        own = self.labels == group
        sides = (own, own & self.truth, own & ~self.truth)
        sizes = [len(np.unique(self.patients[side])) for side in sides]
        return sizes[0], sizes[1], sizes[2]

    def compared(self, kept: list[int], *, rest: bool) -> Ranking:
        """These groups only, renumbered; cases of others get the number of no group, or are left out.

        Args:
            kept: groups to keep.
            rest: whether to keep cases of other groups, as part of everyone's background.
        """
        number = np.full(len(self.names) + 1, len(kept))
        number[kept] = np.arange(len(kept))
        labels = number[self.labels]
        names = tuple(self.names[group] for group in kept)
        if rest:
            return replace(self, labels=labels, names=names)
        rows = np.flatnonzero(labels < len(kept))
        return _numbered(self.scores[rows], self.truth[rows], self.patients[rows], labels[rows], names)

    def flipped(self) -> Ranking:
        """Scores and classes turned around: what is said of negative cases is then said of positive ones."""
        turned = (-self.scores[::-1], ~self.truth[::-1], self.patients[::-1], self.labels[::-1])
        return _numbered(*turned, self.names)

    def with_scores(self, scores: Floats) -> Ranking:
        """The same cases with other scores, sorted anew."""
        return _numbered(scores, self.truth, self.patients, self.labels, self.names)

    def draws(self, count: int, block: int, rng: np.random.Generator) -> Iterator[Ints]:
        """The labels of cases as they are, then with patients exchanged among those of the same classes, in blocks.

        Args:
            count: number of draws.
            block: draws at once.
            rng: source of random numbers.

        Yields:
            Labels of shape ``(draws, N)``.
        """
        kind = np.uint8 if len(self.names) < 255 else np.int64
        yield self.labels[None].astype(kind)
        own, patterns = self.patient_labels.astype(kind), self.patterns
        table = [np.bincount(own[patterns == pattern], minlength=len(self.names) + 1) for pattern in (1, 2, 3)]
        by_size = np.lexsort(table)  # so that the names of groups do not matter
        rows = [np.repeat(by_size.astype(kind), counts[by_size]) for counts in table]
        for start in range(0, count, block):
            size = min(block, count - start)
            parts = [rng.permuted(np.tile(row, (size, 1)), axis=1) for row in rows]
            yield np.concatenate(parts, axis=1)[:, self.patients]


def ranking(data: BinaryScores, attribute: str) -> Ranking:
    """Put the cases of one attribute into arrays.

    Args:
        data: labels, scores and groups.
        attribute: grouping; empty for everyone as one group.

    Returns:
        The cases, sorted.
    """
    labels = labels_of(data, attribute) if attribute else ("",) * len(data)
    names = tuple(sorted(set(labels), key=lambda label: (label is None, label or "")))
    places = {name: index for index, name in enumerate(names)}
    codes = np.array([places[label] for label in labels], dtype=np.int64)
    people = {name: index for index, name in enumerate(sorted(set(data.patients)))}
    patients = np.array([people[name] for name in data.patients], dtype=np.int64)
    scores, truth = np.array(data.y_score, dtype=np.float64), np.array(data.y_true, dtype=bool)
    return _numbered(scores, truth, patients, codes, names)


def _numbered(
    scores: Floats, truth: NDArray[np.bool_], patients: Ints, labels: Ints, names: tuple[str | None, ...]
) -> Ranking:
    order = np.lexsort((patients, labels, truth, scores))
    scores, truth, labels = scores[order], truth[order], labels[order]
    _, first, codes = np.unique(patients[order], return_index=True, return_inverse=True)
    count = len(first)
    has = [np.bincount(codes[side], minlength=count) > 0 for side in (truth, ~truth)]
    middle = np.bincount(codes, weights=np.arange(len(codes)), minlength=count)
    number = np.empty(count, dtype=np.int64)
    number[np.lexsort((middle, first, has[0] + 2 * has[1]))] = np.arange(count)
    return Ranking(scores=scores, truth=truth, patients=number[codes], labels=labels, names=names, n_patients=count)
