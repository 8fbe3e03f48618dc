# SPDX-License-Identifier: Apache-2.0
"""Which items have every field that should be recorded of them: a complete count, and what is missing of whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, Observation, Source, Stage, Verdict
from monai_ethics.registry import question_of

__all__ = ["FieldCoverage", "FieldTable"]

_LIMIT = "A field that is recorded is what somebody said; that it is true is not checked."


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


@dataclass(frozen=True, kw_only=True)
class FieldCoverage:
    """Of how many items every field is recorded; a check names the fields, the items and the source.

    Args:
        listed: most items without a field that the finding lists.
    """

    listed: int = 100

    id: ClassVar[str]
    title: ClassVar[str]
    stage: ClassVar[Stage]
    requirements: ClassVar[tuple[str, ...]]
    fields: ClassVar[tuple[str, ...]]
    things: ClassVar[str]
    source: ClassVar[Source]

    def __call__(self, data: FieldTable, /) -> Finding:
        """Count a `FieldTable`."""
        rows = _missing(data, self.fields)
        whole = sum(not missing for _, missing in rows)
        if len(rows) < 2:
            reason = f"Fewer than two {self.things} are recorded."
            return self._finding(Verdict.NOT_ASSESSABLE, reason, len(rows), whole, reason=reason)
        lacking = {name: sum(name in missing for _, missing in rows) for name in self.fields}
        told = ", ".join(f"{name} {count}" for name, count in lacking.items() if count)
        statement = f"{whole} of {len(rows)} {self.things} have every field." + (f" Missing: {told}." if told else "")
        counts = {"coverage": whole} | {f"coverage_{name}": len(rows) - count for name, count in lacking.items()}
        return self._finding(
            Verdict.MEASURED,
            statement,
            len(rows),
            whole,
            estimates=[self._share(name, count, len(rows)) for name, count in counts.items()],
            observations=[
                Observation(label="missing", items=(item,), value=None, unit="1", note=", ".join(missing))
                for item, missing in [row for row in rows if row[1]][: self.listed]
            ],
        )

    def _share(self, name: str, count: int, n: int) -> Estimate:
        return Estimate(
            name=name,
            value=count / n,
            unit="1",
            n=n,
            n_unit="items",
            estimand=f"share of {self.things} with {'every' if name == 'coverage' else 'this'} field",
            reason="A complete count of these items, not a sample of more.",
        )

    def _finding(self, verdict: Verdict, statement: str, n: int, whole: int, **content: Any) -> Finding:
        return Finding(
            **question_of(self),
            verdict=verdict,
            statement=statement,
            accounting={"complete": whole, "incomplete": n - whole},
            parameters={"listed": self.listed},
            limitations=(_LIMIT,),
            sources=(self.source,),
            **content,
        )

    @classmethod
    def example(cls, n: int, seed: int) -> FieldTable:
        """`n` items of which every third lacks one field in turn."""
        whole = frozenset(cls.fields)
        return FieldTable(
            items=[f"{seed:08x}{i:024x}" for i in range(n)],
            present=[whole if i % 3 else whole - {cls.fields[(i // 3) % len(cls.fields)]} for i in range(n)],
        )


def _missing(data: FieldTable, fields: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Items with the fields that they lack, sorted; both in one order whatever the order of the items."""
    rows = [
        (item, tuple(name for name in fields if name not in present))
        for item, present in zip(data.items, data.present, strict=True)
    ]
    return sorted(rows)
