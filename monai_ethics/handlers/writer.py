# SPDX-License-Identifier: Apache-2.0
"""`EvidenceWriter`: begins a run's evidence where no workflow did, and ends it when the outermost engine ends."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events

from monai_ethics.handlers._events import foreign_handlers, has_kind, move_to_front

__all__ = ["EvidenceWriter"]


class EvidenceWriter:
    """Stands last in an engine's handlers, so that the bundle's own files exist when it looks.

    Where a workflow owns the session, which it started before any engine, this leaves the end to it. Otherwise the
    session begins with the first engine and is sealed when the outermost engine completes or fails. An exception is
    never swallowed: it is raised again where the host itself would have raised it.

    Args:
        session: the run's `RunSession`.
        engine_id: id of the engine in the config; ``""`` takes the engine's class name.
    """

    def __init__(self, session: Any, engine_id: str = "") -> None:
        self.session = session
        self.engine_id = engine_id

    def attach(self, engine: Engine) -> None:
        """Join an engine; a second time nothing happens."""
        if has_kind(engine, EvidenceWriter):
            return
        engine.add_event_handler(Events.STARTED, self._begin)
        # the session must exist before the recorder and the metrics speak to it
        move_to_front(engine, Events.STARTED, self._begin)
        engine.add_event_handler(Events.COMPLETED, self._end)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._fail)
        # a handler of the host that raises would otherwise end the event before this one is reached
        move_to_front(engine, Events.EXCEPTION_RAISED, self._fail)

    def _begin(self, engine: Engine) -> None:
        own = not self.session.started
        self.session.enter(self.engine_id or type(engine).__name__, engine)
        self.session.owned = self.session.owned or own

    def _end(self, _: Engine) -> None:
        if self.session.leave() and self.session.owned:
            self.session.finish(None)

    def _fail(self, engine: Engine, error: BaseException) -> None:
        if self.session.leave() and self.session.owned:
            self.session.finish(error)
        if not foreign_handlers(engine, Events.EXCEPTION_RAISED):
            raise error
