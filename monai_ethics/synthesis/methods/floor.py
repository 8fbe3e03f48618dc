# SPDX-License-Identifier: Apache-2.0
"""A statistic of synthetic against real images beside the same one of real against real images, at the same number.

Held-out patients are split into two disjoint halves again and again. One half is what both the synthetic images and the
other half are compared with, so that the two numbers differ in nothing but who is compared. On each side one image of
each patient, or of each synthetic unit, is drawn: all rows are then independent, and patients with many images count
as others do. No row is ever drawn twice into one comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from monai_ethics.errors import InputError, NotAssessableError
from monai_ethics.synthesis.methods.jackknife import Jackknifed, balanced_groups, jackknife

__all__ = [
    "FEWEST_UNITS",
    "Beside",
    "Design",
    "Split",
    "Statistic",
    "beside",
    "design",
    "drawn_each",
    "drawn_rows",
    "rows_by_unit",
]

Statistic = Callable[[np.ndarray, np.ndarray], Sequence[float | None]]
FEWEST_UNITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Rows of one comparison, each array of shape ``(n,)``: of all real rows first, then of all synthetic ones.

    Args:
        real: real rows that are compared with.
        other: rows of other real patients.
        synthetic: synthetic rows.
        real_groups: group of each row of `real`; likewise below.
    """

    real: np.ndarray
    other: np.ndarray
    synthetic: np.ndarray
    real_groups: np.ndarray
    other_groups: np.ndarray
    synthetic_groups: np.ndarray

    def smallest_without(self, groups: int) -> int:
        """Rows on the smallest side once a group is left out."""
        sides = (self.real_groups, self.other_groups, self.synthetic_groups)
        return min(len(side) - int(np.bincount(side, minlength=groups).max()) for side in sides)

    def without(self, group: int) -> Split:
        """The same comparison without one group of patients and one of synthetic units."""
        kept = {}
        for name in ("real", "other", "synthetic"):
            groups = getattr(self, f"{name}_groups")
            kept[name], kept[f"{name}_groups"] = getattr(self, name)[groups != group], groups[groups != group]
        return Split(**kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """All comparisons of an audit.

    Args:
        size: rows on each side of a comparison.
        groups: groups left out in turn.
        splits: the comparisons.
        patients: held-out patients there are.
        units: synthetic units there are.
        real_rows: real rows, after which the synthetic ones are counted.
    """

    size: int
    groups: int
    splits: tuple[Split, ...]
    patients: int
    units: int
    real_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One statistic, its floor and their difference; all ``None`` if it was undefined in a split.

    Args:
        value: synthetic against real.
        floor: real against real, at the same number.
        excess: value less floor, jackknifed jointly.
    """

    value: Jackknifed | None
    floor: Jackknifed | None
    excess: Jackknifed | None


def drawn_rows(units: Sequence[str], *, most: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of at most `most` images of as many units as that allows, equally many of each as far as they have them.

    Args:
        units: unit of each row.
        most: images to keep.
        rng: source of the choice.

    Returns:
        Rows in ascending order, int64.
    """
    rows_of = rows_by_unit(units)
    if len(units) <= most:
        return np.arange(len(units), dtype=np.int64)
    turns = [(turn, int(row)) for rows in rows_of for turn, row in enumerate(rng.permutation(rows))]
    order = rng.permutation(len(turns))
    chosen = sorted((turns[i] for i in order), key=lambda entry: entry[0])[:most]
    return np.sort(np.array([row for _, row in chosen], dtype=np.int64))


def design(patients: Sequence[str], units: Sequence[str], *, size: int, splits: int, groups: int, seed: int) -> Design:
    """Draw the comparisons.

    With `h` patients and `s` synthetic units, each side has ``min(size, h // 2, s)`` rows: where there are more
    synthetic units than half the patients, they are subsampled, anew in each split.

    Args:
        patients: patient of each held-out row.
        units: unit of each synthetic row.
        size: most rows on each side.
        splits: how many splits into halves.
        groups: most groups of the jackknife.
        seed: seed of splits, subsamples and groups.

    Raises:
        InputError: if a number asked for is too small to mean anything.
        NotAssessableError: if there are fewer than 20 held-out patients or 10 synthetic units.
    """
    if size < FEWEST_UNITS or splits < 1 or groups < 5:
        raise InputError(
            f"A comparison needs {FEWEST_UNITS} rows a side, a split and 5 groups or more: got {size}, {splits} and "
            f"{groups}. Ask for more."
        )
    rng = np.random.default_rng(seed)
    real_rows, made_rows = rows_by_unit(patients), rows_by_unit(units)
    n = min(size, len(real_rows) // 2, len(made_rows))
    if n < FEWEST_UNITS:
        raise NotAssessableError(
            f"Two disjoint halves of {len(real_rows)} held-out patients and {len(made_rows)} synthetic units leave {n} "
            f"to a side: {2 * FEWEST_UNITS} patients and {FEWEST_UNITS} units are needed, so that each of ten groups "
            "of the jackknife has one on either side."
        )
    groups = min(groups, n)
    real_groups = balanced_groups(len(real_rows), groups, rng=rng)
    made_groups = balanced_groups(len(made_rows), groups, rng=rng)
    drawn = tuple(_split(real_rows, made_rows, (real_groups, made_groups), n=n, rng=rng) for _ in range(splits))
    return Design(
        size=n, groups=groups, splits=drawn, patients=len(real_rows), units=len(made_rows), real_rows=len(patients)
    )


def beside(statistic: Statistic, drawn: Design, *, replicated: int, level: float = 0.95) -> tuple[Beside, ...]:
    """Value, floor and excess of several statistics, each with a joint jackknife by patient and unit.

    The spread over splits is no standard error, as splits share their patients. Replicates are averages over the first
    `replicated` splits: fewer than in the value make the interval slightly wider, never narrower.

    Args:
        statistic: from real rows and the rows compared with them to numbers, ``None`` where undefined; rows are those
            of the real images with the synthetic ones below.
        drawn: the comparisons.
        replicated: splits in each replicate.
        level: nominal coverage.

    Returns:
        One entry for each number the statistic returns; values are at this N and not corrected.
    """
    used = drawn.splits[: max(1, replicated)]
    whole = np.stack([_both(statistic, split) for split in drawn.splits])  # (splits, 3, statistics)
    left = np.stack(
        [np.mean([_both(statistic, split.without(group)) for split in used], axis=0) for group in range(drawn.groups)]
    )
    value = whole.mean(axis=0)
    return tuple(
        Beside(**{name: _interval(value[i, j], left[:, i, j], level) for i, name in enumerate(NAMES)})
        for j in range(value.shape[1])
    )


NAMES = ("value", "floor", "excess")


def _both(statistic: Statistic, split: Split) -> np.ndarray:
    """Value, floor and excess of one split, shape ``(3, statistics)``; NaN where undefined."""
    value = np.array(statistic(split.real, split.synthetic), dtype=np.float64)
    floor = np.array(statistic(split.real, split.other), dtype=np.float64)
    return np.stack([value, floor, value - floor])


def _interval(value: float, left: np.ndarray, level: float) -> Jackknifed | None:
    if not np.isfinite(value) or not np.isfinite(left).all():
        return None
    return jackknife(float(value), left, level=level)


def rows_by_unit(units: Sequence[str]) -> list[np.ndarray]:
    """Rows of each unit, units in sorted order."""
    rows: dict[str, list[int]] = {unit: [] for unit in sorted(set(units))}
    for row, unit in enumerate(units):
        rows[unit].append(row)
    return [np.array(found, dtype=np.int64) for found in rows.values()]


def _split(
    real_rows: list[np.ndarray],
    made_rows: list[np.ndarray],
    groups: tuple[np.ndarray, np.ndarray],
    *,
    n: int,
    rng: np.random.Generator,
) -> Split:
    """One split in which each group is halved as evenly as its size allows, so that replicates are as even as it."""
    real_groups, made_groups = groups
    both = _in_turns(real_groups, rng=rng)[: 2 * n]
    both = both[np.argsort(rng.permutation(int(real_groups.max()) + 1)[real_groups[both]], kind="stable")]
    real, other = both[0::2], both[1::2]
    wanted = np.bincount(real_groups[other], minlength=int(made_groups.max()) + 1)
    synthetic = _as_wanted(_in_turns(made_groups, rng=rng), made_groups, wanted)[:n]
    return Split(
        real=drawn_each(real_rows, real, rng=rng),
        other=drawn_each(real_rows, other, rng=rng),
        synthetic=drawn_each(made_rows, synthetic, rng=rng) + sum(len(rows) for rows in real_rows),
        real_groups=real_groups[real],
        other_groups=real_groups[other],
        synthetic_groups=made_groups[synthetic],
    )


def _in_turns(groups: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Units in random order, one of each group, then a second of each, and so on."""
    order = rng.permutation(len(groups))
    return order[np.argsort(_turn(groups[order]), kind="stable")]


def _turn(groups: np.ndarray) -> np.ndarray:
    """How many units of the same group come before each unit."""
    turn, seen = np.empty(len(groups), dtype=np.int64), np.zeros(int(groups.max()) + 1, dtype=np.int64)
    for i, group in enumerate(groups):
        turn[i] = seen[group]
        seen[group] += 1
    return turn


def _as_wanted(order: np.ndarray, groups: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Units with as many of each group as wanted coming first; where a group has too few, the others follow."""
    spare = _turn(groups[order]) >= wanted[groups[order]]
    return order[np.argsort(spare, kind="stable")]


def drawn_each(
    rows_of: Sequence[np.ndarray], units: Sequence[int] | np.ndarray | None = None, *, rng: np.random.Generator
) -> np.ndarray:
    """One row of each unit at random, shape ``(units,)``.

    Args:
        rows_of: rows of each unit, as `rows_by_unit` returns them.
        units: which units; by default all.
        rng: source of the choice.
    """
    chosen = range(len(rows_of)) if units is None else units
    return np.array([rows_of[unit][rng.integers(len(rows_of[unit]))] for unit in chosen], dtype=np.int64)
