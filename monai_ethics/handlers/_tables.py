# SPDX-License-Identifier: Apache-2.0
"""From a metric's rows to score tables and group values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.handlers._buffers import aggregate_rows, case_values, first_number
from monai_ethics.handlers._events import FoundMetric
from monai_ethics.handlers._keys import clean
from monai_ethics.handlers._plain import Case, Twin
from monai_ethics.handlers._presence import MISSED, case_outcome, channel_outcomes
from monai_ethics.handlers._traits import traits_of

__all__ = ["Cases", "MetricRows", "PlainRows", "group_values", "score_tables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """The cases of an epoch, each counted once.

    Args:
        index: position of each case among all gathered rows, length ``N``.
        keys: unique key of each case.
        patients: cluster of each case.
        groups: attribute to label of each case.
    """

    index: torch.Tensor
    keys: tuple[str, ...]
    patients: tuple[str, ...]
    groups: Mapping[str, tuple[str | None, ...]]

    def members(self, attribute: str) -> dict[str | None, list[int]]:
        """Label to positions among the cases, recorded labels sorted, not recorded last."""
        out: dict[str | None, list[int]] = {}
        for position, label in enumerate(self.groups[attribute]):
            out.setdefault(label, []).append(position)
        return {label: out[label] for label in sorted(out, key=lambda v: (v is None, v or ""))}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRows:
    """A metric with its rows.

    Args:
        found: the metric on the engine.
        buffers: its synchronized rows.
        presence: per gathered row, what `PresenceTap.bits` noted.
        values: per case and channel, shape ``(N, C)`` float64, of the cases only; ``None`` for a metric of sets.
    """

    found: FoundMetric
    buffers: Sequence[torch.Tensor]
    presence: Sequence[Any]
    values: torch.Tensor | None

    @classmethod
    def read(
        cls, found: FoundMetric, buffers: Sequence[torch.Tensor], presence: Sequence[Any], index: torch.Tensor
    ) -> MetricRows:
        """Take the values of the cases at `index` out of the rows."""
        values = None if traits_of(found.metric_fn).set_level else case_values(found.metric_fn, buffers)
        if values is not None:
            values = values[index]
        return cls(found=found, buffers=buffers, presence=presence, values=values)

    def aggregate(self, cases: Cases, members: Sequence[int]) -> float | None:
        """The metric of some of the cases."""
        return first_number(aggregate_rows(self.found.metric_fn, self.buffers, cases.index[list(members)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRows:
    """A plain Ignite metric with what it was given.

    Args:
        found: the metric on the engine.
        values: of the cases, shape ``(N, 1)`` float64; ``None`` for a metric of sets.
        twin: a copy of the metric, for sets of cases.
        given: per gathered row, what the metric was given; empty if it has values per case.
    """

    found: FoundMetric
    values: torch.Tensor | None
    twin: Twin | None = None
    given: Sequence[Case] = ()
    presence: Sequence[Any] = ()

    def aggregate(self, cases: Cases, members: Sequence[int]) -> float | None:
        """The metric of some of the cases."""
        if self.values is not None:
            return float(self.values[list(members), 0].mean())
        index = cases.index.tolist()
        return None if self.twin is None else self.twin.value([self.given[index[i]] for i in members])


def score_tables(rows: MetricRows | PlainRows, cases: Cases) -> list[ScoreTable]:
    """Score tables of a metric: the mean over its channels, and each channel where there are several."""
    if rows.values is None:
        return []
    name, traits = clean(rows.found.name), traits_of(rows.found.subject)
    values, channels = rows.values, rows.values.shape[1]
    bits = [rows.presence[i] if rows.presence else None for i in cases.index.tolist()]
    defined = (~values.isnan()).tolist()
    by_case = [channel_outcomes(b, d) for b, d in zip(bits, defined, strict=True)]
    # a class that was missed and has no distance must not drop out of the mean over classes: the case has no mean then
    lost = [any(o == MISSED and not d for o, d in zip(*row, strict=True)) for row in zip(by_case, defined, strict=True)]
    mean = [None if gone else value for gone, value in zip(lost, _numbers(values.nanmean(1)), strict=True)]
    outcomes = [
        MISSED if gone else case_outcome(b, v is not None, include_background=traits.include_background)
        for b, v, gone in zip(bits, mean, lost, strict=True)
    ]
    looked = any(b is not None for b in bits)
    tables = [_table(name, mean, outcomes, cases, traits, misses_known=looked)]
    if channels > 1:
        tables += [
            _table(
                f"{name}_class_{c + 1}",
                _numbers(values[:, c]),
                [o[c] for o in by_case],
                cases,
                traits,
                misses_known=looked,
            )
            for c in range(channels)
        ]
    return tables


def _table(
    metric: str,
    values: Sequence[float | None],
    outcomes: Sequence[str],
    cases: Cases,
    traits: Any,
    *,
    misses_known: bool,
) -> ScoreTable:
    inside = all(v is None or 0 <= v <= 1 for v in values)
    return ScoreTable(
        metric=metric,
        unit=traits.unit,
        higher_is_better=traits.higher_is_better,
        cases=cases.keys,
        patients=cases.patients,
        values=tuple(values),
        outcomes=tuple(outcomes),
        groups=cases.groups,
        bounds=(0.0, 1.0) if traits.rate and inside else None,
        misses_known=misses_known,
    )


def _numbers(values: torch.Tensor) -> list[float | None]:
    return [None if math.isnan(v) else v for v in values.tolist()]


def group_values(rows: MetricRows | PlainRows, cases: Cases, attribute: str) -> dict[str | None, float | None]:
    """The host's own aggregate over each group of an attribute.

    Returns:
        Label to value; ``None`` where no case of the group has a value, which MONAI itself would call 0.
    """
    out: dict[str | None, float | None] = {}
    for label, members in cases.members(attribute).items():
        defined = rows.values is None or not bool(rows.values[members].isnan().all())
        if not defined:
            out[label] = None
            continue
        out[label] = rows.aggregate(cases, members)
    return out
