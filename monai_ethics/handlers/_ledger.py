# SPDX-License-Identifier: Apache-2.0
"""Which engines ran, and the last scores of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine
from monai.engines import Trainer

from monai_ethics.handlers._keys import clean

if TYPE_CHECKING:
    from monai_ethics.fairness.data.binary import BinaryScores
    from monai_ethics.fairness.data.scores import ScoreTable
    from monai_ethics.handlers._collect import EpochScores
    from monai_ethics.handlers._mix import Seen

__all__ = ["EngineNotes", "Ledger"]


@dataclass(slots=True, kw_only=True)
class EngineNotes:
    """What is known of one engine.

    Args:
        engine_id: its id in the config.
        expected: whether the config predicted it.
        ran: whether it started.
        carried: whether it started with this package's handlers.
        training: whether it trains.
        tables: score tables of its last epoch.
        labels: labels and scores of classes of its last epoch.
        scores: all that its last epoch gave.
    """

    engine_id: str
    expected: bool = False
    ran: bool = False
    carried: bool = False
    training: bool = False
    tables: tuple[ScoreTable, ...] = field(default=())
    labels: tuple[BinaryScores, ...] = field(default=())
    scores: EpochScores | None = None


class Ledger:
    """Engines of a run by id.

    Args:
        expected: ids that the config predicts.
    """

    def __init__(self, expected: Mapping[str, Any] | Sequence[str]) -> None:
        self.engines = {str(name): EngineNotes(engine_id=str(name), expected=True) for name in expected}
        self.mixes: dict[str, Seen] = {}

    def _notes(self, engine_id: str) -> EngineNotes:
        return self.engines.setdefault(engine_id, EngineNotes(engine_id=engine_id))

    def observe(self, engine_id: str, engine: Engine) -> EngineNotes:
        """Note that an engine runs."""
        notes = self._notes(engine_id)
        notes.ran = notes.carried = True
        notes.training = isinstance(engine, Trainer)
        return notes

    def submit(self, engine_id: str, tables: Sequence[ScoreTable], scores: EpochScores | None) -> None:
        """Replace the scores of an engine."""
        notes = self._notes(engine_id)
        notes.ran = notes.carried = True
        notes.tables, notes.scores = tuple(tables), scores
        notes.labels = tuple(scores.labels) if scores is not None else ()

    def named_tables(self, notes: EngineNotes) -> list[ScoreTable]:
        """Tables of an engine; a metric name that another engine has too carries the engine's id."""
        others = {t.metric for other in self.engines.values() if other is not notes for t in other.tables}
        stem = clean(notes.engine_id)
        return [replace(t, metric=f"{stem}.{t.metric}") if t.metric in others else t for t in notes.tables]

    def named_labels(self, notes: EngineNotes) -> list[BinaryScores]:
        """Labels and scores of an engine; a target that another engine has too carries the engine's id."""
        others = {t.target for other in self.engines.values() if other is not notes for t in other.labels}
        stem = clean(notes.engine_id)
        return [replace(t, target=f"{stem}.{t.target}") if t.target in others else t for t in notes.labels]

    def labels(self, *, training: bool | None = None) -> list[BinaryScores]:
        """Labels and scores of every engine under unique names.

        Args:
            training: only of engines that train, which are described and not compared, or only of the others;
                ``None`` for all.
        """
        asked = [notes for notes in self.engines.values() if training is None or notes.training is training]
        return [table for notes in asked for table in self.named_labels(notes)]

    def tables(self) -> list[ScoreTable]:
        """Tables of every engine under unique names."""
        return [table for notes in self.engines.values() for table in self.named_tables(notes)]
