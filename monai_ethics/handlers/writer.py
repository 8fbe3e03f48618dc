# SPDX-License-Identifier: Apache-2.0
"""`EvidenceWriter`: begins a run's evidence where no workflow did, and ends it when the outermost engine ends."""

from __future__ import annotations

import atexit
from typing import Any

from ignite.engine import Engine, Events

from monai_ethics.errors import EthicsError
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
        if own:
            self.session.owned = True
            atexit.register(self._abandoned)  # a program may end inside an engine, or an engine without its last event

    def _abandoned(self) -> None:
        if self.session.owned:
            self.session.finish(SystemExit())

    def _finish(self, error: BaseException | None) -> None:
        if self.session.leave() and self.session.owned:
            atexit.unregister(self._abandoned)
            self.session.finish(error)

    def _end(self, _: Engine) -> None:
        self._finish(None)

    def _fail(self, engine: Engine, error: BaseException) -> None:
        self._finish(error)
        if isinstance(error, EthicsError):  # one sentence says it: the host's loggers would add our stack
            error.__traceback__ = None
        if not foreign_handlers(engine, Events.EXCEPTION_RAISED):
            raise error
