# SPDX-License-Identifier: Apache-2.0
"""Who is on the images of a folder: patients, sites and attributes from tables, files and names."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.feature_file import MISSING
from monai_ethics.synthesis.data.images import ImageFiles, stem

__all__ = ["Described", "describe"]

Row = Mapping[str, str | None]
PARTICIPANTS = "participants.tsv"
BY_PATIENT = ("participant_id", "patient", "patient_id", "subject")
BY_IMAGE = ("file", "filename", "image", "name", "case")
SITE, SOURCE = "site", "source"


@dataclass(frozen=True, kw_only=True)
class Described:
    """Columns of a set of images.

    Args:
        patients: patient of each image.
        sites: site of each image; ``None`` if none has one.
        sources: real patient from whom each was generated; ``None`` if no table has the column.
        attributes: attribute to its value in each image, ``None`` = not recorded.
    """

    patients: tuple[str, ...]
    sites: tuple[str, ...] | None = None
    sources: tuple[str | None, ...] | None = None
    attributes: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Table:
    """Rows of a table by the value of the column that names them."""

    key: str
    columns: tuple[str, ...]
    rows: Mapping[str, Row]


def describe(folder: Path, images: Sequence[ImageFiles], *, attributes: Path | None = None) -> Described:
    """Patients, sites, sources and attributes of images.

    The patient is the ``participant_id`` of the folder's ``participants.tsv`` with which the file's name begins, else
    the one that is the image's DICOM patient, else the one with which a folder on its path begins. Without that table
    it is the DICOM patient, else the name up to the first underscore, or all of it before the ending. The columns
    ``site`` and ``source`` have their own meaning; every other column is an attribute.

    Args:
        folder: folder of the images.
        images: its images.
        attributes: table (.tsv or .csv) of further columns, a row for each patient (``participant_id`` or
            ``patient``) or for each image (``file``, ``image``, ``name`` or ``case``).

    Raises:
        InputError: if a table lacks the column that names its rows, or an image its row of participants.tsv
            or its site while others have one.
    """
    given = folder / PARTICIPANTS
    known = _read(given, ("participant_id",), PARTICIPANTS) if given.is_file() else None
    patients = _patients(images, known)
    columns: dict[str, tuple[str | None, ...]] = {}
    if known is not None:
        columns |= _columns(known, [known.rows.get(patient) for patient in patients])
    if attributes is not None:
        columns |= _further(attributes, images, patients)
    sites, sources = columns.pop(SITE, None), columns.pop(SOURCE, None)
    whole = tuple(site for site in sites or () if site is not None)
    if 0 < len(whole) < len(images):
        raise InputError(
            f"Expected a site for each image or for none: got one for {len(whole)} of {len(images)}. "
            "Fill them in, or rename the column to keep it as an attribute."
        )
    return Described(
        patients=patients,
        sites=whole or None,
        sources=sources,
        attributes=columns,
    )


def _further(path: Path, images: Sequence[ImageFiles], patients: Sequence[str]) -> dict[str, tuple[str | None, ...]]:
    table = _read(path, (*BY_PATIENT, *BY_IMAGE), "the table of attributes")
    if table.key in BY_PATIENT:
        found = [table.rows.get(patient) for patient in patients]
    else:
        found = [next((table.rows[key] for key in _called(image) if key in table.rows), None) for image in images]
    if all(row is None for row in found):
        raise InputError(
            "Expected the table of attributes to name the images or their patients: got none of them. "
            "Name rows by file name below the folder, or by participant_id."
        )
    return _columns(table, found)


def _called(image: ImageFiles) -> tuple[str, ...]:
    """What a table may call an image, the most exact first."""
    last = image.name.rsplit("/", 1)[-1]
    return (image.name, stem(image.name), last, stem(last))


def _columns(table: _Table, found: Sequence[Row | None]) -> dict[str, tuple[str | None, ...]]:
    return {name: tuple(None if row is None else row[name] for row in found) for name in table.columns}


def _read(path: Path, keys: Sequence[str], called: str) -> _Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, delimiter="," if path.suffix.lower() == ".csv" else "\t")
            lines = list(reader)
            names = [name for name in reader.fieldnames or () if name]
    except csv.Error as error:
        raise InputError(f"Expected {called} with cells below 128 kB: got a longer one. Check it.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Expected {called} as a text file in UTF-8: got none. Check the path and save it so."
        ) from error
    key = next((name for name in keys if name in names), None)
    if key is None:
        raise InputError(f"Expected a column `{keys[0]}` in {called}: got none. Name the column so.")
    columns = tuple(name for name in names if name != key)
    rows: dict[str, Row] = {}
    for line in lines:
        row = {name: _cell(line.get(name)) for name in columns}
        if rows.setdefault(line[key] or "", row) != row:
            raise InputError(f"Expected one row for each `{key}` in {called}: got two that differ. Keep one of them.")
    return _Table(key=key, columns=columns, rows=rows)


def _cell(text: str | None) -> str | None:
    stripped = (text or "").strip()
    return None if stripped.lower() in MISSING else stripped


def _patients(images: Sequence[ImageFiles], known: _Table | None) -> tuple[str, ...]:
    if known is None:
        return tuple(image.patient or stem(image.name.rsplit("/", 1)[-1]).split("_")[0] for image in images)
    longest_first = sorted(known.rows, key=len, reverse=True)
    found = [_patient(image, longest_first) for image in images]
    unknown = sum(patient is None for patient in found)
    if unknown:
        raise InputError(
            f"Expected a row of participants.tsv for each image: got none for {unknown} of {len(images)}. "
            "Begin each file's name with its participant_id."
        )
    return tuple(str(patient) for patient in found)


def _patient(image: ImageFiles, longest_first: Sequence[str]) -> str | None:
    *folders, last = image.name.split("/")
    by_name = next((patient for patient in longest_first if _begins(last, patient)), None)
    if by_name is not None or image.patient in longest_first:
        return by_name or image.patient
    return next((patient for patient in longest_first if any(_begins(part, patient) for part in folders)), None)


def _begins(name: str, patient: str) -> bool:
    return bool(patient) and name.startswith(patient) and not name[len(patient) : len(patient) + 1].isalnum()
