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
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import CASE_MIX
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.handlers._batch import RawRow, label_text, read_rows
from monai_ethics.handlers._buffers import first_number, read_buffers
from monai_ethics.handlers._events import FoundMetric, find_metrics
from monai_ethics.handlers._gather import Gathered, deals_in_turn, gather_rows, keep_once, sampler_of, unique_cases
from monai_ethics.handlers._groups import Grouped, GroupSource, RowUse
from monai_ethics.handlers._keys import WORST, clean, group_keys
from monai_ethics.handlers._labels import as_threshold, columns_of, holds_labels, labels_of
from monai_ethics.handlers._plain import OutputTap, PlainEpoch, agrees
from monai_ethics.handlers._presence import PresenceTap
from monai_ethics.handlers._roi import ROI_BAND, ROI_SIZE, size_bands
from monai_ethics.handlers._tables import Cases, MetricRows, PlainRows, group_values, score_tables
from monai_ethics.handlers._traits import traits_of

__all__ = ["Collector", "EpochScores", "GroupValue"]

EMPTY = "a process held no case, so the metric's rows cannot be brought together"
NOT_AGAIN = "its rows cannot be aggregated again ({})"
FOREIGN = (RuntimeError, ValueError, TypeError, IndexError)  # from a foreign metric's own code on a subset
CURVES = ("ROC_AUC", "AveragePrecision")  # of Ignite: they are given scores and labels
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
        labels: labels and scores of each class, where a metric such as ROC AUC holds them.
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
    labels: list[BinaryScores] = field(default_factory=list)
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
        threshold: score from which on a case is decided positive; ``None`` for no decisions.

    Raises:
        InputError: if the threshold is no finite number.
    """

    def __init__(
        self, source: GroupSource, *, case_key: str | None, patient_key: str | None, threshold: Any = None
    ) -> None:
        self.source = source
        self.threshold = as_threshold(threshold)
        self.case_key = case_key
        self.patient_key = patient_key
        self.shown: set[str] = set()
        self.checked = False
        self.rows: list[RawRow] = []
        self.taps: dict[str, tuple[Any, PresenceTap]] = {}
        self.plain: dict[str, tuple[Any, OutputTap]] = {}

    def reset(self, engine: Engine) -> None:
        """Forget the last epoch and watch the metrics that compare masks, and the plain ones."""
        self.release()
        self.rows = []
        for found in find_metrics(engine):
            if found.reason:
                continue
            traits = traits_of(found.subject)
            inner = found.handler._output_transform
            if found.plain:
                tap = inner if isinstance(inner, OutputTap) else OutputTap(inner, found.handler)
                self.plain[found.name] = (found.handler, tap)
                found.handler._output_transform = tap
            elif traits.segmentation:
                inner = inner.inner if isinstance(inner, PresenceTap) else inner
                measure = not self.taps and not isinstance(engine, Trainer)
                look = PresenceTap(inner, include_background=traits.include_background, measure=measure)
                found.handler._output_transform = look
                self.taps[found.name] = (found.handler, look)

    def release(self) -> None:
        """Give every metric its own output transform back."""
        for handler, tap in (*self.taps.values(), *self.plain.values()):
            if handler._output_transform is tap:
                handler._output_transform = tap.inner
        self.taps, self.plain = {}, {}

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
        epochs = {name: PlainEpoch.read(handler, tap, len(self.rows)) for name, (handler, tap) in self.plain.items()}
        presence = {name: self._bits(tap) for name, (_, tap) in self.taps.items()}
        sampler = sampler_of(engine)
        gathered = gather_rows(self._payload(presence, epochs), sampler=sampler)
        reason = _refusal(engine, gathered, sampler)
        if reason:
            out.not_assessable.update({m.name: reason for m in usable})
            return out
        keep = keep_once(gathered, by_case=len(gathered.counts) > 1 and not deals_in_turn(sampler))
        out.padding = len(gathered.rows) - len(keep)
        cases = self._cases(gathered, keep, out, lenient=isinstance(engine, Trainer))
        for found in usable:
            rows: MetricRows | PlainRows | None
            if found.plain:
                rows = self._plain_rows(engine, found, gathered, cases, epochs, out)
            else:
                rows = self._metric_rows(found, gathered, cases, out)
            if rows is not None:
                self._score(engine, rows, cases, out)
        return out

    def _bits(self, tap: PresenceTap) -> list[Any]:
        bits = tap.bits()
        return bits if len(bits) == len(self.rows) else [None] * len(self.rows)

    def _payload(
        self, presence: Mapping[str, Sequence[Any]], plain: Mapping[str, PlainEpoch] | None = None
    ) -> list[dict[str, Any]]:
        sizes = next((tap.sizes() for _, tap in self.taps.values() if tap.measure), [])
        sizes = sizes if len(sizes) == len(self.rows) else [None] * len(self.rows)
        return [
            {
                "case": row.case,
                "patient": label_text(row.patient),
                "labels": [label_text(value) for value in row.labels],
                "presence": {name: bits[i] for name, bits in presence.items()},
                "roi": sizes[i],
                "plain": {name: epoch.values[i] for name, epoch in (plain or {}).items() if epoch.values},
                "why": {name: epoch.reason for name, epoch in (plain or {}).items() if epoch.reason},
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
        mix = size_bands([row["roi"] for row in rows], known.patients)
        if {ROI_SIZE, ROI_BAND} & {*known.groups, *known.attributes}:  # the user's own
            mix = {}
        out.cases, out.patients, out.attributes = tuple(keys), known.patients, known.attributes
        out.table = known.table
        if mix:
            out.attributes = {**known.attributes, ROI_SIZE: mix[ROI_SIZE]}
        groups = {**known.groups, **{name: mix[name] for name in mix if name == ROI_BAND}}
        groups |= self.source.crossed({**known.attributes, **groups})
        index = torch.tensor(keep, dtype=torch.int64)
        return Cases(index=index, keys=tuple(keys), patients=known.patients, groups=groups)

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

    def _metric_rows(self, found: FoundMetric, gathered: Gathered, cases: Cases, out: EpochScores) -> MetricRows | None:
        if 0 in gathered.counts:
            out.not_assessable[found.name] = EMPTY
            return None
        buffers = read_buffers(found.metric_fn)
        lengths = {len(buffer) for buffer in buffers}
        if lengths != {len(gathered.rows)}:
            held = "no row" if not lengths else f"{min(lengths)} rows for {len(gathered.rows)} cases"
            out.not_assessable[found.name] = f"it holds {held}: it has no value per case"
            return None
        if len(buffers) == 2 and (traits_of(found.metric_fn).set_level or holds_labels(buffers)):
            self._label(found, buffers, cases, out)
        presence = [row["presence"].get(found.name) for row in gathered.rows]
        try:
            return MetricRows.read(found, buffers, presence, cases.index)
        except FOREIGN as error:
            out.not_assessable[found.name] = NOT_AGAIN.format(type(error).__name__)
            return None

    def _plain_rows(
        self,
        engine: Engine,
        found: FoundMetric,
        gathered: Gathered,
        cases: Cases,
        epochs: Mapping[str, PlainEpoch],
        out: EpochScores,
    ) -> PlainRows | None:
        kind = type(found.handler).__name__
        whole = first_number(engine.state.metrics.get(found.name))
        reasons = sorted({row["why"][found.name] for row in gathered.rows if found.name in row["why"]})
        if whole is None and not reasons:
            reasons = ["its value is undefined or not one number"]
        if reasons:
            out.not_assessable[found.name] = f"{kind}: {reasons[0]}"
            return None
        epoch = epochs[found.name]
        values = [row["plain"].get(found.name) for row in gathered.rows]
        if agrees(whole, values):
            column = torch.tensor(values, dtype=torch.float64).reshape(-1, 1)
            return PlainRows(found=found, values=column[cases.index])
        if len(gathered.counts) > 1:
            out.not_assessable[found.name] = f"{kind} exists only for a set of cases, which lies on several processes"
            return None
        if kind in CURVES and all(len(case) == 2 for case in epoch.given):
            self._label(found, [torch.cat(column) for column in zip(*epoch.given, strict=True)], cases, out)
        return PlainRows(found=found, values=None, twin=epoch.twin, given=epoch.given)

    def _label(self, found: FoundMetric, buffers: Sequence[torch.Tensor], cases: Cases, out: EpochScores) -> None:
        columns, reason = columns_of(buffers[0], buffers[1], cases.index)
        name = clean(found.name)
        if reason:
            out.not_assessable[f"{name}_labels"] = f"classes are not compared: {reason}"
        out.labels.extend(labels_of(name, columns, cases, out.labels, self.threshold))

    def _score(self, engine: Engine, rows: MetricRows | PlainRows, cases: Cases, out: EpochScores) -> None:
        found = rows.found
        try:
            if rows.values is None:
                out.sets.extend(_sets(rows, cases))
            values = {a: group_values(rows, cases, a) for a in self._shown_attributes(cases)}
        except FOREIGN as error:
            out.not_assessable[found.name] = NOT_AGAIN.format(type(error).__name__)
            return
        if rows.values is None:
            out.not_assessable[found.name] = "it exists only for a set of cases: group values without an interval"
        out.tables.extend(score_tables(rows, cases))
        taken = {*out.shown, *(set(engine.state.metrics) - self.shown), *(m for m in out.not_assessable)}
        for attribute, by_label in values.items():
            out.shown.update(_shown(found, attribute, by_label, taken))

    def _shown_attributes(self, cases: Cases) -> list[str]:
        single = (name for name in cases.groups if "*" not in name and name not in CASE_MIX)
        return [name for name in single if len(set(cases.groups[name])) <= MAX_SHOWN]


def _shown(
    found: FoundMetric, attribute: str, by_label: Mapping[str | None, float | None], taken: set[str]
) -> dict[str, float]:
    keys = group_keys(found.name, attribute, by_label, taken=taken)
    out = {keys[label]: value for label, value in by_label.items() if value is not None}
    better = traits_of(found.subject).higher_is_better
    if out and better is not None:
        worst = min(out.values()) if better else max(out.values())
        out[f"{clean(found.name)}_{clean(attribute)}_{WORST}"] = worst
    return out


def _sets(rows: MetricRows | PlainRows, cases: Cases) -> list[GroupValue]:
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
    named = all(row["case"] is not None for row in gathered.rows)
    if idist.get_world_size() > 1 and isinstance(engine, Trainer) and not named and not deals_in_turn(sampler):
        return "training cases are repeated across processes and carry no name by which to count each once"
    return ""
