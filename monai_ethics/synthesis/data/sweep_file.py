# SPDX-License-Identifier: Apache-2.0
"""The CSV of a sweep: written by the runner, or by anybody else, and read by the check and the command."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.csv_rows import csv_rows
from monai_ethics.synthesis.data.sweep_table import SweepTable, arm_of

__all__ = ["BANDS", "NEEDED", "read_sweep", "size_bands"]

NEEDED = ("real_fraction", "seed", "case", "score")
KNOWN = (*NEEDED, "arm", "design", "patient", "tested_on", "roi_size")
BANDS = ("small", "medium", "large")
LARGEST = 1e15
UNDEFINED = ("", "nan", "none", "n/a")


def read_sweep(path: Path, *, metric: str = "score", higher_is_better: bool | None = True) -> SweepTable:
    """Read scores by training and case.

    Columns ``real_fraction``, ``seed``, ``case`` and ``score`` are needed; ``design`` (fixed_total if absent),
    ``patient`` (the case if absent), ``tested_on`` (real if absent), ``arm`` and ``roi_size`` are known; every other
    column is a group. ``roi_size`` becomes `roi_size_band`: thirds of the real test cases, within a ``region``.

    Args:
        path: a CSV or TSV with a header.
        metric: name of the score.
        higher_is_better: direction of the score; ``None`` if not known.

    Raises:
        InputError: if it cannot be read, a column is missing, or a cell is not what its column says.
    """
    rows = csv_rows(path, empty="Expected rows of scores below a header: got none. Run the sweep first.")
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    if missing := [name for name in NEEDED if name not in columns]:
        raise InputError(f"Expected the columns {', '.join(NEEDED)}: got none named {missing[0]}. Add or rename it.")
    fractions = [_number(text, "real_fraction") for text in columns["real_fraction"]]
    tested_on = [text or "real" for text in columns.get("tested_on", ["real"] * len(rows))]
    _same_arm(columns.get("arm"), fractions)
    groups: dict[str, list[str | None]] = {
        name: [text or None for text in column] for name, column in columns.items() if name not in KNOWN
    }
    if "roi_size" in columns:
        if "roi_size_band" in groups:
            raise InputError("Give roi_size or roi_size_band: got both. Leave one out.")
        sizes = [None if text.lower() in UNDEFINED else _number(text, "roi_size") for text in columns["roi_size"]]
        cuts = [real == "real" for real in tested_on]
        groups["roi_size_band"] = size_bands(sizes, columns["case"], within=groups.get("region"), cut_by=cuts)
    return SweepTable(
        metric=metric,
        designs=[text or "fixed_total" for text in columns.get("design", [""] * len(rows))],
        real_fractions=fractions,
        seeds=[int(_number(text, "seed")) for text in columns["seed"]],
        cases=columns["case"],
        patients=columns.get("patient", columns["case"]),
        values=[None if text.lower() in UNDEFINED else _number(text, "score") for text in columns["score"]],
        tested_on=tested_on,
        groups=groups,
        higher_is_better=higher_is_better,
    )


def size_bands(
    sizes: Sequence[float | None],
    cases: Sequence[str],
    *,
    within: Sequence[str | None] | None = None,
    cut_by: Sequence[bool] | None = None,
) -> list[str | None]:
    """Thirds of the cases by the size of their region of interest.

    Args:
        sizes: size of the region in each row, in any unit; ``None`` if not known.
        cases: case of each row: one that stands in many rows counts once in the cuts.
        within: region of each row: each region has its own cuts.
        cut_by: whether a row takes part in the cuts; all do if not given.

    Returns:
        One of `BANDS` for each row; ``None`` where the size, or fewer than 3 different sizes, are known.
    """
    region = within or [None] * len(sizes)
    counted = cut_by or [True] * len(sizes)
    known: dict[str | None, dict[str, float]] = {}
    for size, case, name, counts in zip(sizes, cases, region, counted, strict=True):
        if size is not None and counts:
            known.setdefault(name, {})[case] = size
    cuts = {name: np.quantile([*found.values()], (1 / 3, 2 / 3)) for name, found in known.items()}
    cuts = {name: cut for name, cut in cuts.items() if len({*known[name].values()}) >= len(BANDS)}
    return [
        None if size is None or name not in cuts else BANDS[int(np.searchsorted(cuts[name], size))]
        for size, name in zip(sizes, region, strict=True)
    ]


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST or (name == "seed" and value != int(value)):
        raise InputError(
            f"Column {name} must hold numbers below 1e15, whole ones for seeds: got something else. Correct it."
        )
    return value


def _same_arm(arms: Sequence[str] | None, fractions: Sequence[float]) -> None:
    if arms is not None and any(text and text != arm_of(share) for text, share in zip(arms, fractions, strict=True)):
        raise InputError(
            "An arm must be train-real at real_fraction 1, train-synthetic at 0 and train-mixed between: got another. "
            "Correct one of the two columns, or leave arm out."
        )
