# SPDX-License-Identifier: Apache-2.0
"""Whether a side table fits the engines of a run, asked before the first batch where their cases can be known."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import ignite.distributed as idist
from ignite.engine import Engine
from monai.engines import Trainer

from monai_ethics.errors import InputError
from monai_ethics.handlers._events import find_metrics
from monai_ethics.handlers._gather import deals_in_turn, sampler_of
from monai_ethics.handlers._transforms import expected_cases

if TYPE_CHECKING:
    from monai_ethics.handlers._groups import GroupSource, RowUse

__all__ = ["TableFit"]


class _Member(NamedTuple):
    source: GroupSource
    case_key: str | None
    patient_key: str | None


class TableFit:
    """The engines that are given side tables.

    A table may be about more people than one engine evaluates, so rows without a case end no run. A table of which no
    row matches a case of any engine is a mistake, as are repeated names and ambiguous matches. Engines that train are
    asked only where none evaluates: the attributes of an evaluation need not fit its training.
    """

    def __init__(self) -> None:
        self._members: WeakKeyDictionary[Engine, _Member] = WeakKeyDictionary()
        self._fits: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()

    def join(
        self, engine: Engine, source: GroupSource, *, case_key: str | None = None, patient_key: str | None = None
    ) -> None:
        """Take note of an engine and of where its groups come from."""
        if source.path is not None:
            self._members[engine] = _Member(source, case_key, patient_key)

    def check(self) -> None:
        """Ask every engine that is known by now; engines that were asked before are not asked again.

        Raises:
            InputError: if a table cannot be read or does not fit.
        """
        if all(engine in self._fits for engine in self._members):
            return
        for path in {member.source.path for member in self._members.values()}:
            self._check(path)

    def _check(self, path: str | None) -> None:
        members = {engine: member for engine, member in self._members.items() if member.source.path == path}
        asked = [engine for engine in members if not isinstance(engine, Trainer)]
        asked = asked or [engine for engine in members if find_metrics(engine)]
        rows = cases = 0
        unknown = not asked
        for engine, (source, case_key, patient_key) in members.items():
            source.load()
            expected = expected_cases(engine, case_key=case_key, patient_key=patient_key) if engine in asked else []
            whole = idist.get_world_size() == 1 or deals_in_turn(sampler_of(engine))
            if not expected or not whole:
                unknown = unknown or engine in asked
                used, rows = source.used_rows([], [])
            else:
                used, rows = source.used_rows([case for case, _ in expected], [patient for _, patient in expected])
                cases += len(expected)
            self._fits[engine] = bool(used)
        if not unknown and not any(self._fits[engine] for engine in asked):
            raise self._misfit(rows, cases, asked)

    def _misfit(self, rows: int, cases: int, engines: list[Engine]) -> Exception:
        from monai_ethics.fairness.attributes import no_match

        for engine in engines:  # asked again if it is run again
            self._fits.pop(engine, None)
        said = "Where batches name no file, cases are called case-000000, case-000001 and so on, in order."
        return InputError(f"{no_match(rows, cases)} {said}")

    def settle(self, engine: Engine, use: RowUse | None, *, certain: bool) -> None:
        """Ask again at the end of an epoch, when an engine's cases are known.

        Args:
            engine: the engine.
            use: what became of the rows.
            certain: whether `use` speaks of the cases of all processes.

        Raises:
            InputError: if no row matched, here or in another evaluation.
        """
        if use is None or not use.with_row + use.without_row:
            return
        self._fits[engine] = bool(use.used)
        fits = any(fits for other, fits in self._fits.items() if not isinstance(other, Trainer))
        if certain and not fits and not isinstance(engine, Trainer):
            raise self._misfit(use.rows, use.without_row, [engine])
