# SPDX-License-Identifier: Apache-2.0
"""What was asked of a generator and what a judge sees in its images, beside what the judge sees in real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.feature_sets import Attributes

__all__ = ["Requests"]

COLUMNS = ("requested", "seen", "units")


@dataclass(frozen=True, kw_only=True, eq=False)
class Requests:
    """Requested conditions of synthetic images, such as a lesion, and whether an independent judge finds them.

    Args:
        condition: what was requested, such as ``"lesion"``.
        judge: the classifier or segmenter that looked, which never saw these images; its name and version.
        requested: the value asked for in each synthetic image.
        seen: the value the judge sees in it; ``None`` where it gave no answer.
        units: what was generated together; by default each image stands alone.
        groups: attribute to the label that was asked for in each image.
        real_requested: the recorded value of each held-out real image; empty without real images.
        real_seen: the value the judge sees in it.
        real_units: patient of each real image.
        real_groups: attribute to the label of each real image.

    Raises:
        InputError: if columns have different lengths.
    """

    condition: str
    judge: str
    requested: Sequence[str]
    seen: Sequence[str | None]
    units: Sequence[str] = ()
    groups: Attributes = field(default_factory=dict)
    real_requested: Sequence[str] = ()
    real_seen: Sequence[str | None] = ()
    real_units: Sequence[str] = ()
    real_groups: Attributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.units:
            object.__setattr__(self, "units", tuple(f"{i:09d}" for i in range(len(self.requested))))
        for prefix in ("", "real_"):
            size = len(getattr(self, f"{prefix}requested"))
            groups: Attributes = getattr(self, f"{prefix}groups")
            lengths = [len(getattr(self, prefix + name)) for name in COLUMNS] + [len(x) for x in groups.values()]
            if any(length != size for length in lengths):
                raise InputError(
                    f"All columns of requests must have one entry an image: got {sorted(set(lengths))}. Give one each."
                )

    def taken(self, rows: Sequence[int], *, real: bool = False) -> Requests:
        """Some images of one kind, in the order given."""
        prefix = "real_" if real else ""
        changes: dict[str, Any] = {
            prefix + name: tuple(getattr(self, prefix + name)[i] for i in rows) for name in COLUMNS
        }
        groups: Attributes = getattr(self, f"{prefix}groups")
        changes[f"{prefix}groups"] = {name: tuple(column[i] for i in rows) for name, column in groups.items()}
        return replace(self, **changes)

    def reordered(self, order: Sequence[int]) -> Requests:
        """The same images of both kinds in another order, as far as there are that many."""
        first = self.taken([i for i in order if i < len(self.requested)])
        return first.taken([i for i in order if i < len(self.real_requested)], real=True)
