# SPDX-License-Identifier: Apache-2.0
"""`SyntheticMixTracker`: which items of a run were synthetic, batch by batch."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ignite.engine import Engine, Events
from monai.engines import Trainer

from monai_ethics.errors import InputError
from monai_ethics.handlers._batch import read_rows
from monai_ethics.handlers._events import has_kind
from monai_ethics.handlers._gather import gather_rows, keep_once, sampler_of
from monai_ethics.handlers._mix import Seen, flag_of, mix_table
from monai_ethics.synthesis.mix import MixTable

__all__ = ["SyntheticMixTracker"]


class SyntheticMixTracker:
    """Track the mix of real and synthetic items in every batch, and refuse what must not be there.

    It looks at a batch before the engine uses it and reads nothing but the flag and the name of each item. An item
    that does not say whether it is synthetic is refused, and so is a synthetic item in the test split. Processes speak
    once an epoch; items that a sampler repeats to make their shares equal count once.

    Args:
        session: the run whose evidence gets the finding `synthesis.mix`; ``None`` keeps the counts in `table` only.
        split: name of the split of this engine's items; by default ``"train"`` of a trainer and ``"test"`` otherwise.
        key: batch key or meta key that says whether an item is synthetic: a bool, 0 or 1, or yes, no, synthetic, real.
        case_key: batch key that names the item; ``None`` takes the file name of the image.
        on_unknown: ``"refuse"`` (default) or ``"count"`` items without a flag as unknown; they never count as real.
        declared_synthetic: whether synthetic items in the test split are declared, and so counted in place of refused.
        engine_id: id of the engine in the config; ``""`` takes the engine's class name.

    Raises:
        InputError: in the run, for a batch with items that are refused.

    Example:
        >>> SyntheticMixTracker(split="train").table is None
        True
    """

    def __init__(
        self,
        session: Any = None,
        split: str | None = None,
        *,
        key: str = "synthetic",
        case_key: str | None = None,
        on_unknown: str = "refuse",
        declared_synthetic: bool = False,
        engine_id: str = "",
    ) -> None:
        if on_unknown not in ("refuse", "count"):
            raise InputError("`on_unknown` must be refuse or count: got another word. Choose one.")
        self.session = session
        self.split = split
        self.key = key
        self.case_key = case_key
        self.on_unknown = on_unknown
        self.declared_synthetic = declared_synthetic
        self.engine_id = engine_id
        self._rows: list[dict[str, Any]] = []
        self._own: Seen = Counter()

    @property
    def table(self) -> MixTable | None:
        """What was seen in whole epochs, on every process the same; ``None`` before the first."""
        return mix_table(self._own) if self._own else None

    def attach(self, engine: Engine) -> None:
        """Join an engine; beside another instance nothing happens."""
        if has_kind(engine, SyntheticMixTracker):
            return
        engine.add_event_handler(Events.EPOCH_STARTED, self._epoch_started)
        engine.add_event_handler(Events.ITERATION_STARTED, self._iteration_started)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._settle)
        engine.add_event_handler(Events.COMPLETED, self._settle)

    def _epoch_started(self, _: Engine) -> None:
        self._rows = []

    def _iteration_started(self, engine: Engine) -> None:
        found = read_rows(engine.state.batch, (self.key,), case_key=self.case_key, patient_key=None)
        rows = [{"case": row.case, "flag": flag_of(row.labels[0])} for row in found]
        self._refuse(rows, self._split(engine))
        self._rows += rows

    def _refuse(self, rows: list[dict[str, Any]], split: str) -> None:
        unknown = sum(row["flag"] is None for row in rows)
        if (unknown or not rows) and self.on_unknown == "refuse":
            raise InputError(
                f"Every item must say under `{self.key}` whether it is synthetic: got {unknown} of {len(rows)} in a "
                'batch that do not. Label them, or choose `on_unknown="count"`.'
            )
        made = sum(row["flag"] is True for row in rows)
        if made and split == "test" and not self.declared_synthetic:
            raise InputError(
                f"The test split must hold acquired items only: got {made} synthetic of {len(rows)} in a batch. "
                "Take them out, or declare them with `declared_synthetic=True`."
            )

    def _settle(self, engine: Engine) -> None:
        """Gather the rows of all processes, which all come here."""
        gathered = gather_rows(self._rows, sampler=sampler_of(engine))
        self._rows = []
        split = self._split(engine)
        new: Seen = Counter()
        for index in keep_once(gathered, by_case=False):
            row = gathered.rows[index]
            new[row["case"], row["flag"], split] += 1
        self._own.update(new)
        if self.session is not None:
            name = self.engine_id or type(engine).__name__
            self.session.ledger.mixes.setdefault(name, Counter()).update(new)

    def _split(self, engine: Engine) -> str:
        return self.split or ("train" if isinstance(engine, Trainer) else "test")
