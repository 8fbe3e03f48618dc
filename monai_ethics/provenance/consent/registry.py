# SPDX-License-Identifier: Apache-2.0
"""The consent registry: what is written to the site log, and how it is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.provenance.consent.receipts import receipt_for
from monai_ethics.provenance.consent.state import ConsentState, fold
from monai_ethics.provenance.consent.statements import Consent, Disposition, Withdrawal
from monai_ethics.provenance.consent.subjects import Subjects
from monai_ethics.provenance.consent.terms import PURPOSES
from monai_ethics.provenance.log.reading.entries import iter_entries
from monai_ethics.provenance.log.verifying.verify import as_signed
from monai_ethics.provenance.log.writing.relied import relied_on
from monai_ethics.provenance.log.writing.site import open_site
from monai_ethics.provenance.log.writing.writer import EvidenceLog, utc_now

__all__ = ["ConsentRegistry", "Person", "Will", "load_consent"]

UNKNOWN = "0" * 32  # stands for a token that is not known yet
ERASED = (
    "From now on nobody can tell that entries of this log speak of this person, and no withdrawal or refusal of the "
    "person can be enforced any more: under the rule opt-out the person's images are admitted. "
    "What training sets and other logs hold under their own keys is not touched, nor are copies and backups."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person as files name one; it is written nowhere.

    Args:
        patient_id: as in Patient ID (0010,0020).
        issuer: as in Issuer of Patient ID (0010,0021).
    """

    patient_id: str
    issuer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What one person said, before the person has a token.

    Args:
        person: who.
        consent: what; its subject is filled in.
    """

    person: Person
    consent: Consent


class ConsentRegistry:
    """Writes consent, withdrawal, disposition and erasure to a site log.

    Args:
        site: the site log; created by the first consent.
        wait: most seconds to wait for another writer.
        clock: gives the time of entries and, by default, of withdrawals.
    """

    def __init__(self, site: Path, *, wait: float = 10.0, clock: Callable[[], datetime] = utc_now) -> None:
        self.site = Path(site)
        self._wait, self._clock = wait, clock

    def _open(self) -> EvidenceLog:
        return open_site(self.site, run_id="consent", wait=self._wait, clock=self._clock)

    def record(self, wills: Iterable[Will]) -> list[str]:
        """Record what people said, all or none; returns the ids of the log entries.

        Raises:
            InputError: if a person has no number, or there is nobody.
        """
        given = list(wills)
        if not given:
            raise InputError("Expected a consent to record: got none. Give a patient, a table or a file.")
        with self._open() as log:
            subjects = Subjects(self.site)
            tokens = [subjects.enroll(will.person.patient_id, issuer=will.person.issuer) for will in given]
            bodies = [replace(will.consent, subject=token).to_body() for will, token in zip(given, tokens, strict=True)]
            return log.append_many([("consent", body) for body in bodies])

    def withdraw(
        self, person: Person, *, purposes: Sequence[str] = PURPOSES, at: datetime | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Record a withdrawal; returns the id of its entry and a receipt for the person.

        A person whom the site never met can withdraw as well: images of the person may come later.

        Args:
            person: who.
            purposes: what is withdrawn; everything by default.
            at: from when on; now by default.
        """
        with self._open() as log:
            token = Subjects(self.site).enroll(person.patient_id, issuer=person.issuer)
            what = Withdrawal(subject=token, purposes=tuple(purposes), at=at or self._clock())
            entry = log.append("withdrawal", what.to_body())
            log.seal()
            return entry, receipt_for(self.site, entry)

    def dispose(
        self, record: str, withdrawal: str, disposition: str, *, reason: str = "", audit: str | None = None
    ) -> str:
        """Record what became of a model or set after a withdrawal; returns the id of the entry.

        Args:
            record: id of the record of the model or set.
            withdrawal: id of the withdrawal's entry.
            disposition: one of `DISPOSITIONS`.
            reason: why; stored privately, since it may speak of the person.
            audit: id of the entry of a finding that measured what remains.

        Raises:
            InputError: if the words do not fit, or the site log holds no such withdrawal.
        """
        Disposition(record=record, withdrawal=withdrawal, disposition=disposition, reason="0" * 64 if reason else None)
        if withdrawal not in load_consent(self.site).withdrawals:
            raise InputError("Expected the id of a withdrawal in the site log: got another. `consent status` lists it.")
        with self._open() as log:
            text = reason.encode("utf-8")
            kept = log.put_private("disposition_reason", text, media_type="text/plain") if text else None
            what = Disposition(record=record, withdrawal=withdrawal, disposition=disposition, reason=kept, audit=audit)
            return log.append("disposition", what.to_body())

    def erase(self, person: Person) -> str:
        """Forget a person: the salt is destroyed; returns in words what that ends.

        Raises:
            InputError: if the site does not know the person.
        """
        with self._open() as log:
            subjects = Subjects(self.site)
            token = subjects.token(person.patient_id, issuer=person.issuer)
            if token is None:
                raise InputError("Expected a person whom the site log knows: got another. Nothing was changed.")
            log.append("subject_erasure", {"subject": token})
            log.seal()  # what was decided is on the disk before the salt is not
            subjects.forget(person.patient_id, issuer=person.issuer)
        return ERASED


def load_consent(site: Path, *, trusted: Sequence[bytes] = ()) -> ConsentState:
    """Read what a site log says of consent.

    Args:
        site: the site log.
        trusted: keys by which it must be signed, as for `verify_evidence`.

    Raises:
        GateError: if the log is not as it was signed: somebody may have taken a withdrawal out.
        InputError: if the folder holds no log.
        SchemaError: if an entry has another form.
    """
    found = as_signed(Path(site), trusted=trusted, called="the site log")
    return fold(iter_entries(Path(site), under=relied_on(site, found)))
