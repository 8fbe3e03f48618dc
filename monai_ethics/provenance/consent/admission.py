# SPDX-License-Identifier: Apache-2.0
"""Consent at the entry of a dataset: whose image an item is, and whether the person agreed to the use."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from monai_ethics._quiet import quiet_dicom
from monai_ethics.errors import InputError
from monai_ethics.provenance.consent.registry import Person, load_consent
from monai_ethics.provenance.consent.state import Decision
from monai_ethics.provenance.consent.subjects import Subjects
from monai_ethics.provenance.consent.terms import PURPOSES
from monai_ethics.provenance.consent_coverage import NOBODY, ConsentCoverage, ConsentUse, refuses
from monai_ethics.provenance.images.dicom import read_patient
from monai_ethics.provenance.images.listing import item_files
from monai_ethics.provenance.images.read import is_dicom
from monai_ethics.provenance.log.files.payload import pseudonym_of, read_pseudonym_key
from monai_ethics.provenance.log.tree.digits import time_text
from monai_ethics.provenance.log.writing.writer import utc_now
from monai_ethics.provenance.records.patients import PATIENT, patient_identifier, patient_numbers
from monai_ethics.provenance.registry.admission import Judgement, Namer, Refusal

__all__ = ["ConsentJudge", "PersonOf", "people_of_item"]

PersonOf = Callable[[Sequence[Mapping[str, Any]]], Sequence[Person | None]]


class ConsentJudge:
    """Refuse items whose use their person did not agree to, or opposes.

    Args:
        site: the site log that holds consents and withdrawals.
        rule: ``"opt-in"`` or ``"opt-out"``, as for `ConsentCoverage`.
        purpose: what the items are used for, of `PURPOSES`.
        people: tells the persons of items that do not name one themselves, such as by a table of participants.
        checked: codes of conditions that somebody checked for this use.
        trusted: keys by which the site log must be signed.
        clock: gives the time of the use.

    Raises:
        InputError: if the rule or the purpose is unknown.
    """

    def __init__(
        self,
        site: str | Path,
        *,
        rule: str = "opt-out",
        purpose: str = "training",
        people: PersonOf | None = None,
        checked: Collection[str] = (),
        trusted: Sequence[bytes] = (),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        if rule is None or purpose not in PURPOSES:
            raise InputError(f"`purpose` must be one of {', '.join(PURPOSES)}, and `rule` be given: got another.")
        self.check = ConsentCoverage(rule=rule)
        self.site = Path(site).absolute()
        self.purpose = purpose
        self.follows_engine = False  # whether a run tells the purpose when an engine starts
        self._people, self._checked = people, tuple(checked)
        self._trusted, self._clock = tuple(trusted), clock

    def judge(self, items: Sequence[Mapping[str, Any]], *, pseudonym: Namer | None = None) -> Judgement:
        """Judge items by what the site log says now.

        Raises:
            GateError: if the site log is not as it was signed.
            InputError: if it cannot be read.
        """
        at = self._clock()
        state = load_consent(self.site, trusted=self._trusted)
        subjects = Subjects(self.site)
        name = pseudonym or self._namer()
        named = self._persons(items)
        decisions: dict[Person, Decision] = {}
        for person in dict.fromkeys(person for people in named for person in people):
            tokens = subjects.tokens(person.patient_id, issuer=person.issuer)
            exact = subjects.token(person.patient_id, issuer=person.issuer) is not None
            decisions[person] = state.covers_all(tokens, self.purpose, at, checked=self._checked, exact=exact)
        people = [self._decisive(found, decisions) for found in named]
        silent = Decision(False, False, NOBODY)
        use = ConsentUse(
            items=[name("item", _said(place, item)) for place, item in enumerate(items, start=1)],
            people=[name(PATIENT, _identifier(person)) if person is not None else None for person in people],
            decisions=[decisions[person] if person is not None else silent for person in people],
            purpose=self.purpose,
            at=time_text(at),
        )
        refusals = tuple(
            Refusal(position=place, item=who or item, kind=f"{reason}: {self.purpose}", why=reason)
            for place, (item, who, decision, reason) in enumerate(
                zip(use.items, use.people, use.decisions, use.reasons(), strict=True), start=1
            )
            if refuses(self.check.rule, who, decision)
        )
        return Judgement(n=len(items), refusals=refusals, findings=(self.check(use),))

    def _decisive(self, people: Sequence[Person], decisions: Mapping[Person, Decision]) -> Person | None:
        """Of the people of an item the first whose will the rule refuses it for; else the first."""
        against = (person for person in people if refuses(self.check.rule, person.patient_id, decisions[person]))
        return next(against, people[0] if people else None)

    def _persons(self, items: Sequence[Mapping[str, Any]]) -> list[tuple[Person, ...]]:
        found = [people_of_item(item) for item in items]
        left = [place for place, people in enumerate(found) if not people]
        if left and self._people is not None:
            for place, person in zip(left, self._people([items[place] for place in left]), strict=True):
                found[place] = () if person is None else (person,)
        return found

    def _namer(self) -> Namer:
        key = read_pseudonym_key(self.site)
        assert key is not None  # `Subjects` read it before
        return lambda domain, text: pseudonym_of(key, domain, text)


def people_of_item(item: Mapping[str, Any]) -> tuple[Person, ...]:
    """Everybody whom an item names under one of `PATIENT_KEYS`, and whom its DICOM files name in their headers.

    One name does not stand for another: a datalist that names somebody else than a file's header speaks of both.
    """
    names = [number for number in patient_numbers(item) if os.sep not in number or not os.path.isfile(number)]
    headers = (_of_header(Path(path)) for _, path in item_files(item))
    people = [*(Person(patient_id=number) for number in names), *(person for person in headers if person is not None)]
    return tuple(dict.fromkeys(people))


@quiet_dicom()
def _of_header(path: Path) -> Person | None:
    if not is_dicom(path) and path.suffix.lower() not in ("", ".dcm", ".dicom", ".ima"):
        return None
    try:  # readers take files without the preamble as well
        number, issuer = read_patient(path)
    except Exception:  # a damaged file names nobody
        return None
    return Person(patient_id=number.strip(), issuer=issuer) if number.strip() else None


def _identifier(person: Person) -> str:
    return patient_identifier(person.patient_id, person.issuer)


def _said(place: int, item: Mapping[str, Any]) -> str:
    files = item_files(item)
    return str(Path(files[0][1]).absolute()) if files else f"item#{place}"
