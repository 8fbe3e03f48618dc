# SPDX-License-Identifier: Apache-2.0
"""Numbers that are read as a line (ring 0, standard library only)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from monai_ethics._json import FrozenDict, Serializable, normalize
from monai_ethics.errors import InputError

__all__ = ["Curve"]

MOST_POINTS = 201  # an entry of the log stays small


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve(Serializable):
    """Numbers that are read as a line: an ROC curve, a reliability curve, a distribution. It is never judged.

    Args:
        name: what it is, such as ``"roc"``, ``"reliability"`` or ``"distribution"``.
        x_name: what `x` is, in words.
        y_name: what `y` is, in words.
        x: positions, ascending; at most 201.
        y: one number for each of them; ``None`` = undefined there.
        n: units the curve speaks of.
        n_unit: what `n` counts, such as ``"patients"``.
        method: how it was computed.
        x_unit: unit of `x`; ``"1"`` if it has none.
        y_unit: unit of `y`; ``"1"`` if it has none.
        low: lower ends of the pointwise interval; empty if there is none.
        high: upper ends of it.
        level: nominal coverage of the interval at each position.
        group: attribute to label; empty is everyone.
        reason: why there is no interval.

    Raises:
        InputError: if lengths differ, `x` does not ascend, or an interval lacks its level or its absence a reason.
    """

    name: str
    x_name: str
    y_name: str
    x: Sequence[float]
    y: Sequence[float | None]
    n: int
    n_unit: str
    method: str
    x_unit: str = "1"
    y_unit: str = "1"
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    level: float | None = None
    group: Mapping[str, str | None] = field(default_factory=FrozenDict)
    reason: str | None = None

    def __post_init__(self) -> None:
        normalize(self)
        lengths = {len(self.x), len(self.y), *(len(end) for end in (self.low, self.high) if end)}
        if len(lengths) != 1 or bool(self.low) != bool(self.high) or len(self.x) > MOST_POINTS:
            raise InputError(
                f"The columns of curve `{self.name}` must have one entry per position, at most {MOST_POINTS}: got "
                "others. Thin it out."
            )
        if any(first > second for first, second in pairwise(self.x)):
            raise InputError(f"The positions of curve `{self.name}` must ascend: got others. Sort them.")
        if (self.low and self.level is None) or (not self.low and not self.reason):
            raise InputError(f"Curve `{self.name}` needs an interval with its level, or the reason why it has none.")
