# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics consent`: who agreed to what, who withdrew, and what follows."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from monai_ethics.provenance.consent.registry import Person, Will

__all__ = ["group"]

group = typer.Typer(
    no_args_is_help=True, help="Record consent and withdrawal in the site log, and ask what they cover."
)

_ONLY_HERE = (
    "By this site log alone, as of now. A wrong number or issuer, and a person who was forgotten, look like silence."
)

Site = Annotated[Path, typer.Option(envvar="MONAI_ETHICS_SITE", help="The site log.")]
Patient = Annotated[str | None, typer.Option(help="Patient ID; `-` reads it from standard input.")]
Issuer = Annotated[str, typer.Option(help="Issuer of the Patient ID.")]
Purposes = Annotated[str | None, typer.Option(help="Of research,training,evaluation,synthesis,distribution.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@group.command("record")
def record(
    site: Site,
    patient: Patient = None,
    issuer: Issuer = "",
    purposes: Purposes = None,
    duo: Annotated[str | None, typer.Option(help="Codes of the Data Use Ontology, with commas.")] = None,
    deny: Annotated[bool, typer.Option("--deny", help="The person refuses these purposes.")] = False,
    valid_from: Annotated[str | None, typer.Option("--from", help="First day, such as 2026-03-01.")] = None,
    valid_to: Annotated[str | None, typer.Option("--to", help="Last day.")] = None,
    document: Annotated[Path | None, typer.Option(help="The signed form, of which only a digest is kept.")] = None,
    table: Annotated[Path | None, typer.Option(help="CSV or TSV with patient_id, purposes or duo, ...")] = None,
    fhir: Annotated[list[Path] | None, typer.Option(help="FHIR Consent, or a Bundle of them; may repeat.")] = None,
    dicom: Annotated[list[Path] | None, typer.Option(help="DICOM files with consent attributes; may repeat.")] = None,
    as_json: Json = False,
) -> int:
    """Record what people agreed to: one person, a table, FHIR resources or DICOM files."""
    from monai_ethics.provenance.consent.registry import ConsentRegistry

    wills = _read_wills(table=table, fhir=fhir, dicom=dicom)
    if patient is not None:
        row = {
            "patient_id": _patient(patient),
            "issuer": issuer,
            "purposes": purposes or "",
            "duo": duo or "",
            "permit": "no" if deny else "yes",
            "valid_from": valid_from or "",
            "valid_to": valid_to or "",
            "document": _digest(document),
            "basis": "explicit consent",
        }
        wills.append(_one(row))
    entries = ConsentRegistry(site).record(wills)
    people = len({will.person for will in wills})
    if as_json:
        print(json.dumps({"entries": entries, "people": people}, indent=1))
    else:
        counts = Counter(purpose for will in wills for purpose in will.consent.purposes if will.consent.permit)
        told = ", ".join(f"{purpose} {number}" for purpose, number in counts.items()) or "nothing is permitted"
        print(f"{_counted(len(entries), 'statement')} of {_counted(people, 'person', 'people')} recorded: {told}")
    return 0


@group.command("withdraw")
def withdraw(
    site: Site,
    patient: Patient = None,
    issuer: Issuer = "",
    purposes: Purposes = None,
    at: Annotated[str | None, typer.Option(help="From when on, ISO 8601; now if absent.")] = None,
    evidence: Annotated[
        list[Path] | None, typer.Option(help="Evidence to search for models and sets made of the person; may repeat.")
    ] = None,
    receipt: Annotated[Path | None, typer.Option(help="New file for the person's receipt.")] = None,
    as_json: Json = False,
) -> int:
    """Record a withdrawal, say which models and synthetic sets it touches, and give the person a receipt."""
    from monai_ethics.provenance.consent.affected import affected_by
    from monai_ethics.provenance.consent.registry import ConsentRegistry
    from monai_ethics.provenance.consent.statements import moment
    from monai_ethics.provenance.consent.terms import PURPOSES, purposes_of

    person = _person(patient, issuer)
    if receipt is not None and receipt.exists():
        raise InputError("Expected a new file for `--receipt`: got one that exists. Name another one.")
    if receipt is not None and not os.access(receipt.absolute().parent, os.W_OK | os.X_OK):
        raise InputError("Expected a folder for `--receipt` that can be written: got another. Nothing was recorded.")
    chosen = purposes_of(purposes) if purposes else PURPOSES
    time = moment(at) if at else None
    touched = affected_by(person, evidence or [])  # all is read before anything is written
    known = _known(site, person)
    entry, proof = ConsentRegistry(site).withdraw(person, purposes=chosen, at=time)
    if receipt is not None:
        from monai_ethics.provenance.log.files.storage import write_atomically
        from monai_ethics.provenance.log.tree.canonical import canonical

        write_atomically(receipt, canonical(proof) + b"\n", replace=False)
    if as_json:
        print(json.dumps({"withdrawal": entry, "known_before": known, **touched.to_dict()}, indent=1))
        return 0
    print(f"withdrawal {entry}\nfor {', '.join(chosen)}")
    if not known:
        print("The site log knew nothing of this person before: check the number and the issuer.")
    print(touched.text)
    if touched.derived:
        print(f"Say what becomes of each: monai-ethics consent dispose --withdrawal {entry} --record ID --as ...")
    return 0


@group.command("dispose")
def dispose(
    site: Site,
    record_id: Annotated[str, typer.Option("--record", help="Record of the model or set, sha256:...")],
    withdrawal: Annotated[str, typer.Option(help="Id of the withdrawal.")],
    what: Annotated[str, typer.Option("--as", help="retrain, unlearn, retain-with-reason or retire.")],
    reason: Annotated[str, typer.Option(help="Why; stored privately.")] = "",
    audit: Annotated[str | None, typer.Option(help="Id of the entry of a finding on what remains.")] = None,
    as_json: Json = False,
) -> int:
    """Record what became of a model or a synthetic set after a withdrawal."""
    from monai_ethics.provenance.consent.registry import ConsentRegistry

    entry = ConsentRegistry(site).dispose(record_id, withdrawal, what, reason=reason, audit=audit)
    said = f"disposition {entry}\nThis is what somebody decided; whether it was done is not visible here."
    print(json.dumps({"disposition": entry}) if as_json else said)
    return 0


@group.command("status")
def status(site: Site, patient: Patient = None, issuer: Issuer = "", as_json: Json = False) -> int:
    """Say what holds for a person now, purpose by purpose; or how many people said what."""
    from monai_ethics.provenance.consent.registry import load_consent
    from monai_ethics.provenance.consent.subjects import Subjects
    from monai_ethics.provenance.consent.terms import PURPOSES
    from monai_ethics.provenance.log.writing.writer import utc_now

    state = load_consent(site)
    now = utc_now()
    tokens = list(state.said)
    if patient is not None:
        person = _person(patient, issuer)
        tokens = list(Subjects(site).tokens(person.patient_id, issuer=person.issuer))
        rows = {purpose: state.covers_all(tokens, purpose, now).reason for purpose in PURPOSES}
        print(json.dumps(rows, indent=1) if as_json else "\n".join(f"{name:13} {why}" for name, why in rows.items()))
        if not as_json:
            print(_ONLY_HERE)
        return 0
    table = {purpose: Counter(state.covers(token, purpose, now).reason for token in tokens) for purpose in PURPOSES}
    facts = {
        "people": len(tokens),
        "withdrawals": list(state.withdrawals),
        "dispositions": len(state.dispositions),
        "forgotten": len(state.forgotten),
    }
    if as_json:
        print(json.dumps({**facts, "purposes": {name: dict(found) for name, found in table.items()}}, indent=1))
        return 0
    who, ended = _counted(len(tokens), "person", "people"), _counted(len(state.withdrawals), "withdrawal")
    print(f"{who}, {ended}, {facts['forgotten']} forgotten")
    for name, found in table.items():
        print(f"{name:13} " + (", ".join(f"{number} {why}" for why, number in found.most_common()) or "nothing said"))
    return 0


@group.command("erase")
def erase(site: Site, patient: Patient = None, issuer: Issuer = "", as_json: Json = False) -> int:
    """Forget a person: destroy the salt that links the person to entries of the site log."""
    from monai_ethics.provenance.consent.registry import ConsentRegistry

    told = ConsentRegistry(site).erase(_person(patient, issuer))
    print(json.dumps({"erased": True, "what_it_means": told}, indent=1) if as_json else told)
    return 0


@group.command("proof")
def proof(
    evidence: Annotated[Path | None, typer.Argument(help="Evidence of a run, with its private part.")] = None,
    patient: Patient = None,
    issuer: Issuer = "",
    out: Annotated[Path | None, typer.Option(help="New file for the proofs.")] = None,
    check: Annotated[Path | None, typer.Option(help="A file of proofs to check instead.")] = None,
    trust: Annotated[list[str] | None, typer.Option(help="Key that must have signed the evidence.")] = None,
    as_json: Json = False,
) -> int:
    """Prove that a person was, or was not, in the sets that a run used; or check such proofs (exit 1 if one fails)."""
    from monai_ethics.provenance.consent.proofs import check_proofs, membership_proofs, read_proofs
    from monai_ethics.provenance.keys.trusted import read_trusted
    from monai_ethics.provenance.log.files.storage import write_atomically
    from monai_ethics.provenance.log.tree.canonical import canonical

    if (evidence is None) == (check is None):
        raise InputError("Expected evidence, or `--check` with a file of proofs: got both or none. Give one.")
    if evidence is not None:
        if out is None or out.exists():
            raise InputError("Expected a new file for `--out`: got none, or one that exists. Name another one.")
        proofs = membership_proofs(evidence, _person(patient, issuer))
        write_atomically(out, canonical(proofs) + b"\n", replace=False)
    else:
        proofs = read_proofs(_bytes(check)) if check is not None else {}
    found = check_proofs(proofs, trusted=read_trusted(trust or []))
    if as_json:
        print(json.dumps([{"record": one.record, "claim": one.claim, "holds": one.holds} for one in found], indent=1))
    else:
        print("\n".join(one.text for one in found))
        print("A proof speaks of the number and issuer as given; images whose person nobody knew are in no proof.")
        if any(one.trusted is None for one in found):
            print("Nothing says whose key signed: give --trust with the public key of whoever ran it.")
    return 0 if all(one.holds and one.trusted is not False for one in found) else 1


@group.command("receipt")
def receipt_check(
    file: Annotated[Path, typer.Argument(help="A receipt that was handed out.")],
    trust: Annotated[list[str] | None, typer.Option(help="Key of the site: public key file or fingerprint.")] = None,
    as_json: Json = False,
) -> int:
    """Check a receipt without the log; exits with 1 if it does not hold."""
    from monai_ethics.provenance.consent.receipts import check_receipt, read_receipt
    from monai_ethics.provenance.keys.trusted import read_trusted

    found = check_receipt(read_receipt(_bytes(file)), trusted=read_trusted(trust or []))
    facts = {"holds": found.holds, "kind": found.kind, "time": found.time, "body": dict(found.body)}
    print(json.dumps(facts, indent=1) if as_json else found.text)
    return 0 if found.holds else 1


def _counted(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


def _known(site: Path, person: Person) -> bool:
    """Whether the site log holds a statement of this person already."""
    from monai_ethics.provenance.consent.registry import load_consent
    from monai_ethics.provenance.consent.subjects import Subjects
    from monai_ethics.provenance.log.reading.entries import LOG_NAME

    if not (site / LOG_NAME).is_file():
        return False
    said = load_consent(site).said
    return any(token in said for token in Subjects(site).tokens(person.patient_id, issuer=person.issuer))


def _read_wills(*, table: Path | None, fhir: list[Path] | None, dicom: list[Path] | None) -> list[Will]:
    wills: list[Will] = []
    if table is not None:
        from monai_ethics.provenance.consent.table import read_table

        wills += read_table(_bytes(table))
    for path in fhir or []:
        from monai_ethics.provenance.consent.fhir import read_fhir

        wills += read_fhir(_bytes(path))
    if dicom:
        from monai_ethics.provenance.consent.dicom import read_dicom_consent
        from monai_ethics.provenance.images.listing import image_files

        wills += read_dicom_consent(image_files(dicom))
    return wills


def _one(row: dict[str, str]) -> Will:
    from monai_ethics.provenance.consent.table import consent_of_row

    return consent_of_row(row, source="command")


def _person(patient: str | None, issuer: str) -> Person:
    from monai_ethics.provenance.consent.registry import Person

    if patient is None:
        raise InputError("Expected `--patient`: got none. Give the Patient ID, or `-` to read it.")
    return Person(patient_id=_patient(patient), issuer=issuer)


def _patient(word: str) -> str:
    text = sys.stdin.readline() if word == "-" else word
    if not text.strip():
        raise InputError("Expected a Patient ID: got an empty one. Give one, or `-` to read it.")
    return text.strip()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"Expected a file to read: got '{error.strerror}'. Check the path.") from error


def _digest(path: Path | None) -> str:
    from monai_ethics.provenance.log.tree.canonical import sha256_hex

    return "" if path is None else sha256_hex(_bytes(path))
