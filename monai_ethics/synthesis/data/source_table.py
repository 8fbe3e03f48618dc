# SPDX-License-Identifier: Apache-2.0
"""Items with what is known of their source: real, synthetic, or not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from monai_ethics.errors import InputError

__all__ = ["SourceTable"]

COLUMNS = ("synthetic", "labels", "units", "tested_synthetic", "tested_labels", "tested_correct", "tested_units")


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceTable:
    """A training list, and how the trained model did on test items of both sources.

    Args:
        synthetic: whether each training item is synthetic; ``None`` = not known, which is never taken for real.
        labels: its class; ``None`` = not recorded.
        units: what is independent: its patient, or what a synthetic item was generated with; each by itself if not
            given.
        attributes: further columns, such as site, scanner or sex; ``None`` = not recorded.
        tested_synthetic: source of each test item.
        tested_labels: its true class.
        tested_correct: whether the model's answer was right; ``None`` = no answer.
        tested_units: its patient or what it was generated with.

    Raises:
        InputError: if lengths differ.
    """

    synthetic: Sequence[bool | None]
    labels: Sequence[str | None]
    units: Sequence[str] | None = None
    attributes: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    tested_synthetic: Sequence[bool | None] = ()
    tested_labels: Sequence[str | None] = ()
    tested_correct: Sequence[bool | None] = ()
    tested_units: Sequence[str] | None = None

    def __post_init__(self) -> None:
        trained, tested = len(self.synthetic), len(self.tested_synthetic)
        if self.units is None:
            object.__setattr__(self, "units", tuple(f"{i:09d}" for i in range(trained)))
        if self.tested_units is None:
            object.__setattr__(self, "tested_units", tuple(f"{i:09d}" for i in range(tested)))
        columns = {name: getattr(self, name) for name in COLUMNS} | dict(self.attributes)
        for name, column in columns.items():
            wanted = tested if name.startswith("tested_") and name in COLUMNS else trained
            if len(column) != wanted:
                raise InputError(f"`{name}` must have one entry per item: got {len(column)} for {wanted}. Match them.")
        if "label" in self.attributes:
            raise InputError("`label` is the name of the class: got an attribute of that name. Rename it.")

    def reordered(self, order: Sequence[int]) -> SourceTable:
        """The same lists with their first items in another order."""

        def moved(column: Sequence[Any]) -> tuple[Any, ...]:
            first = [i for i in order if i < len(column)]
            return tuple(column[i] for i in [*first, *range(len(order), len(column))])

        changes: dict[str, Any] = {name: moved(getattr(self, name)) for name in COLUMNS}
        return replace(self, **changes, attributes={name: moved(column) for name, column in self.attributes.items()})
