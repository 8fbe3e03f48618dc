# SPDX-License-Identifier: Apache-2.0
"""HL7 FHIR Consent resources (R4 and R5) as consents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.provenance.consent.registry import UNKNOWN, Person, Will
from monai_ethics.provenance.consent.statements import Consent, moment
from monai_ethics.provenance.consent.terms import PURPOSES, RESEARCH_CODES, duo_terms
from monai_ethics.provenance.log.tree.canonical import strict_loads

__all__ = ["PURPOSE_SYSTEM", "consents_of_fhir", "read_fhir"]

PURPOSE_SYSTEM = "tag:monai_ethics,2026:purpose"
_NOT_VALID = ("draft", "proposed", "rejected", "entered-in-error", "not-done", "unknown")


def read_fhir(data: bytes) -> list[Will]:
    """Read a file with one Consent, or a Bundle of them.

    Raises:
        InputError: if a consent names no patient, or nothing that can be read as a purpose.
        SchemaError: if the file is not JSON.
    """
    return consents_of_fhir(strict_loads(data))


def consents_of_fhir(resource: Any) -> list[Will]:
    """Consents of a FHIR resource; raises as `read_fhir` does."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if kind == "Bundle":
        entries = resource.get("entry") or ()
        inner = [entry.get("resource") for entry in entries if isinstance(entry, dict)]
        return [will for one in inner if _is(one, "Consent") for will in consents_of_fhir(one)]
    if kind != "Consent":
        raise InputError("Expected a FHIR Consent, or a Bundle of them: got another resource. Export the consents.")
    if resource.get("status") in _NOT_VALID:
        return []
    try:
        return list(_wills(resource))
    except (AttributeError, TypeError, KeyError, IndexError) as error:
        raise SchemaError("Expected a FHIR Consent of R4 or R5: got another form. Validate it first.") from error


def _is(resource: Any, kind: str) -> bool:
    return isinstance(resource, dict) and resource.get("resourceType") == kind


def _wills(resource: Mapping[str, Any]) -> Iterable[Will]:
    person = _person(resource.get("patient") or resource.get("subject") or {})
    ended = resource.get("status") == "inactive"
    given = resource.get("provision") or {}
    provisions = given if isinstance(given, list) else [given]  # a list in R5
    default = resource.get("decision")  # R5; in R4 the provision says it
    for provision in provisions:
        purposes, conditions = _purposes(provision.get("purpose") or ())
        permit = (provision.get("type") or default or "permit") == "permit"
        start, end = _period(provision.get("period") or resource.get("period") or {})
        yield Will(
            person=person,
            consent=Consent(
                subject=UNKNOWN,
                purposes=purposes,
                permit=permit and not ended,  # inactive: no longer in force
                valid_from=start,
                valid_to=end,
                conditions=conditions if permit else (),
                source="fhir",
            ),
        )


def _person(reference: Mapping[str, Any]) -> Person:
    identifier = reference.get("identifier") or {}
    if identifier.get("value"):
        assigner = (identifier.get("assigner") or {}).get("display") or identifier.get("system") or ""
        return Person(patient_id=str(identifier["value"]), issuer=str(assigner))
    number = str(reference.get("reference") or "").rpartition("/")[2]
    if not number:
        raise InputError("Expected a FHIR Consent with its patient: got none. Export the patient's reference with it.")
    return Person(patient_id=number)


def _purposes(codings: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found: set[str] = set()
    conditions: set[str] = set()
    for coding in codings:
        system, code = str(coding.get("system") or ""), str(coding.get("code") or "")
        if system == PURPOSE_SYSTEM and code in PURPOSES:
            found.add(code)
        elif system.startswith("http://purl.obolibrary.org/obo") or code.upper().startswith("DUO"):
            permitted, left = duo_terms([code])
            found.update(permitted)
            conditions.update(left)
        else:
            found.update(RESEARCH_CODES.get(code.upper(), ()))
    if not found:
        raise InputError(
            "Expected a FHIR Consent whose provision names a purpose of research, of the Data Use Ontology or of "
            f"{PURPOSE_SYSTEM}: got none. Add one."
        )
    return tuple(purpose for purpose in PURPOSES if purpose in found), tuple(sorted(conditions))


def _period(period: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    start, end = period.get("start"), period.get("end")
    return (moment(str(start)) if start else None, moment(str(end), end=True) if end else None)
