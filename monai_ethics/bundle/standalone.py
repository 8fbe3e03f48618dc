# SPDX-License-Identifier: Apache-2.0
"""What an overlay file calls under launchers that are not ours: MONAI's own, MONAI Label's and MonaiAlgo."""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine

from monai_ethics.bundle.about import about_bundle
from monai_ethics.bundle.digests import bundle_digests
from monai_ethics.bundle.injector import ethics_parts
from monai_ethics.bundle.names import display_id
from monai_ethics.handlers import RunSession

__all__ = ["EngineEvidence", "overlay_handlers", "overlay_saver", "overlay_session"]


def overlay_session(
    out: str | Path,
    *,
    engines: Sequence[str] = (),
    bundle_root: str | None = None,
    outputs: Sequence[str] = (),
    **settings: Any,
) -> RunSession:
    """The session that an overlay's engines share; it writes nothing before one of them starts.

    Args:
        out: evidence folder.
        engines: ids of the engines that the overlay reaches.
        bundle_root: folder of the bundle, for the digests of its files.
        outputs: folders into which the bundle writes.
        settings: `attributes`, `strata`, `policy` and `log` as in the `ethics` section.

    Returns:
        The session; the writer of the outermost engine ends it.
    """
    config = {
        "files": bundle_digests(Path(bundle_root)) if bundle_root else {},
        "bundle": about_bundle(Path(bundle_root)) if bundle_root else {},
        "engines": {display_id(name): {} for name in engines},
        "workflow": "an overlay file",
        "outputs": [str(folder) for folder in outputs],
    }
    return RunSession(out=Path(out).absolute(), config=config, **settings)


def overlay_handlers(session: RunSession, engine_id: str, old: Any) -> list[Any]:
    """Handler list of one engine of an overlay: metrics, the bundle's own, recorder and writer last."""
    first, last = ethics_parts(session, display_id(engine_id))
    own = [] if old is None else list(old) if isinstance(old, (list, tuple)) else [old]
    return [*first, *own, *last]


def overlay_saver(session: RunSession, saver: Any, synthetic: str) -> Any:
    """A wrapped saver that leaves the images as they are.

    Its session begins with it and ends with the program, since no engine says when.
    """
    from monai_ethics.bundle.saver import wrap_saver

    session.start()
    atexit.register(session.finish)
    return wrap_saver(saver, session=session, stamp=False, synthetic=synthetic)


class EngineEvidence:
    """All of ours as one handler, for MONAI's own ``--tracking``, which appends one handler per engine.

    Args:
        session: session of `overlay_session`.
        engine_id: id of the engine in the config.
    """

    def __init__(self, session: RunSession, engine_id: str) -> None:
        self.session = session
        self.engine_id = display_id(engine_id)

    def attach(self, engine: Engine) -> None:
        """Join an engine; a second time nothing happens."""
        first, last = ethics_parts(self.session, self.engine_id)
        for part in (*first, *last):
            part.attach(engine)
