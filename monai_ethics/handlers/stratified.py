# SPDX-License-Identifier: Apache-2.0
"""`StratifiedScores`: every per-case metric that an engine already has, again for each group of cases."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.handlers._collect import Collector, EpochScores
from monai_ethics.handlers._events import has_kind, move_behind_metrics
from monai_ethics.handlers._fit import TableFit
from monai_ethics.handlers._groups import GroupSource

__all__ = ["StratifiedScores"]


class StratifiedScores:
    """Re-aggregate the metrics of an engine for groups of cases, from the rows those metrics already hold.

    Attach it before the handlers that read metrics: as an entry of ``additional_metrics``, as the first handler, or
    with `attach`. It runs on every process. Without attributes it adds nothing to ``engine.state.metrics``; with them
    it adds each single-attribute group and the worst group, such as ``val_mean_dice_sex_F`` and
    ``val_mean_dice_sex_worst``. The bundle's own values are never changed. One instance may serve several engines.

    Args:
        session: the run that collects the scores; ``None`` keeps them in `tables` only.
        attributes: path of a side table (CSV, TSV, ``participants.tsv``, datalist JSON), or names of batch or meta
            keys; ``None`` takes the session's.
        strata: attributes and intersections such as ``"sex,site,sex*site"``; ``None`` takes the session's.
        engine_id: id of the engine in the config; ``""`` takes the engine's class name.
        case_key: batch key that names the case; ``None`` takes the file name of the image.
        patient_key: batch or meta key that names the patient; ``None`` asks the usual keys, such as ``patient_id``.
        log: whether groups are shown to the engine's loggers.

    Example:
        >>> StratifiedScores(attributes=["sex"]).tables
        ()
    """

    def __init__(
        self,
        session: Any = None,
        attributes: str | os.PathLike[str] | Sequence[str] | None = None,
        strata: Any = None,
        engine_id: str = "",
        *,
        case_key: str | None = None,
        patient_key: str | None = None,
        log: bool = True,
    ) -> None:
        self.session = session
        self.engine_id = engine_id
        self.attributes = getattr(session, "attributes", None) if attributes is None else attributes
        self.strata = getattr(session, "strata", None) if strata is None else strata
        self.case_key = case_key
        self.patient_key = patient_key
        self.log = bool(log) and bool(getattr(session, "log", True))
        self.tables: tuple[ScoreTable, ...] = ()
        self.labels: tuple[BinaryScores, ...] = ()
        self.not_assessable: Mapping[str, str] = {}
        self._source = GroupSource(self.attributes, self.strata, getattr(session, "plan", None))
        self._fit: TableFit = getattr(session, "fit", None) or TableFit()
        self._collectors: WeakKeyDictionary[Engine, Collector] = WeakKeyDictionary()

    def attach(self, engine: Engine, name: str | None = None) -> None:
        """Join an engine; a second time, or beside another instance, nothing happens.

        Args:
            engine: a MONAI or plain Ignite engine.
            name: ignored; given when this stands among ``additional_metrics``.
        """
        if has_kind(engine, StratifiedScores):
            return
        engine.add_event_handler(Events.STARTED, self._started)
        engine.add_event_handler(Events.EPOCH_STARTED, self._epoch_started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._iteration_completed)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._epoch_completed)
        engine.add_event_handler(Events.COMPLETED, self._completed)
        self._fit.join(engine, self._source, case_key=self.case_key, patient_key=self.patient_key)
        # attached late, it would show the groups only after the loggers had looked
        move_behind_metrics(engine, self._epoch_completed)

    def _started(self, engine: Engine) -> None:
        self._fit.check()
        if engine not in self._collectors:
            self._collectors[engine] = Collector(
                self._source,
                case_key=self.case_key,
                patient_key=self.patient_key,
                threshold=getattr(self.session, "threshold", None),
            )
        if self.session is not None:
            self.session.observe_engine(self._id(engine), engine)

    def _epoch_started(self, engine: Engine) -> None:
        self._collectors[engine].reset(engine)

    def _iteration_completed(self, engine: Engine) -> None:
        self._collectors[engine].collect(engine.state.batch, engine.state.output)

    @torch.no_grad()
    def _epoch_completed(self, engine: Engine) -> None:
        scores = self._collectors[engine].scores(engine)
        self.tables, self.not_assessable = tuple(scores.tables), dict(scores.not_assessable)
        self.labels = tuple(scores.labels)
        if self.log:
            self._show(engine, scores)
        if self.session is not None and idist.get_rank() == 0:
            self.session.submit(self._id(engine), scores.tables, scores=scores)
        self._fit.settle(engine, scores.table, certain=bool(scores.tables or scores.sets))

    def _show(self, engine: Engine, scores: EpochScores) -> None:
        collector = self._collectors[engine]
        for stale in collector.shown - set(scores.shown):
            engine.state.metrics.pop(stale, None)
        engine.state.metrics.update(scores.shown)
        collector.shown = set(scores.shown)

    def _completed(self, engine: Engine) -> None:
        self._collectors[engine].release()

    def _id(self, engine: Engine) -> str:
        return self.engine_id or type(engine).__name__
