# SPDX-License-Identifier: Apache-2.0
"""`WorstGroupScore`: a key metric whose value is that of the group that a model serves worst."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.handlers import IgniteMetricHandler

from monai_ethics.errors import InputError
from monai_ethics.fairness.data.groups import label_text as printed
from monai_ethics.handlers._batch import RawRow, label_text, read_rows
from monai_ethics.handlers._buffers import read_buffers
from monai_ethics.handlers._events import FoundMetric, has_kind
from monai_ethics.handlers._gather import deals_in_turn, gather_rows, keep_once, sampler_of, unique_cases
from monai_ethics.handlers._groups import GroupSource
from monai_ethics.handlers._keys import WORST, clean, group_keys
from monai_ethics.handlers._tables import Cases, MetricRows, group_values
from monai_ethics.handlers._traits import DISTANCES, traits_of
from monai_ethics.handlers.stratified import StratifiedScores

__all__ = ["WorstGroupScore"]

UNDEFINED = -math.inf  # NaN would be kept for ever: no later value is greater than it


class WorstGroupScore:
    """The worst group's value of a metric, for ``key_val_metric``, `CheckpointSaver` and early stopping.

    It stands where the metric stood, attaches that metric under a name of its own, and aggregates its rows again for
    each group. All processes hold the same value. **Higher is always better**: of an error or a distance it is the
    negative of the worst group's value, so neither ``metric_cmp_fn`` nor ``key_metric_negative_sign`` is needed.

    The value chose the checkpoint and is therefore optimistic: measure the model again on data that chose nothing.

    Args:
        metric: a cumulative metric's handler, such as ``MeanDice(...)``.
        attributes: names of batch or meta keys, or path of a side table.
        strata: attributes and intersections such as ``"sex,sex*site"``; ``None`` takes each attribute alone.
        min_group_size: smallest group that may be the worst, in patients; smaller ones are in `excluded`.
        metric_name: name of the metric for everyone in ``engine.state.metrics``; ``None`` adds ``_everyone``.
        case_key: batch key that names the case; ``None`` takes the file name of the image.
        patient_key: batch or meta key that names the patient; ``None`` asks the usual keys, such as ``patient_id``.

    Raises:
        InputError: if `metric` keeps no rows, it is not known whether more of it is better, no attribute is named, or
            the smallest group is no number of patients.

    Notes:
        A group without a defined value is never 0. It is left out where its cases have no reference. Of a distance it
        may be that the model finds nothing in any case of the group: the value is then minus infinity, so that no such
        model is chosen over another. A distance leaves missed cases out: choose models by an overlap score.
    """

    def __init__(
        self,
        metric: IgniteMetricHandler,
        attributes: str | os.PathLike[str] | Sequence[str],
        strata: Any = None,
        *,
        min_group_size: int = 10,
        metric_name: str | None = None,
        case_key: str | None = None,
        patient_key: str | None = None,
    ) -> None:
        if isinstance(min_group_size, bool) or not isinstance(min_group_size, int) or min_group_size < 1:
            raise InputError("`min_group_size` must be a whole number of patients from 1 on: got another. Correct it.")
        self.metric = metric
        self.metric_name = metric_name
        self.min_group_size = min_group_size
        self.case_key = case_key
        self.patient_key = patient_key
        self.groups: Mapping[str, float] = {}
        self.excluded: Mapping[str, str] = {}
        self.worst: str | None = None
        self._source = GroupSource(attributes, strata)
        self._name = self._inner = ""
        self._rows: list[RawRow] = []
        self._shown: set[str] = set()
        self._told: set[str] = set()
        self._sign = self._direction()

    def _direction(self) -> float:
        metric_fn = getattr(self.metric, "metric_fn", None)
        if metric_fn is None or not callable(getattr(metric_fn, "get_buffer", None)):
            raise InputError(
                "Expected the handler of a cumulative metric of MONAI, such as MeanDice: got one that keeps no row "
                "per case."
            )
        better = traits_of(metric_fn).higher_is_better
        if better is None:
            raise InputError(
                f"Expected a metric of which it is known whether more is better: got {type(metric_fn).__name__}."
            )
        if not self._source.given:
            raise InputError("Expected the attributes that make groups: got none. Name batch keys or a side table.")
        return 1.0 if better else -1.0

    def attach(self, engine: Engine, name: str = "worst_group_score") -> None:
        """Join an engine.

        Args:
            engine: a MONAI or plain Ignite engine.
            name: key of the value in ``engine.state.metrics``; MONAI gives the one in the config.

        Raises:
            InputError: if the metric for everyone would have the same name.
        """
        self._name, self._inner = name, self.metric_name or f"{name}_everyone"
        if self._inner == name:
            raise InputError("Expected another `metric_name` than the name of the worst group's value: got the same.")
        self.metric.attach(engine, self._inner)
        engine.add_event_handler(Events.EPOCH_STARTED, self._epoch_started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._iteration_completed)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._epoch_completed)

    def _epoch_started(self, _: Engine) -> None:
        self._rows = []

    def _iteration_completed(self, engine: Engine) -> None:
        keys = {"case_key": self.case_key, "patient_key": self.patient_key}
        self._rows.extend(read_rows(engine.state.batch, self._source.names, **keys))

    @torch.no_grad()
    def _epoch_completed(self, engine: Engine) -> None:
        rows, cases = self._gathered(engine)
        found = {a: group_values(rows, cases, a) for a in self._attributes(cases)}
        self._judge(rows, cases, found)
        self.worst = min(self.groups, key=self.groups.__getitem__, default=None)
        engine.state.metrics[self._name] = UNDEFINED if self.worst is None else self.groups[self.worst]
        if not has_kind(engine, StratifiedScores):
            self._show(engine, found)
        if idist.get_rank() == 0:
            self._tell(engine)

    def _gathered(self, engine: Engine) -> tuple[MetricRows, Cases]:
        """The metric's rows of all processes, and the cases that count once, in one order on every process."""
        sampler = sampler_of(engine)
        payload = [
            {"case": r.case, "patient": label_text(r.patient), "labels": [label_text(v) for v in r.labels]}
            for r in self._rows
        ]
        gathered = gather_rows(payload, sampler=sampler)
        buffers = read_buffers(self.metric.metric_fn)
        if {len(buffer) for buffer in buffers} != {len(gathered.rows)}:
            raise InputError("Expected one row of the metric for each case: got another number. Use a per-case metric.")
        keep = keep_once(gathered, by_case=len(gathered.counts) > 1 and not deals_in_turn(sampler))
        keys, names = unique_cases([gathered.rows[i] for i in keep])
        order = sorted(range(len(keys)), key=keys.__getitem__)
        kept = [gathered.rows[keep[i]] for i in order]
        known = self._source.resolve(
            [row["labels"] for row in kept], [names[i] for i in order], [row["patient"] for row in kept]
        )
        index = torch.tensor([keep[i] for i in order], dtype=torch.int64)
        cases = Cases(index=index, keys=tuple(keys[i] for i in order), patients=known.patients, groups=known.groups)
        metric = FoundMetric(self._inner, self.metric, self.metric.metric_fn, "")
        return MetricRows.read(metric, buffers, [], index), cases

    def _attributes(self, cases: Cases) -> list[str]:
        asked = [a for a in cases.groups if self._source.strata is not None or "*" not in a]
        if all(label is None for a in asked for label in cases.groups[a]):
            raise InputError(
                "Expected a recorded attribute for some cases: got none, so there are no groups and no worst group. "
                "Check the names of `attributes`, or the side table."
            )
        return asked

    def _judge(self, rows: MetricRows, cases: Cases, found: Mapping[str, Mapping[str | None, float | None]]) -> None:
        groups: dict[str, float] = {}
        excluded: dict[str, str] = {}
        distance = bool({cls.__name__ for cls in type(rows.found.metric_fn).__mro__} & DISTANCES)
        for attribute, by_label in found.items():
            members = cases.members(attribute)
            for label, value in by_label.items():
                group = f"{attribute}={printed(label)}"
                scored = [i for i in members[label] if distance or _defined(rows, i)]
                n = len({cases.patients[i] for i in scored})
                if n < self.min_group_size:
                    excluded[group] = f"{n} patients with a reference, fewer than {self.min_group_size}"
                elif value is not None and math.isfinite(value):
                    groups[group] = self._sign * value
                elif distance:
                    groups[group] = UNDEFINED
                else:
                    excluded[group] = "no defined value"
        if not groups:
            raise InputError(
                f"Expected a group of at least {self.min_group_size} patients with a defined value: got none. "
                "Lower `min_group_size` or choose attributes with fewer groups."
            )
        self.groups, self.excluded = groups, excluded

    def _show(self, engine: Engine, found: Mapping[str, Mapping[str | None, float | None]]) -> None:
        """Each group's value as `StratifiedScores` shows it, in the metric's own direction."""
        shown: dict[str, float] = {}
        taken = {*engine.state.metrics} - self._shown
        for attribute, by_label in found.items():
            if "*" in attribute:
                continue
            keys = group_keys(self._inner, attribute, by_label, taken={*shown, *taken})
            values = {keys[label]: value for label, value in by_label.items() if value is not None}
            shown.update(values)
            if values:
                worst = min(self._sign * value for value in values.values()) * self._sign
                shown[f"{clean(self._inner)}_{clean(attribute)}_{WORST}"] = worst
        for stale in self._shown - set(shown):
            engine.state.metrics.pop(stale, None)
        engine.state.metrics.update(shown)
        self._shown = set(shown)

    def _tell(self, engine: Engine) -> None:
        """Name each group that cannot be the worst, once."""
        for group, reason in self.excluded.items():
            if group not in self._told:
                self._told.add(group)
                engine.logger.warning("%s: %s is not judged: %s", self._name, group, reason)


def _defined(rows: MetricRows, case: int) -> bool:
    return rows.values is None or not bool(rows.values[case].isnan().all())
