# SPDX-License-Identifier: Apache-2.0
"""Proofs that a person's images were, or were not, in the sets that a run learned from; nobody else is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.provenance.consent.receipts import check_receipt, receipt_for
from monai_ethics.provenance.consent.registry import Person
from monai_ethics.provenance.log.files.payload import pseudonym_of, read_pseudonym_key
from monai_ethics.provenance.log.reading.entries import iter_entries
from monai_ethics.provenance.log.tree.canonical import strict_loads
from monai_ethics.provenance.log.verifying.verify import as_signed
from monai_ethics.provenance.log.writing.relied import relied_on
from monai_ethics.provenance.records.patients import PATIENT, patient_identifier
from monai_ethics.provenance.records.sets import KIND, proves_absence, proves_inclusion, read_sets

__all__ = ["PROOFS_SCHEMA", "CheckedProof", "check_proofs", "membership_proofs", "read_proofs"]

PROOFS_SCHEMA = "monai_ethics.membership/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedProof:
    """What a proof about one set shows.

    Args:
        record: id of the set's record.
        role: what the set was for.
        claim: ``"inclusion"`` or ``"absence"``.
        holds: whether the proof leads to the root, and the root to a signed head.
        trusted: whether the head's key was given as trusted; ``None`` if none was given.
        unattributed: images of the set whose person is not known: the proof does not speak of them.
    """

    record: str
    role: str
    claim: str
    holds: bool
    trusted: bool | None
    unattributed: int

    @property
    def text(self) -> str:
        """The result in words."""
        if not self.holds:
            return f"does not hold: the {self.role} {self.record}"
        said = "contains" if self.claim == "inclusion" else "does not contain"
        signer = {True: "a key that you trust", False: "a key that you do not trust", None: "an unknown key"}
        rest = f"; {self.unattributed} of its images name no person" if self.unattributed else ""
        return f"the {self.role} {self.record} {said} this person, signed by {signer[self.trusted]}{rest}"


def membership_proofs(folder: Path, person: Person) -> dict[str, Any]:
    """Prove for each set of an evidence folder whether a person is in it.

    Args:
        folder: sealed evidence with its private part.
        person: who; only the folder's pseudonym of the person goes into the proof.

    Raises:
        GateError: if the log is not as it was signed.
        InputError: if the folder records no set, or its private part is gone.
        ProvenanceError: if a list does not give the root that the log holds.
    """
    under = relied_on(folder, as_signed(folder))
    key = read_pseudonym_key(folder)
    entries = [entry for entry in iter_entries(folder, under=under) if entry.kind == KIND]
    if key is None or not entries:
        raise InputError(
            "Expected evidence of a run with its sets and its pseudonym key: got none. Give the folder that the run "
            "wrote, with its private part."
        )
    subject = pseudonym_of(key, PATIENT, patient_identifier(person.patient_id, person.issuer))
    lists = read_sets(folder)
    found = []
    for entry in entries:
        members = lists[str(entry.body.get("record"))]
        if members is None:
            raise InputError("Expected the lists of all sets: got one that was erased. Its root alone proves nothing.")
        proof = members.prove_inclusion(subject) if subject in members else members.prove_absence(subject)
        found.append({"proof": proof, "receipt": receipt_for(folder, entry.leaf)})
    return {"schema": PROOFS_SCHEMA, "subject": subject, "sets": found}


def read_proofs(data: bytes) -> dict[str, Any]:
    """Read a file of proofs.

    Raises:
        SchemaError: if it is none of this version.
    """
    found = strict_loads(data)
    fits = isinstance(found, dict) and set(found) == {"schema", "subject", "sets"}
    if not fits or found["schema"] != PROOFS_SCHEMA:
        raise SchemaError(f"Expected proofs of {PROOFS_SCHEMA}: got another file. Give the one that was handed out.")
    return dict(found)


def check_proofs(proofs: Mapping[str, Any], *, trusted: Sequence[bytes] = ()) -> list[CheckedProof]:
    """Check proofs without the evidence, set by set.

    Args:
        proofs: what `membership_proofs` made.
        trusted: raw public keys or fingerprints, 32 bytes each.

    Raises:
        SchemaError: if they have another form.
    """
    subject, checked = str(proofs["subject"]), []
    try:
        for one in proofs["sets"]:
            receipt = check_receipt(one["receipt"], trusted=trusted)
            body, proof = receipt.body, one["proof"]
            claim = str(proof["claim"])
            proves = {"inclusion": proves_inclusion, "absence": proves_absence}[claim]
            about = receipt.kind == KIND and proves(proof, subject=subject, root=str(body["root"]), n=int(body["n"]))
            checked.append(
                CheckedProof(
                    record=str(body.get("record")),
                    role=str(body.get("role")),
                    claim=claim,
                    holds=about and receipt.included and receipt.signed,
                    trusted=receipt.trusted,
                    unattributed=int(body.get("unattributed", 0)),
                )
            )
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaError("Expected proofs of this version: got another form. The file was cut or edited.") from error
    return checked
