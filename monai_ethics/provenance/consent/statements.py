# SPDX-License-Identifier: Apache-2.0
"""What the site log holds of a person's will: consent, withdrawal, and what was done about each model afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self, TypeVar

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.provenance.consent.terms import DUO, PURPOSES
from monai_ethics.provenance.log.tree.digits import is_hex, is_record_id, time_text

__all__ = ["BASES", "DISPOSITIONS", "Consent", "Disposition", "Withdrawal", "moment"]

BASES = ("explicit consent", "broad consent", "waiver", "other legal basis", "not stated")
DISPOSITIONS = ("retrain", "unlearn", "retain-with-reason", "retire")
SOURCES = ("command", "table", "fhir", "dicom")
T = TypeVar("T")


def moment(text: str | date, *, end: bool = False) -> datetime:
    """A time in UTC; a day without a time is its beginning, or the beginning of the next day where it is an `end`.

    Raises:
        InputError: if the text is no date of ISO 8601.
    """
    try:
        if isinstance(text, datetime):
            return text.astimezone(UTC)
        if isinstance(text, str) and len(text.strip()) > 10:
            given = datetime.fromisoformat(text.strip())
            return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)
        day = text if isinstance(text, date) else date.fromisoformat(text.strip())
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return start + timedelta(days=1) if end else start
    except (ValueError, OverflowError) as error:  # or beyond the years 1 and 9999
        raise InputError("A time must be of ISO 8601, such as 2026-03-01: got another text. Correct it.") from error


def _written(time: datetime | None) -> str | None:
    return None if time is None else time_text(time)


def _subject(token: str) -> None:
    if not is_hex(token, digits=32):
        raise InputError("A subject must be a token of 32 hex digits: got another text. Take it from the registry.")


def _purposes(purposes: tuple[str, ...]) -> None:
    if not purposes or not set(purposes) <= set(PURPOSES):
        raise InputError(f"Purposes must be of {', '.join(PURPOSES)}: got none or another word. Choose of these.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What one person permits, or does not.

    Args:
        subject: token of the person in this site log.
        purposes: what it speaks of, of `PURPOSES`.
        permit: whether they are permitted; a refusal is recorded as such.
        basis: one of `BASES`.
        valid_from: from when on; ``None`` for no beginning.
        valid_to: until when, exclusive; ``None`` for no end.
        document: SHA-256 of the signed form, or ``None``.
        conditions: codes of the Data Use Ontology that a person must check.
        source: where it came from, of `SOURCES`.

    Raises:
        InputError: if a word is not of its vocabulary, or the end is not after the beginning.
    """

    subject: str
    purposes: tuple[str, ...]
    permit: bool = True
    basis: str = "explicit consent"
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    document: str | None = None
    conditions: tuple[str, ...] = ()
    source: str = "command"

    def __post_init__(self) -> None:
        _subject(self.subject)
        _purposes(self.purposes)
        if self.basis not in BASES or self.source not in SOURCES:
            raise InputError(f"`basis` must be one of {', '.join(BASES)}: got another. Choose one.")
        if self.document is not None and not is_hex(self.document):
            raise InputError("`document` must be the SHA-256 of the form, 64 hex digits: got another text. Digest it.")
        if not set(self.conditions) <= {code for code, term in DUO.items() if term.condition}:
            raise InputError("Conditions must be codes of the Data Use Ontology: got another. Correct them.")
        if self.valid_from and self.valid_to and self.valid_to <= self.valid_from:
            raise InputError("A consent must end after it begins: got an end before. Correct the dates.")

    def to_body(self) -> dict[str, Any]:
        """The body of its log entry."""
        times = {"valid_from": _written(self.valid_from), "valid_to": _written(self.valid_to)}
        lists = {"purposes": list(self.purposes), "conditions": list(self.conditions)}
        return {**asdict(self), **times, **lists}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Read what `to_body` wrote.

        Raises:
            SchemaError: if it has another form.
        """
        return _read(cls, body, times=("valid_from", "valid_to"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What one person no longer permits, from a time on: what was done before stays as it was.

    Args:
        subject: token of the person.
        purposes: what is withdrawn.
        at: from when on.
    """

    subject: str
    purposes: tuple[str, ...]
    at: datetime

    def __post_init__(self) -> None:
        _subject(self.subject)
        _purposes(self.purposes)

    def to_body(self) -> dict[str, Any]:
        """The body of its log entry."""
        return {"subject": self.subject, "purposes": list(self.purposes), "at": _written(self.at)}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Read what `to_body` wrote; raises `SchemaError` if it has another form."""
        return _read(cls, {**body, "at": str(body.get("at"))}, times=("at",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """What became of a model or a set of synthetic images after a withdrawal.

    Args:
        record: id of the record of the model or set.
        withdrawal: id of the withdrawal's log entry.
        disposition: one of `DISPOSITIONS`.
        reason: commitment to the private text with the reason, or ``None``.
        audit: id of the finding's log entry that measured what remains of the person in it, or ``None``.
    """

    record: str
    withdrawal: str
    disposition: str
    reason: str | None = None
    audit: str | None = None

    def __post_init__(self) -> None:
        if self.disposition not in DISPOSITIONS:
            raise InputError(f"A disposition must be one of {', '.join(DISPOSITIONS)}: got another. Choose one.")
        if self.disposition == "retain-with-reason" and self.reason is None:
            raise InputError("Retaining a model needs a reason: got none. Give one; it is stored privately.")
        digests = [self.withdrawal, *(text for text in (self.reason, self.audit) if text is not None)]
        if not is_record_id(self.record) or not all(map(is_hex, digests)):
            raise InputError("A disposition must name a record (sha256:...) and a withdrawal: got another form.")

    def to_body(self) -> dict[str, Any]:
        """The body of its log entry."""
        return asdict(self)

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Read what `to_body` wrote; raises `SchemaError` if it has another form."""
        return _read(cls, body)


def _read(cls: type[T], body: Mapping[str, Any], *, times: tuple[str, ...] = ()) -> T:
    try:
        lists = {name: tuple(body[name]) for name in ("purposes", "conditions") if name in body}
        read = {name: moment(body[name]) if body.get(name) else None for name in times}
        return cls(**{**body, **lists, **read})
    except (TypeError, AttributeError, OverflowError, InputError) as error:
        raise SchemaError(
            f"Expected a {cls.__name__.lower()} of this version in the site log: got another form. "
            "Read it with the version that wrote it."
        ) from error
