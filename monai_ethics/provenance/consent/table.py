# SPDX-License-Identifier: Apache-2.0
"""Consents in a table, one row a person and statement."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from monai_ethics.errors import InputError
from monai_ethics.provenance.consent.registry import UNKNOWN, Person, Will
from monai_ethics.provenance.consent.statements import Consent, moment
from monai_ethics.provenance.consent.terms import PURPOSES, duo_terms, purposes_of

__all__ = ["COLUMNS", "consent_of_row", "read_table"]

COLUMNS = ("patient_id", "issuer", "purposes", "duo", "permit", "basis", "valid_from", "valid_to", "document")
_WORDS = {"": True, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def read_table(data: bytes) -> list[Will]:
    """Read a table of consents, separated by tabs or commas.

    Args:
        data: UTF-8 text whose header has `patient_id` and `purposes` or `duo`, and may have the other `COLUMNS`.

    Raises:
        InputError: if a column is unknown or missing, or a row cannot be read; it is named by its number.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("Expected a table in UTF-8: got other bytes. Save it as UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in text.partition("\n")[0] else ",")
    names = [str(name).strip() for name in reader.fieldnames or ()]
    if "patient_id" not in names or not {"purposes", "duo"} & set(names) or not set(names) <= set(COLUMNS):
        raise InputError(
            f"Expected a table with patient_id and purposes or duo, of the columns {', '.join(COLUMNS)}: got others. "
            "Rename them."
        )
    reader.fieldnames = names
    wills = []
    for number, row in enumerate(reader, start=2):
        if None in row or None in row.values():
            raise InputError(f"Row {number} must have {len(names)} fields: got another number. Correct it.")
        try:
            wills.append(consent_of_row({name: str(value).strip() for name, value in row.items()}))
        except InputError as error:
            raise InputError(f"Row {number}: {error}") from error
    return wills


def consent_of_row(row: Mapping[str, str], *, source: str = "table") -> Will:
    """One row by the names of `COLUMNS`; raises `InputError` if a field cannot be read."""
    permit = _WORDS.get(row.get("permit", "").lower())
    if permit is None:
        raise InputError("`permit` must be yes or no: got another word. Correct it.")
    if not row["patient_id"]:
        raise InputError("`patient_id` must not be empty: got nothing. Fill it in, or leave the row out.")
    named = purposes_of(row["purposes"]) if row.get("purposes") else ()
    by_terms, conditions = duo_terms(row["duo"].split(",")) if row.get("duo") else ((), ())
    if not named and not by_terms:
        raise InputError("`purposes` or `duo` must permit something: got nothing. Name a purpose.")
    purposes = tuple(purpose for purpose in PURPOSES if purpose in {*named, *by_terms})
    start, end = row.get("valid_from"), row.get("valid_to")
    return Will(
        person=Person(patient_id=row["patient_id"], issuer=row.get("issuer", "")),
        consent=Consent(
            subject=UNKNOWN,
            purposes=purposes,
            permit=permit,
            basis=row.get("basis") or "not stated",
            valid_from=moment(start) if start else None,
            valid_to=moment(end, end=True) if end else None,
            document=(row.get("document") or "").lower() or None,
            conditions=conditions if permit else (),
            source=source,
        ),
    )
