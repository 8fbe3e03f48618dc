# SPDX-License-Identifier: Apache-2.0
"""Which items have every field that should be recorded of them: a complete count, and what is missing of whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Observation

__all__ = ["FieldTable", "field_estimates", "field_observations", "missing_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTable:
    """Items and which fields are recorded of each.

    Args:
        items: pseudonyms, shape ``(N,)``.
        present: for each item the names of the fields that are recorded.
    """

    items: Sequence[str]
    present: Sequence[frozenset[str]]

    def __post_init__(self) -> None:
        if len(self.items) != len(self.present):
            raise InputError(
                f"`present` must have one entry per item: got {len(self.present)} for {len(self.items)}. Match them."
            )

    def reordered(self, order: Sequence[int]) -> FieldTable:
        """The same table in another order."""
        return FieldTable(items=[self.items[i] for i in order], present=[self.present[i] for i in order])


def missing_of(data: FieldTable, fields: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Items with the fields that they lack, sorted; both in one order whatever the order of the items."""
    rows = [
        (item, tuple(name for name in fields if name not in present))
        for item, present in zip(data.items, data.present, strict=True)
    ]
    return sorted(rows)


def field_estimates(
    rows: Sequence[tuple[str, tuple[str, ...]]], fields: Sequence[str], *, estimand: str
) -> list[Estimate]:
    """Share of items with all fields, and with each field.

    Args:
        rows: of `missing_of`, at least one.
        fields: the fields.
        estimand: what the items are.
    """
    n = len(rows)
    counts = {"coverage": sum(not missing for _, missing in rows)}
    counts |= {f"coverage_{name}": sum(name not in missing for _, missing in rows) for name in fields}
    return [
        Estimate(
            name=name,
            value=count / n,
            unit="1",
            n=n,
            n_unit="items",
            estimand=f"share of {estimand} with {'every field' if name == 'coverage' else 'this field'}",
            reason="A complete count of these items, not a sample of more.",
        )
        for name, count in counts.items()
    ]


def field_observations(rows: Sequence[tuple[str, tuple[str, ...]]], *, listed: int) -> list[Observation]:
    """The first items that lack a field, by pseudonym."""
    lacking = [(item, missing) for item, missing in rows if missing][:listed]
    return [
        Observation(label="missing", items=(item,), value=None, unit="1", note=", ".join(missing))
        for item, missing in lacking
    ]
