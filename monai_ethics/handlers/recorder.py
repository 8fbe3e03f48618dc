# SPDX-License-Identifier: Apache-2.0
"""`ProvenanceRecorder`: what a run was made of and what it made."""

from __future__ import annotations

from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from monai_ethics.handlers._destinations import output_folders, saved_files
from monai_ethics.handlers._environment import determinism
from monai_ethics.handlers._events import has_kind
from monai_ethics.handlers._model_digest import engine_networks, model_digest
from monai_ethics.handlers._trace import CaseTrace, inference_facts
from monai_ethics.handlers._transforms import applied_transforms, dataset_items, declared_transforms

__all__ = ["ProvenanceRecorder"]


class ProvenanceRecorder:
    """Record model, data, transforms, seeds and outputs of an engine.

    It stands after the bundle's own handlers, never communicates with other processes, and only process 0 records.
    The model is read at the first EPOCH_STARTED, after a CheckpointLoader has put its weights in place, and again when
    a training ends. Dataset files are digested by a background thread.

    Args:
        session: the run's `RunSession`.
        engine_id: id of the engine in the config; ``""`` takes the engine's class name.
    """

    def __init__(self, session: Any, engine_id: str = "") -> None:
        self.session = session
        self.engine_id = engine_id
        self._seen: set[tuple[int, str]] = set()
        self._trace: CaseTrace | None = None

    def attach(self, engine: Engine) -> None:
        """Join an engine; a second time nothing happens."""
        if has_kind(engine, ProvenanceRecorder):
            return
        engine.add_event_handler(Events.STARTED, self._started)
        engine.add_event_handler(Events.EPOCH_STARTED, self._epoch_started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._iteration_completed)
        engine.add_event_handler(Events.COMPLETED, self._completed)

    @property
    def _active(self) -> bool:
        return self.session.evidence is not None and idist.get_rank() == 0

    def _once(self, what: str) -> bool:
        """Whether this is the first time in this run."""
        key = (id(self.session.evidence), what)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _name(self, engine: Engine) -> str:
        return self.engine_id or type(engine).__name__

    def _started(self, engine: Engine) -> None:
        if not self._active:
            return
        for folder in output_folders(engine):
            self.session.watch(folder)
        if self._once("items"):
            for item in dataset_items(engine):
                self.session.input_item(item, use=self._name(engine))

    def _epoch_started(self, engine: Engine) -> None:
        if not self._active:
            return
        self._trace = self.session.trace(self._name(engine))
        if self._trace is not None:
            self._trace.begin()
        if not self._once("model"):
            return
        facts = {
            "device": str(getattr(engine.state, "device", None)),
            "determinism": determinism(),
            "transforms_declared": declared_transforms(engine),
            **inference_facts(engine),
        }
        self.session.note(**{self._name(engine): facts})
        self._model(engine, "start")

    def _model(self, engine: Engine, moment: str) -> None:
        known = self.session.activity.setdefault("model", {})
        for part, network in engine_networks(engine).items():
            known[f"{self._name(engine)}.{part}.{moment}"] = model_digest(network)

    def _iteration_completed(self, engine: Engine) -> None:
        if not self._active:
            return
        for path in saved_files(engine.state.output):
            self.session.output_file(path)
        if self._trace is not None:
            self._trace.add(engine.state.batch, engine.state.output)
        if self._once("applied"):
            facts = self.session.activity.setdefault(self._name(engine), {})
            facts["transforms_applied_partial"] = applied_transforms(engine.state.batch)

    def _completed(self, engine: Engine) -> None:
        if self._active and getattr(engine, "optimizer", getattr(engine, "g_optimizer", None)) is not None:
            self._model(engine, "end")
