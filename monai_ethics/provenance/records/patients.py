# SPDX-License-Identifier: Apache-2.0
"""One spelling of a patient, so that the same person has the same pseudonym wherever the same key is used."""

from __future__ import annotations

import unicodedata

from monai_ethics.errors import InputError

__all__ = ["PATIENT", "PATIENT_KEYS", "patient_identifier"]

PATIENT = "patient"  # the domain of the pseudonyms
#: keys of a dataset item under which people name its patient
PATIENT_KEYS = ("patient", "patient_id", "participant_id", "subject", "subject_id", "PatientID")


def patient_identifier(patient_id: str, issuer: str = "") -> str:
    """What is given to ``log.pseudonym("patient", ...)``: the number and who gave it out; it is stored nowhere.

    Args:
        patient_id: as in Patient ID (0010,0020); white space around it carries no meaning.
        issuer: as in Issuer of Patient ID (0010,0021); empty if none is known.

    Returns:
        The issuer, a newline and the number; the number alone without an issuer.

    Raises:
        InputError: if the number is empty.

    References: DICOM PS3.5 6.2 (leading and trailing spaces of LO are not significant).
    """
    number, authority = (unicodedata.normalize("NFC", text).strip(" \0\t\r\n") for text in (patient_id, issuer))
    if not number:
        raise InputError("Expected a patient's number: got an empty one. Give the Patient ID.")
    return f"{authority}\n{number}" if authority else number
