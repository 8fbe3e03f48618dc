# SPDX-License-Identifier: Apache-2.0
"""What a rewritten config calls while it is being built, and the watch over the engines that really run."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ignite.engine import Engine

from monai_ethics.bundle.names import display_id

__all__ = ["Injector", "ethics_parts"]

Parts = Callable[[Any, str], tuple[Sequence[Any], Sequence[Any]]]


def ethics_parts(session: Any, engine_id: str) -> tuple[Sequence[Any], Sequence[Any]]:
    """New instances for one engine: what comes first and what comes last in its handler list."""
    from monai_ethics.handlers import EvidenceWriter, ProvenanceRecorder, StratifiedScores
    from monai_ethics.handlers._audits import TrainerAudit
    from monai_ethics.handlers.admission import RunGuard

    first = (
        TrainerAudit(session),
        RunGuard(session, engine_id),
        StratifiedScores(session=session, engine_id=engine_id),
    )
    return first, (ProvenanceRecorder(session, engine_id), EvidenceWriter(session, engine_id))


class _Mark:
    """Stands first in a handler list and tells the injector which engine was reached."""

    def __init__(self, carried: weakref.WeakKeyDictionary[Engine, str], engine_id: str) -> None:
        self._carried = carried
        self._engine_id = engine_id

    def attach(self, engine: Engine) -> None:
        self._carried[engine] = self._engine_id


class Injector:
    """Joins the engines of one run to one session.

    Args:
        session: makes the run's session; called at most once, when the first engine is built or the run starts.
        name_of: config id of an engine that was not found in the config, or ``None``.
        parts: makes what comes first and last for one engine.
    """

    def __init__(
        self,
        session: Callable[[], Any],
        *,
        name_of: Callable[[Engine], str | None] = lambda _: None,
        parts: Parts | None = None,
    ) -> None:
        self._make = session
        self._name_of = name_of
        self._parts = parts or ethics_parts
        self._session: Any = None
        self.carried: weakref.WeakKeyDictionary[Engine, str] = weakref.WeakKeyDictionary()
        self.ran: set[str] = set()

    @property
    def session(self) -> Any:
        """The session all engines share."""
        if self._session is None:
            self._session = self._make()
        return self._session

    @property
    def has_session(self) -> bool:
        """Whether the session was made already."""
        return self._session is not None

    def handlers(self, engine_id: str, old: Any) -> list[Any]:
        """The handler list of one engine: metrics, the bundle's own, recorder and writer last.

        Args:
            engine_id: id of the engine in the config.
            old: what the bundle's own expression gave: ``None``, one handler or several.
        """
        name = display_id(engine_id)
        first, last = self._parts(self.session, name)
        return [_Mark(self.carried, name), *first, *_as_list(old), *last]

    def saver(self, saver: Any, synthetic: str) -> Any:
        """A bundle's image saver that also records what it writes; the images stay as they are."""
        from monai_ethics.bundle.saver import wrap_saver

        return wrap_saver(saver, session=self.session, stamp=False, synthetic=synthetic)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Note every Ignite engine that runs in this block; one that the config did not show joins as it starts."""
        run = Engine.run
        active = True

        def watched(engine: Engine, *args: Any, **kwargs: Any) -> Any:
            if active:
                self._note(engine)
            return run(engine, *args, **kwargs)

        Engine.run = watched  # type: ignore[assignment, method-assign]
        try:
            yield
        finally:
            active = False
            if Engine.run is watched:
                Engine.run = run  # type: ignore[method-assign]

    def _note(self, engine: Engine) -> None:
        if engine not in self.carried:
            name = display_id(self._name_of(engine) or f"{type(engine).__name__}_{len(self.ran)}")
            for part in self.handlers(name, None):
                part.attach(engine)
        self.session.fit.check()  # here, where no handler of the bundle logs a traceback for it
        self.ran.add(self.carried[engine])


def _as_list(old: Any) -> list[Any]:
    if old is None:
        return []
    return list(old) if isinstance(old, (list, tuple)) else [old]
