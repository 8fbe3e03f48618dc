# SPDX-License-Identifier: Apache-2.0
"""Per-case scores of one metric, with the group of each case: what every statement about groups is computed from.

A table is case by case. The unit of every statement is the patient: `ScoreTable.patient_values` gives one value per
patient, the mean over those of the patient's cases that have a reference to be scored against, or their median where a
patient has several and a miss is infinitely bad.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from monai_ethics.errors import InputError
from monai_ethics.evidence import FrozenDict
from monai_ethics.fairness.data.cases import CaseTable

__all__ = ["ESTIMAND", "LARGEST_SCORE", "OUTCOMES", "UNNAMED_PATIENTS", "ScoreTable"]

#: ``missed``: reference not empty, prediction empty. ``false_positive``: reference empty, prediction not.
#: ``true_negative``: both empty. ``undefined``: no value, for another or an unknown cause.
OUTCOMES = ("scored", "missed", "false_positive", "true_negative", "undefined")
ESTIMAND = "patient-weighted: each patient's value is the mean over the patient's cases that have a reference"
ESTIMAND_BY_MEDIAN = ESTIMAND.replace("mean over", "median over")
_MISSED = "_missed"
LARGEST_SCORE = 1e100  # squares and sums of larger ones have no number
UNNAMED_PATIENTS = (
    "No patient was named apart from the case, so each case counts as a patient: where patients have several cases, "
    "intervals are too narrow and alarms too frequent."
)
_KEY = re.compile(r"[A-Za-z0-9_.-]+")
_UNIT_INTERVAL = re.compile(
    r"dice|iou|jaccard|surface_?distance_?overlap|nsd|f1|fbeta|accuracy|precision|recall|sensitivity|specificity", re.I
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTable(CaseTable):
    """Per-case scores of ONE metric: one class channel, or the class mean.

    Args:
        metric: name of the metric, characters of ``[A-Za-z0-9_.-]``.
        unit: ``"1"``, ``"mm"``, or ``"unknown"``.
        higher_is_better: direction; ``None`` if not known.
        cases: unique key of each case, length ``N``.
        patients: cluster of each case, length ``N``; equal to `cases` when not known.
        values: score of each case, length ``N``; ``None`` = undefined.
        outcomes: one of `OUTCOMES` for each case, length ``N``.
        groups: attribute to the label of each case; ``None`` = not recorded.
        bounds: lowest and highest possible score; ``None`` = not known to be bounded.
        misses_known: whether `outcomes` tell misses from low scores; stored files often do not.

    Raises:
        InputError: if lengths, vocabulary or numbers are wrong.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("cases", "patients", "values", "outcomes")

    metric: str
    unit: str
    higher_is_better: bool | None
    cases: tuple[str, ...]
    patients: tuple[str, ...]
    values: tuple[float | None, ...]
    outcomes: tuple[str, ...]
    groups: Mapping[str, tuple[str | None, ...]] = field(default_factory=FrozenDict)
    bounds: tuple[float, float] | None = None
    misses_known: bool = True

    def __post_init__(self) -> None:
        for name in ("cases", "patients", "outcomes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        values = tuple(None if value is None else float(value) for value in self.values)
        object.__setattr__(self, "values", values)
        groups = {str(name): tuple(self.groups[name]) for name in sorted(self.groups)}
        object.__setattr__(self, "groups", FrozenDict(groups))
        object.__setattr__(self, "misses_known", bool(self.misses_known))
        if self.bounds is not None:
            object.__setattr__(self, "bounds", (float(self.bounds[0]), float(self.bounds[1])))
        self._check_lengths()
        self._check_values()

    def _check_lengths(self) -> None:
        if not _KEY.fullmatch(self.metric):
            raise InputError("A metric's name must be made of [A-Za-z0-9_.-]: got another character. Rename it.")
        for name, column in (*self._columns(), *self.groups.items()):
            if len(column) != len(self.cases):
                raise InputError(
                    f"`{name}` must have one entry per case: got {len(column)} for {len(self.cases)} cases. "
                    "Pass None where it is not recorded."
                )
        self._check_cases()

    def _columns(self) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        return ("patients", self.patients), ("values", self.values), ("outcomes", self.outcomes)

    def _check_values(self) -> None:
        low, high = self.bounds or (-math.inf, math.inf)
        for position, (value, outcome) in enumerate(zip(self.values, self.outcomes, strict=True)):
            if outcome not in OUTCOMES:
                raise InputError(f"An outcome must be one of {', '.join(OUTCOMES)}: got another at case {position}.")
            if value is not None and not abs(value) <= LARGEST_SCORE:
                raise InputError(
                    f"Scores must be finite and of a size up to {LARGEST_SCORE:g}: got another at case {position}. "
                    "Pass None there."
                )
            if value is not None and not low <= value <= high:
                raise InputError(f"Scores must lie within `bounds`: case {position} does not. Correct the bounds.")
            if (value is None and outcome == "scored") or (value is not None and outcome == "undefined"):
                raise InputError(
                    "A case is `scored` with a value or `undefined` without one: "
                    f"got the opposite at case {position}. Set its outcome."
                )

    def to_json(self) -> str:
        """Strict JSON with sorted keys; equal tables give equal bytes."""
        return json.dumps(self.to_dict(), allow_nan=False, ensure_ascii=False, sort_keys=True)

    @property
    def of_misses(self) -> bool:
        """Whether this is what `missed` gives: 1 for a missed case, 0 for any other with a reference."""
        return self.metric.endswith(_MISSED) and self.higher_is_better is False and self.bounds == (0.0, 1.0)

    @property
    def score_bounds(self) -> tuple[float, float] | None:
        """`bounds`, or (0, 1) for overlap scores and rates known by name whose values do not contradict it."""
        if self.bounds is not None or self.unit != "1" or "loss" in self.metric.lower():
            return self.bounds
        known = _UNIT_INTERVAL.search(self.metric) is not None
        inside = all(value is None or 0 <= value <= 1 for value in self.values)
        return (0.0, 1.0) if known and inside else None

    @property
    def worst(self) -> float | None:
        """The value of a missed case that the metric leaves undefined: the worse bound, or an infinity."""
        if self.higher_is_better is None:
            return None
        low, high = self.score_bounds or (-math.inf, math.inf)
        return low if self.higher_is_better else high

    def case_values(self) -> tuple[float | None, ...]:
        """Score of each case that has a reference, missed ones at their worst; ``None`` where there is no score."""
        worst = self.worst
        pairs = zip(self.values, self.outcomes, strict=True)
        return tuple(
            value if outcome == "scored" else (worst if value is None else value) if outcome == "missed" else None
            for value, outcome in pairs
        )

    @property
    def by_median(self) -> bool:
        """Whether a patient's value is the median of its cases: patients repeat, and a miss is infinitely bad.

        One missed slice of many would make the mean of its patient infinite, and nearly all patients alike.
        """
        worst = self.worst
        if worst is None or math.isfinite(worst) or len(set(self.patients)) == len(self.patients):
            return False
        pairs = zip(self.values, self.outcomes, strict=True)
        return any(value is None and outcome == "missed" for value, outcome in pairs)

    @property
    def estimand(self) -> str:
        """What a patient's value is."""
        return ESTIMAND_BY_MEDIAN if self.by_median else ESTIMAND

    def patient_values(self, *, by_median: bool | None = None) -> dict[str, float | None]:
        """One value per patient, sorted by patient, over the patient's cases that have a score.

        Args:
            by_median: the median of its cases in place of the mean; ``None`` = as `by_median` of this table says.

        Returns:
            Patient to value; ``None`` for a patient without a scored or missed case.
        """
        middle = _median if (self.by_median if by_median is None else by_median) else _mean
        pools: dict[str, list[float]] = {patient: [] for patient in sorted(set(self.patients))}
        for patient, value in zip(self.patients, self.case_values(), strict=True):
            if value is not None:
                pools[patient].append(value)
        return {patient: middle(pool) for patient, pool in pools.items()}

    def accounting(self) -> dict[str, int]:
        """Number of cases of each outcome; adds up to all cases."""
        counts = Counter(self.outcomes)
        return {name: counts[name] for name in OUTCOMES}

    def missed(self) -> Self | None:
        """The table of misses (1 = missed) over the cases with a reference; ``None`` if nothing was missed."""
        if "missed" not in self.outcomes:
            return None
        order = [i for i, outcome in enumerate(self.outcomes) if outcome in ("scored", "missed")]
        rows = self.reordered(order)
        hits = tuple(float(outcome == "missed") for outcome in rows.outcomes)
        return replace(
            rows,
            metric=f"{self.metric}{_MISSED}",
            unit="1",
            higher_is_better=False,
            values=hits,
            outcomes=("scored",) * len(hits),
            bounds=(0.0, 1.0),
        )


def _mean(pool: Sequence[float]) -> float | None:
    """Mean with correctly rounded sum, so that it does not depend on the order; infinities stay infinite."""
    if not pool:
        return None
    infinite = [value for value in pool if math.isinf(value)]
    return infinite[0] if infinite else math.fsum(pool) / len(pool)


def _median(pool: Sequence[float]) -> float | None:
    if not pool:
        return None
    ordered, half = sorted(pool), len(pool) // 2
    return ordered[half] if len(pool) % 2 else _mean(ordered[half - 1 : half + 1])
