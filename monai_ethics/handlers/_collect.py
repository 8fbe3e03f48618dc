# SPDX-License-Identifier: Apache-2.0
"""One engine's epoch: collect rows in each iteration, turn them into score tables at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine
from monai.engines import Trainer

from monai_ethics.errors import InputError
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.handlers._batch import RawRow, label_text, read_rows
from monai_ethics.handlers._buffers import read_buffers
from monai_ethics.handlers._events import FoundMetric, find_metrics
from monai_ethics.handlers._gather import Gathered, deals_in_turn, gather_rows, keep_once, sampler_of, unique_cases
from monai_ethics.handlers._groups import Grouped, GroupSource, RowUse
from monai_ethics.handlers._keys import WORST, clean, group_keys
from monai_ethics.handlers._presence import PresenceTap
from monai_ethics.handlers._tables import Cases, MetricRows, group_values, score_tables
from monai_ethics.handlers._traits import traits_of

__all__ = ["Collector", "EpochScores", "GroupValue"]

MAX_SHOWN = 20  # labels of one attribute that loggers are given; all of them are in the evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupValue:
    """A metric of a set of cases, such as ROC AUC, for one group.

    Args:
        metric: name of the metric.
        group: attribute to label; empty for everyone.
        value: the host's own aggregate; ``None`` if undefined.
        n: cases in the group.
    """

    metric: str
    group: Mapping[str, str | None]
    value: float | None
    n: int


@dataclass(slots=True, kw_only=True)
class EpochScores:
    """What an epoch gave.

    Args:
        tables: score tables, in the order of the metrics.
        not_assessable: metric name to the reason why it has no table.
        shown: logger key to value.
        sets: values of metrics that exist only for sets of cases.
        cases: keys of all cases, each counted once.
        patients: cluster of each case.
        attributes: attribute as recorded to the label of each case.
        padding: rows left out because a sampler repeated their case.
        table: what became of the side table's rows; ``None`` without one.
    """

    tables: list[ScoreTable] = field(default_factory=list)
    not_assessable: dict[str, str] = field(default_factory=dict)
    shown: dict[str, float] = field(default_factory=dict)
    sets: list[GroupValue] = field(default_factory=list)
    cases: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    padding: int = 0
    table: RowUse | None = None


class Collector:
    """Rows of one engine.

    Args:
        source: where groups come from.
        case_key: batch key that names the case, or ``None``.
        patient_key: batch or meta key that names the patient, or ``None``.
    """

    def __init__(self, source: GroupSource, *, case_key: str | None, patient_key: str | None) -> None:
        self.source = source
        self.case_key = case_key
        self.patient_key = patient_key
        self.shown: set[str] = set()
        self.checked = False
        self.rows: list[RawRow] = []
        self.taps: dict[str, tuple[Any, PresenceTap]] = {}

    def reset(self, engine: Engine) -> None:
        """Forget the last epoch and watch the metrics that compare masks."""
        self.release()
        self.rows = []
        for found in find_metrics(engine):
            traits = None if found.reason else traits_of(found.metric_fn)
            if traits is not None and traits.segmentation:
                inner = found.handler._output_transform
                inner = inner.inner if isinstance(inner, PresenceTap) else inner
                tap = PresenceTap(inner, include_background=traits.include_background)
                found.handler._output_transform = tap
                self.taps[found.name] = (found.handler, tap)

    def release(self) -> None:
        """Give every metric its own output transform back."""
        for handler, tap in self.taps.values():
            if handler._output_transform is tap:
                handler._output_transform = tap.inner
        self.taps = {}

    def collect(self, batch: Any, output: Any) -> None:
        """Note the cases of one iteration; neither `batch` nor `output` is kept or changed."""
        rows = read_rows(batch, self.source.names, case_key=self.case_key, patient_key=self.patient_key)
        if not rows and output is not None:
            rows = read_rows(output, self.source.names, case_key=self.case_key, patient_key=self.patient_key)
        if rows and not self.checked:
            self.source.check_strata([[label_text(value) for value in row.labels] for row in rows])
            self.checked = True
        self.rows.extend(rows)

    def scores(self, engine: Engine) -> EpochScores:
        """Score tables of the epoch; processes meet here only if the engine has a metric that does so itself."""
        metrics = find_metrics(engine)
        out = EpochScores(not_assessable={m.name: m.reason for m in metrics if m.reason})
        usable = [m for m in metrics if not m.reason]
        if not usable:
            gathered = Gathered(rows=tuple(self._payload({})), counts=(len(self.rows),))
            self._cases(gathered, list(range(len(gathered.rows))), out, lenient=True)
            return out
        presence = {name: self._bits(tap) for name, (_, tap) in self.taps.items()}
        sampler = sampler_of(engine)
        gathered = gather_rows(self._payload(presence), sampler=sampler)
        reason = _refusal(engine, gathered, sampler)
        if reason:
            out.not_assessable.update({m.name: reason for m in usable})
            return out
        keep = keep_once(gathered, by_case=len(gathered.counts) > 1 and not deals_in_turn(sampler))
        out.padding = len(gathered.rows) - len(keep)
        cases = self._cases(gathered, keep, out, lenient=isinstance(engine, Trainer))
        for found in usable:
            self._score(engine, found, gathered, cases, out)
        return out

    def _bits(self, tap: PresenceTap) -> list[Any]:
        bits = tap.bits()
        return bits if len(bits) == len(self.rows) else [None] * len(self.rows)

    def _payload(self, presence: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
        return [
            {
                "case": row.case,
                "patient": label_text(row.patient),
                "labels": [label_text(value) for value in row.labels],
                "presence": {name: bits[i] for name, bits in presence.items()},
                "padding": False,
                "rank": 0,
            }
            for i, row in enumerate(self.rows)
        ]

    def _cases(self, gathered: Gathered, keep: list[int], out: EpochScores, *, lenient: bool) -> Cases:
        rows = [gathered.rows[i] for i in keep]
        keys, cases = unique_cases(rows)
        # one order whatever the sampler and the number of processes: sums in float32 depend on it
        order = sorted(range(len(keys)), key=keys.__getitem__)
        keep, rows = [keep[i] for i in order], [rows[i] for i in order]
        keys, cases = [keys[i] for i in order], [cases[i] for i in order]
        known = self._grouped(rows, cases, lenient=lenient)
        out.cases, out.patients, out.attributes = tuple(keys), known.patients, known.attributes
        out.table = known.table
        index = torch.tensor(keep, dtype=torch.int64)
        return Cases(index=index, keys=tuple(keys), patients=known.patients, groups=known.groups)

    def _grouped(self, rows: Sequence[Mapping[str, Any]], cases: Sequence[str], *, lenient: bool) -> Grouped:
        patients = [row["patient"] for row in rows]
        alone = Grouped(attributes={}, groups={}, patients=tuple(p or c for p, c in zip(patients, cases, strict=True)))
        if not rows:
            return alone
        try:
            return self.source.resolve([row["labels"] for row in rows], cases, patients)
        except InputError:
            if lenient:  # attributes of an evaluation's cases need not fit those of a training
                return alone
            raise

    def _score(self, engine: Engine, found: FoundMetric, gathered: Gathered, cases: Cases, out: EpochScores) -> None:
        buffers = read_buffers(found.metric_fn)
        lengths = {len(buffer) for buffer in buffers}
        if lengths != {len(gathered.rows)}:
            held = "no row" if not lengths else f"{min(lengths)} rows for {len(gathered.rows)} cases"
            out.not_assessable[found.name] = f"it holds {held}: it has no value per case"
            return
        presence = [row["presence"].get(found.name) for row in gathered.rows]
        try:
            rows = MetricRows.read(found, buffers, presence, cases.index)
            if rows.values is None:
                out.sets.extend(_sets(rows, cases))
            values = {a: group_values(rows, cases, a) for a in self._shown_attributes(cases)}
        except (RuntimeError, ValueError, TypeError, IndexError) as error:  # a foreign metric's own code on a subset
            out.not_assessable[found.name] = f"its rows cannot be aggregated again ({type(error).__name__})"
            return
        if rows.values is None:
            out.not_assessable[found.name] = "it exists only for a set of cases: group values without an interval"
        out.tables.extend(score_tables(rows, cases))
        taken = {*out.shown, *(set(engine.state.metrics) - self.shown), *(m for m in out.not_assessable)}
        for attribute, by_label in values.items():
            out.shown.update(_shown(found, attribute, by_label, taken))

    def _shown_attributes(self, cases: Cases) -> list[str]:
        single = (name for name in cases.groups if "*" not in name)
        return [name for name in single if len(set(cases.groups[name])) <= MAX_SHOWN]


def _shown(
    found: FoundMetric, attribute: str, by_label: Mapping[str | None, float | None], taken: set[str]
) -> dict[str, float]:
    keys = group_keys(found.name, attribute, by_label, taken=taken)
    out = {keys[label]: value for label, value in by_label.items() if value is not None}
    better = traits_of(found.metric_fn).higher_is_better
    if out and better is not None:
        worst = min(out.values()) if better else max(out.values())
        out[f"{clean(found.name)}_{clean(attribute)}_{WORST}"] = worst
    return out


def _sets(rows: MetricRows, cases: Cases) -> list[GroupValue]:
    found = []
    name = clean(rows.found.name)
    everyone = Cases(index=cases.index, keys=cases.keys, patients=cases.patients, groups={"": ("",) * len(cases.keys)})
    for attribute, source in (("", everyone), *((a, cases) for a in cases.groups)):
        members = source.members(attribute)
        for label, value in group_values(rows, source, attribute).items():
            group = {} if not attribute else {attribute: label}
            found.append(GroupValue(metric=name, group=group, value=value, n=len(members[label])))
    return found


def _refusal(engine: Engine, gathered: Gathered, sampler: Any) -> str:
    """Why no metric of this epoch can be stratified; empty if it can."""
    if not gathered.rows:
        return "no case was met in the batches"
    if 0 in gathered.counts:
        return "a process held no case, so the metrics' rows cannot be brought together"
    named = all(row["case"] is not None for row in gathered.rows)
    if idist.get_world_size() > 1 and isinstance(engine, Trainer) and not named and not deals_in_turn(sampler):
        return "training cases are repeated across processes and carry no name by which to count each once"
    return ""
