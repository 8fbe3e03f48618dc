# SPDX-License-Identifier: Apache-2.0
"""Rows of a CSV or TSV with a header, as text."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from monai_ethics.errors import InputError

__all__ = ["csv_rows"]


def csv_rows(path: Path, *, empty: str) -> list[dict[str, str]]:
    """Read every row, stripped of blanks at the ends of cells.

    Args:
        path: a CSV or TSV with a header, UTF-8.
        empty: what to say of a table without rows.

    Returns:
        One dictionary a row, each with every column, at least one row.

    Raises:
        InputError: if it cannot be read, has no rows, two columns of one name, or rows of another length.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("Expected a readable CSV or TSV: got none. Check the path and the encoding.") from error
    first = text.partition("\n")[0]
    try:
        reader = csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in first else ",")
        rows, names = [*reader], [name.strip() for name in reader.fieldnames or ()]
    except csv.Error as error:
        raise InputError("Expected a readable CSV or TSV: got a damaged one. Write it anew.") from error
    if not rows:
        raise InputError(empty)
    if len(set(names)) != len(names):
        raise InputError("Every column must have a name of its own: got one name twice. Rename or remove a column.")
    if any(None in row or None in row.values() for row in rows):
        raise InputError("Every row must have as many cells as the header: got another number. Quote commas.")
    return [{name.strip(): cell.strip() for name, cell in row.items()} for row in rows]
