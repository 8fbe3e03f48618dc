# SPDX-License-Identifier: Apache-2.0
"""Consent as DICOM files carry it: Consent for Clinical Trial Use (0012,0083) of the Clinical Trial Study module."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pydicom

from monai_ethics._quiet import quiet_dicom
from monai_ethics.errors import InputError
from monai_ethics.provenance.consent.registry import UNKNOWN, Person, Will
from monai_ethics.provenance.consent.statements import Consent
from monai_ethics.provenance.consent.terms import DISTRIBUTION, PURPOSES

__all__ = ["consents_of_dataset", "read_dicom_consent"]

_TAGS = ["PatientID", "IssuerOfPatientID", "ConsentForClinicalTrialUseSequence"]


@quiet_dicom()
def read_dicom_consent(paths: Iterable[Path]) -> list[Will]:
    """Consents in the headers of files, one a person and statement; pixels are not read.

    Args:
        paths: DICOM files.

    Raises:
        InputError: if one cannot be read, or none holds a consent; files are named by their position.
    """
    found: dict[tuple[Person, Consent], Will] = {}
    for position, path in enumerate(paths, start=1):
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
            wills = consents_of_dataset(dataset)
        except InputError:
            raise
        except Exception as error:  # pydicom raises whatever a damaged file makes it stumble over
            raise InputError(f"Expected file {position} to be DICOM: got another. Leave it out.") from error
        found.update({(will.person, will.consent): will for will in wills})
    if not found:
        raise InputError(
            "Expected files with Consent for Clinical Trial Use (0012,0083): got none. Record the consent another way."
        )
    return list(found.values())


def consents_of_dataset(dataset: pydicom.Dataset) -> list[Will]:
    """Consents of one dataset.

    Distribution Type says to whom data may go; Consent for Distribution Flag whether the person agreed, refused or
    withdrew. ``WITHDRAWN`` becomes a refusal of everything, since the file does not say when.

    References: DICOM PS3.3 C.7.2.3, Clinical Trial Study module.
    """
    number = str(dataset.get("PatientID") or "")
    if not number.strip():
        return []
    person = Person(patient_id=number, issuer=str(dataset.get("IssuerOfPatientID") or ""))
    wills = []
    for item in dataset.get("ConsentForClinicalTrialUseSequence") or ():
        flag, kind = _text(item, "ConsentForDistributionFlag"), _text(item, "DistributionType")
        if flag not in ("YES", "NO", "WITHDRAWN"):
            continue
        permit = flag == "YES"
        purposes: tuple[str, ...] = DISTRIBUTION.get(kind, ()) if flag != "WITHDRAWN" else PURPOSES
        named = permit and kind == "NAMED_PROTOCOL"
        if purposes:
            what = Consent(
                subject=UNKNOWN,
                purposes=purposes,
                permit=permit,
                conditions=("DUO:0000027",) if named else (),  # one protocol: project specific
                source="dicom",
            )
            wills.append(Will(person=person, consent=what))
    return wills


def _text(item: Any, name: str) -> str:
    return str(item.get(name) or "").strip().upper()
