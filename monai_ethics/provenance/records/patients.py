# SPDX-License-Identifier: Apache-2.0
"""One spelling of a patient, so that the same person has the same pseudonym wherever the same key is used."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from monai_ethics.errors import InputError

__all__ = ["PATIENT", "PATIENT_KEYS", "patient_identifier", "patient_numbers"]

PATIENT = "patient"  # the domain of the pseudonyms
#: keys of a dataset item under which people name its patient
PATIENT_KEYS = ("patient", "patient_id", "participant_id", "subject", "subject_id", "PatientID")


def patient_identifier(patient_id: str, issuer: str = "") -> str:
    """What is given to ``log.pseudonym("patient", ...)``: the number and who gave it out; it is stored nowhere.

    Args:
        patient_id: as in Patient ID (0010,0020); white space around it, of any kind, carries no meaning. Zeros in
            front do: a number that lost them, as in a table read as integers, is another number.
        issuer: as in Issuer of Patient ID (0010,0021); empty if none is known.

    Returns:
        The issuer, a newline and the number; the number alone without an issuer.

    Raises:
        InputError: if the number is empty.

    References: DICOM PS3.5 6.2 (leading and trailing spaces of LO are not significant).
    """
    number, authority = (_bare(unicodedata.normalize("NFC", text)) for text in (patient_id, issuer))
    if not number:
        raise InputError("Expected a patient's number: got an empty one. Give the Patient ID.")
    return f"{authority}\n{number}" if authority else number


def _bare(text: str) -> str:
    """A text without white space and marks that nobody sees at its ends."""
    seen = [place for place, char in enumerate(text) if not char.isspace() and unicodedata.category(char)[0] != "C"]
    return text[seen[0] : seen[-1] + 1] if seen else ""


def patient_numbers(item: Mapping[str, Any]) -> list[str]:
    """Patient IDs that a dataset item names under one of `PATIENT_KEYS`, however the keys are written, each once.

    Args:
        item: a dataset item; mappings and lists in it are looked into.
    """
    return list(dict.fromkeys(_numbers(item, named=False, depth=0)))


def _numbers(value: Any, *, named: bool, depth: int) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items() if depth < _DEEPEST else ():
            word = _spelled(key)
            yield from _numbers(inner, named=word in _KEYS or (named and word in _WITHIN), depth=depth + 1)
    elif isinstance(value, (list, tuple)):
        for inner in value if named and depth < _DEEPEST else ():
            yield from _numbers(inner, named=True, depth=depth + 1)
    elif named and (text := _number(value)):
        yield text


def _number(value: Any) -> str:
    """A number as text: tables and tensors hand out integers, and floats that are integers."""
    if getattr(value, "size", None) == 1 or getattr(value, "numel", int)() == 1:  # of NumPy, or a tensor
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    given = isinstance(value, (str, int)) and not isinstance(value, bool)
    return _bare(str(value)) if given else ""


def _spelled(key: Any) -> str:
    return str(key).lower().replace("_", "").replace("-", "").replace(" ", "")


_KEYS = frozenset(map(_spelled, PATIENT_KEYS))
_WITHIN = frozenset({"id", "number", "value"})  # keys of what describes a patient
_DEEPEST = 8
