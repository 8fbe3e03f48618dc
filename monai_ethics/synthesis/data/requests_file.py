# SPDX-License-Identifier: Apache-2.0
"""The CSV of what was asked of a generator and what a judge sees in its images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.csv_rows import csv_rows
from monai_ethics.synthesis.data.requests import Requests
from monai_ethics.synthesis.methods.labels import why_no_grouping

__all__ = ["read_requests"]

NEEDED = ("requested", "seen")
KNOWN = (*NEEDED, "unit", "set", "condition", "judge")
FEW, LONGEST = 10, 200  # conditions that need not recur, twice; characters of one
SETS = ("synthetic", "holdout")
UNRECORDED = ("", "n/a", "nan")


def read_requests(path: Path, *, condition: str | None = None, judge: str | None = None) -> list[Requests]:
    """Read what was requested of each image and what a judge sees in it.

    Columns ``requested`` and ``seen`` are needed; ``unit`` (what was generated together, or the patient of a held-out
    image; each image alone if absent), ``set`` (``synthetic`` or ``holdout``, synthetic if absent), ``condition`` and
    ``judge`` are known; every other column is an attribute by which groups are compared. An empty ``seen`` is an image
    without an answer; an empty attribute is not recorded. Names of files or patients are no attribute and are refused,
    since labels of groups are public.

    Args:
        path: a CSV or TSV with a header.
        condition: what was requested, such as ``"lesion"``, where the table has no such column.
        judge: who looked, by name and version, where the table has no such column.

    Returns:
        One entry for each condition, in alphabetical order.

    Raises:
        InputError: if it cannot be read, a column is missing or stands twice, a cell is not what its column says, or
            an attribute forms no groups.
    """
    rows = csv_rows(path, empty="Expected rows of requests below a header: got none. Write one an image.")
    if missing := [name for name in NEEDED if name not in rows[0]]:
        raise InputError(f"Expected the columns {', '.join(NEEDED)}: got none named {missing[0]}. Add or rename it.")
    attributes = [name for name in rows[0] if name not in KNOWN]
    if not attributes:
        raise InputError("Expected a column with the groups, such as sex: got none. Add what was asked of each image.")
    if any(not row["requested"] for row in rows):
        raise InputError("Column requested must say what was asked of each image: got an empty cell. Fill it.")
    if {row.get("set") or SETS[0] for row in rows} - {*SETS}:
        raise InputError("Column set must be synthetic or holdout: got something else. Correct it.")
    _require_groups(_columns(rows, attributes))
    rows = [_named(_named(row, "condition", condition), "judge", judge) for row in rows]
    conditions = [row["condition"] for row in rows]
    if len({*conditions}) * 2 > max(len(rows), FEW) or any(len(name) > LONGEST for name in conditions):
        raise InputError(
            "Column condition must say what was requested, such as lesion: got texts, or nearly one for each image, as "
            "file names are. Correct it."
        )
    return [
        _of_condition(name, [row for row in rows if row["condition"] == name], attributes)
        for name in sorted({row["condition"] for row in rows})
    ]


def _named(row: dict[str, str], column: str, given: str | None) -> dict[str, str]:
    """The row with what its column, or the option, says."""
    if given is not None and column in row:
        raise InputError(f"Give `--{column}` or a column {column}: got both. Leave one out.")
    name = row.get(column, given)
    if not name:
        raise InputError(f"Expected a column {column} without empty cells, or `--{column}`: got neither. Give one.")
    return {**row, column: name}


def _require_groups(columns: dict[str, Any]) -> None:
    """Refuse columns of names, numbers or texts: labels of groups are public."""
    for name, labels in columns["groups"].items():
        if reason := why_no_grouping(name, labels, columns["units"]):
            raise InputError(
                f"Expected every other column to hold groups: got {name}. {reason} Remove it, or write bands."
            )


def _of_condition(condition: str, rows: Sequence[dict[str, str]], attributes: Sequence[str]) -> Requests:
    judges = {row["judge"] for row in rows}
    if len(judges) != 1:
        raise InputError(
            f"One judge must look at all images of a condition: got {len(judges)}. Write a table for each."
        )
    made = _columns([row for row in rows if (row.get("set") or SETS[0]) == SETS[0]], attributes)
    real = _columns([row for row in rows if row.get("set") == SETS[1]], attributes)
    return Requests(condition=condition, judge=judges.pop(), **made, **{f"real_{key}": x for key, x in real.items()})


def _columns(rows: Sequence[dict[str, str]], attributes: Sequence[str]) -> dict[str, Any]:
    return {
        "requested": [row["requested"] for row in rows],
        "seen": [row["seen"] or None for row in rows],
        "units": [row.get("unit") or f"image {i:09d}" for i, row in enumerate(rows)],
        "groups": {
            name: [None if row[name].lower() in UNRECORDED else row[name] for row in rows] for name in attributes
        },
    }
