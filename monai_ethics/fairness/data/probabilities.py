# SPDX-License-Identifier: Apache-2.0
"""Probabilities and outcomes of the cases of each group, in an order that depends on neither rows nor names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import labels_of
from monai_ethics.statistics.intervals import Floats

__all__ = ["Forecasts", "forecasts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """The cases of one group, ascending by probability.

    Args:
        label: label of the attribute; ``None`` = not recorded.
        p: probability of each case, shape ``(N,)``.
        y: outcome of each case, 0 or 1, shape ``(N,)``.
        patients: patient of each case, length ``N``.
    """

    label: str | None
    p: Floats
    y: Floats
    patients: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Different patients, sorted."""
        return tuple(sorted(set(self.patients)))

    @property
    def codes(self) -> NDArray[np.int64]:
        """Patient of each case as a position in `names`."""
        place = {name: i for i, name in enumerate(self.names)}
        return np.array([place[name] for name in self.patients], dtype=np.int64)

    @property
    def repeated(self) -> bool:
        """Whether any patient has several cases."""
        return len(set(self.patients)) < len(self.patients)

    def per_patient(self, values: Floats) -> tuple[Floats, Floats]:
        """Sum of `values` over the cases of each patient, and the number of its cases; in the order of `names`."""
        codes = self.codes
        sums = np.bincount(codes, weights=values).astype(np.float64)
        return sums, np.bincount(codes).astype(np.float64)

    def with_outcome(self, outcome: int) -> int:
        """Number of patients with a case of that outcome."""
        return len({name for name, y in zip(self.patients, self.y, strict=True) if y == outcome})


def forecasts(data: BinaryScores, attribute: str | None) -> list[Forecasts]:
    """Groups of an attribute sorted by label, not recorded last; everyone as one group if there is none.

    Args:
        data: labels with probabilities.
        attribute: grouping, such as ``sex`` or ``sex*site``.

    Returns:
        One entry for each label.
    """
    labels = (None,) * len(data) if attribute is None else labels_of(data, attribute)
    rows: defaultdict[str | None, list[int]] = defaultdict(list)
    for position, label in enumerate(labels):
        rows[label].append(position)
    return [_group(data, label, rows[label]) for label in sorted(rows, key=lambda text: (text is None, text or ""))]


def _group(data: BinaryScores, label: str | None, rows: Sequence[int]) -> Forecasts:
    order = sorted(rows, key=lambda i: (data.y_score[i], data.y_true[i], data.patients[i], data.cases[i]))
    return Forecasts(
        label=label,
        p=np.array([data.y_score[i] for i in order], dtype=np.float64),
        y=np.array([data.y_true[i] for i in order], dtype=np.float64),
        patients=tuple(data.patients[i] for i in order),
    )
