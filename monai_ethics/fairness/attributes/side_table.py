# SPDX-License-Identifier: Apache-2.0
"""Attributes that live beside the images: CSV, TSV, BIDS ``participants.tsv`` and MONAI datalists (JSON)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.evidence import FrozenDict

__all__ = ["SideTable", "clean_label", "normal_name", "read_rows", "read_side_table"]

CASE_COLUMNS = ("case", "case_id", "filename", "file_name", "file", "filename_or_obj", "image_index", "image", "path")
PATIENT_COLUMNS = ("patient", "patient_id", "participant_id", "subject", "subject_id", "pid")
_OTHER_FILES = ("label", "labels", "mask", "seg", "segmentation", "pred", "box", "boxes")
_NOT_RECORDED = ("", "n/a", "nan", "null", "<na>")  # BIDS writes n/a, pandas the others


@dataclass(frozen=True, slots=True, kw_only=True)
class SideTable:
    """One row per case, or one per patient.

    Args:
        exact: whether the rows are named by a column ``case``, whose entries must all be cases of the run.
        by_patient: whether the rows are patients; else they are cases.
        keys: name of each row, length ``R``; not unique until joined.
        patients: patient of each row, ``None`` where not recorded; ``None`` if the table does not say.
        columns: attribute to the label of each row, ``None`` = not recorded.
    """

    exact: bool
    by_patient: bool
    keys: tuple[str, ...]
    patients: tuple[str | None, ...] | None
    columns: Mapping[str, tuple[str | None, ...]]


def normal_name(name: str) -> str:
    """Column name in lower case with underscores, as it is compared: ``Patient ID`` is ``patient_id``."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def clean_label(value: Any) -> str | None:
    """A label without surrounding blanks and NULs (DICOM pads with them); ``None`` if it says 'not recorded'."""
    if value is None:
        return None
    text = str(value).strip().strip("\x00").strip()
    return None if text.lower() in _NOT_RECORDED else text


def read_rows(path: str | Path) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Read a table of any supported format.

    Args:
        path: ``.csv``, ``.tsv``, ``.txt`` or ``.json``; UTF-8.

    Returns:
        Column names, and the rows as tuples of the same length.

    Raises:
        InputError: if it is empty, ragged, has repeated column names, or is no such file.
    """
    path = Path(path)
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".json":
        return _from_json(text)
    head = text.split("\n", 1)[0]
    delimiter = max("\t,;", key=head.count)
    try:
        read = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:  # an open quote would swallow the rows behind it
        raise InputError(
            "Expected a table whose quotes are closed and whose cells are below 128 kB: got another. Check the file."
        ) from error
    if any("\n" in cell and delimiter in cell for row in read for cell in row):
        raise InputError("Expected quotes that close in their own row: got one that holds other rows. Check the file.")
    rows = [row for row in read if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise InputError("Expected a table with a header and at least one row: got fewer. Give it rows.")
    names = tuple(name.strip() for name in rows[0])
    for position, row in enumerate(rows[1:]):
        if len(row) != len(names):
            raise InputError(
                f"Every row must have {len(names)} cells like the header: row {position} has {len(row)}. "
                "Quote cells that contain the delimiter."
            )
    return _unique(names), [tuple(row) for row in rows[1:]]


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    normal = [normal_name(name) for name in names]
    if len(set(normal)) != len(normal):
        raise InputError("Column names of a table must be unique: got repeated ones. Rename them.")
    return names


def _from_json(text: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    try:
        data = json.loads(text)
        json.dumps(data, ensure_ascii=False).encode()  # a lone surrogate has no form in UTF-8
    except (ValueError, RecursionError) as error:
        raise InputError("Expected a datalist in JSON: got text that is none. Check the file.") from error
    lists = [data] if isinstance(data, list) else data.values() if isinstance(data, dict) else []
    items = [item for part in lists if isinstance(part, list) for item in part if isinstance(item, dict)]
    if not items:
        raise InputError("Expected a datalist, lists of objects with `image` and attributes: got none. Check the file.")
    names = tuple(dict.fromkeys(str(key) for item in items for key in item))
    return _unique(names), [tuple(_scalar(item.get(name)) for name in names) for item in items]


def _scalar(value: Any) -> Any:
    if isinstance(value, list):
        value = value[0] if value else None
    return None if isinstance(value, (dict, list)) else value


def _find(names: Sequence[str], known: Sequence[str]) -> int | None:
    normal = [normal_name(name) for name in names]
    return next((normal.index(name) for name in known if name in normal), None)


def read_side_table(path: str | Path) -> SideTable:
    """Read attributes from a CSV, TSV, BIDS ``participants.tsv`` or datalist JSON.

    The rows are named by the first column present of case, case_id, filename, file_name, file, filename_or_obj,
    image_index, image, path; else, one row per patient, of patient, patient_id, participant_id, subject, subject_id,
    pid. Blanks in column names count as underscores, case does not count.

    Args:
        path: the file, UTF-8.

    Returns:
        The table with cleaned labels.

    Raises:
        InputError: if no column names the rows, a name is missing, or no column is left as an attribute.
    """
    names, rows = read_rows(path)
    case, patient = _find(names, CASE_COLUMNS), _find(names, PATIENT_COLUMNS)
    if case is None and patient is None:
        raise InputError(
            "Expected a column that names each row: none of case, filename, image, participant_id, patient is there. "
            "Add a column `case` or `participant_id`."
        )
    named = patient if case is None else case
    keys = [clean_label(row[named]) for row in rows if named is not None]
    empty = [position for position, key in enumerate(keys) if key is None]
    if empty:
        raise InputError(f"Every row must be named: {len(empty)} are not, the first is row {empty[0]}. Name them.")
    other = {*CASE_COLUMNS, *PATIENT_COLUMNS, *_OTHER_FILES}
    columns = {
        name: tuple(clean_label(row[i]) for row in rows)
        for i, name in enumerate(names)
        if normal_name(name) not in other
    }
    if not columns:
        raise InputError("Expected at least one attribute column: got only names. Add columns such as sex, age, site.")
    return SideTable(
        exact=case is not None and normal_name(names[case]) == "case",
        by_patient=case is None,
        keys=tuple(str(key) for key in keys),
        patients=None if patient is None else tuple(clean_label(row[patient]) for row in rows),
        columns=FrozenDict(columns),
    )
