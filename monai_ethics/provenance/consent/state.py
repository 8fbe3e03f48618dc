# SPDX-License-Identifier: Apache-2.0
"""What holds at a time: the entries of a site log folded into a decision for each person and purpose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from monai_ethics.provenance.consent.statements import Consent, Disposition, Withdrawal
from monai_ethics.provenance.log.reading.entries import Entry

__all__ = ["REASONS", "ConsentState", "Decision", "fold"]

REASONS = (
    "consented",
    "withdrawn",
    "refused",
    "expired",
    "not yet valid",
    "condition to check",
    "not for this purpose",
    "no consent recorded",
)


class Decision(NamedTuple):
    """Whether a use is covered.

    Args:
        covered: whether a valid consent covers it.
        opposed: whether the person withdrew it, refused it, or let it expire: more than silence.
        reason: one of `REASONS`.
        entry: id of the log entry that decides, or ``None``.
        conditions: codes of its conditions: those left to check, or those that were.
    """

    covered: bool
    opposed: bool
    reason: str
    entry: str | None = None
    conditions: tuple[str, ...] = ()


class _Said(NamedTuple):
    what: Consent | Withdrawal
    entry: str


@dataclass(frozen=True, kw_only=True)
class ConsentState:
    """Everything a site log says of consent.

    Args:
        said: what each person said, by token, oldest first.
        withdrawals: withdrawals by the id of their entry, oldest first.
        dispositions: what became of models and sets, oldest first.
        forgotten: tokens of people whose salt was destroyed.
    """

    said: Mapping[str, tuple[_Said, ...]] = field(default_factory=dict)
    withdrawals: Mapping[str, Withdrawal] = field(default_factory=dict)
    dispositions: tuple[Disposition, ...] = ()
    forgotten: frozenset[str] = frozenset()

    def covers(self, subject: str | None, purpose: str, at: datetime, *, checked: Collection[str] = ()) -> Decision:
        """Whether a use of a person's images is covered at a time.

        The last statement about a purpose decides. A withdrawal holds from its time until a later consent; a consent
        that is not valid at that time covers nothing.

        Args:
            subject: the person's token; ``None`` for somebody whom the site does not know.
            purpose: of `PURPOSES`.
            at: the time of use.
            checked: codes of conditions that a person checked and found met for this use.
        """
        told = self.said.get(subject or "", ())
        decision = Decision(False, False, "not for this purpose" if told else "no consent recorded")
        for what, entry in told:
            if purpose not in what.purposes:
                continue
            if isinstance(what, Withdrawal):
                if what.at <= at:
                    decision = Decision(False, True, "withdrawn", entry)
            else:
                decision = _consented(what, entry, at, checked)
        return decision

    def covers_all(
        self,
        subjects: Sequence[str],
        purpose: str,
        at: datetime,
        *,
        checked: Collection[str] = (),
        exact: bool = True,
    ) -> Decision:
        """The decision where a person may be one of several: who opposes decides, then who is exactly meant.

        Args:
            subjects: tokens, the exact person first; none for somebody whom the site does not know.
            purpose: of `PURPOSES`.
            at: the time of use.
            checked: as for `covers`.
            exact: whether the first is the person meant; if not, all of them must agree.
        """
        each = [self.covers(subject, purpose, at, checked=checked) for subject in subjects or ("",)]
        against = next((decision for decision in each if decision.opposed), None)
        if against is None and not exact:  # the consent of one of several is not that of all
            against = next((decision for decision in each if not decision.covered), None)
        return against or each[0]


def _consented(consent: Consent, entry: str, at: datetime, checked: Collection[str]) -> Decision:
    if not consent.permit:
        return Decision(False, True, "refused", entry)
    if consent.valid_from is not None and at < consent.valid_from:
        return Decision(False, False, "not yet valid", entry)
    if consent.valid_to is not None and at >= consent.valid_to:
        return Decision(False, True, "expired", entry)
    left = tuple(code for code in consent.conditions if code not in checked)
    if left:
        return Decision(False, False, "condition to check", entry, left)
    return Decision(True, False, "consented", entry, consent.conditions)


def fold(entries: Iterable[Entry]) -> ConsentState:
    """Fold the entries of a site log, oldest first.

    Raises:
        SchemaError: if an entry about consent has another form.
    """
    said: defaultdict[str, list[_Said]] = defaultdict(list)
    withdrawals: dict[str, Withdrawal] = {}
    dispositions: list[Disposition] = []
    forgotten: set[str] = set()
    for entry in entries:
        if entry.kind == "consent":
            consent = Consent.from_body(entry.body)
            said[consent.subject].append(_Said(consent, entry.leaf))
        elif entry.kind == "withdrawal":
            withdrawal = Withdrawal.from_body(entry.body)
            withdrawals[entry.leaf] = withdrawal
            said[withdrawal.subject].append(_Said(withdrawal, entry.leaf))
        elif entry.kind == "disposition":
            dispositions.append(Disposition.from_body(entry.body))
        elif entry.kind == "subject_erasure":
            forgotten.add(str(entry.body.get("subject")))
    return ConsentState(
        said={subject: tuple(found) for subject, found in said.items()},
        withdrawals=withdrawals,
        dispositions=tuple(dispositions),
        forgotten=frozenset(forgotten),
    )
