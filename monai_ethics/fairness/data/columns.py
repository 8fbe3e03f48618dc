# SPDX-License-Identifier: Apache-2.0
"""Columns of a stored table: who each row is, and numbers out of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.side_table import CASE_COLUMNS, PATIENT_COLUMNS, clean_label, normal_name

__all__ = ["name_rows", "read_numbers", "read_yes_no"]

_YES_NO = {"0": False, "1": True}


def name_rows(
    names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> tuple[tuple[str, ...], tuple[str, ...], set[int]]:
    """Case and patient of each row, and the columns that say so.

    Args:
        names: column names.
        rows: the rows, each as long as `names`.

    Returns:
        Case keys and patients (the case itself where not known), each as long as `rows`; the columns used.

    Raises:
        InputError: if no column names the cases, or a row has no name.
    """
    normal = [normal_name(name) for name in names]
    case = next((normal.index(name) for name in CASE_COLUMNS if name in normal), None)
    patient = next((normal.index(name) for name in PATIENT_COLUMNS if name in normal), None)
    named = patient if case is None else case
    if named is None:
        raise InputError("Expected a column that names the cases: got none. Add a column `case`.")
    cases = [clean_label(row[named]) for row in rows]
    if None in cases:
        raise InputError(f"Every row must name its case: row {cases.index(None)} does not. Name it.")
    keys = tuple(str(key) for key in cases)
    owners = keys if patient is None else tuple(clean_label(row[patient]) for row in rows)
    filled = tuple(key if owner is None else owner for key, owner in zip(keys, owners, strict=True))
    return keys, filled, {column for column in (case, patient) if column is not None}


def read_numbers(cells: Sequence[Any]) -> list[float | None]:
    """Numbers of a column; ``None`` where a cell is empty, says 'not recorded', or is not finite.

    Raises:
        InputError: if a cell is a word.
    """
    try:
        found = list(map(float, cells))  # the common column, at once
    except (TypeError, ValueError):
        return [_number(cell, position) for position, cell in enumerate(cells)]
    return [value if math.isfinite(value) else None for value in found]


def read_yes_no(cells: Sequence[Any]) -> list[bool]:
    """Labels of a column of zeros and ones.

    Raises:
        InputError: if a cell is anything else.
    """
    try:
        return [_YES_NO[cell] for cell in cells]
    except (KeyError, TypeError):
        return [_label(cell, position) for position, cell in enumerate(cells)]


def _number(cell: Any, position: int) -> float | None:
    label = clean_label(cell)
    if label is None:
        return None
    try:
        value = float(label)
    except ValueError as error:
        raise InputError(
            f"Scores must be numbers: row {position} has a word. Remove the column or correct it."
        ) from error
    return value if math.isfinite(value) else None


def _label(cell: Any, position: int) -> bool:
    label = clean_label(cell)
    try:
        value = None if label is None else float(label)
    except ValueError:
        value = None
    if value not in (0.0, 1.0):
        raise InputError(f"Labels must be 0 or 1: row {position} has another value. Correct it.")
    return value == 1.0
