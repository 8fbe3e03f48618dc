# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.provenance.consent.state import fold
from monai_ethics.provenance.consent.statements import Consent, Disposition, Withdrawal, moment
from monai_ethics.provenance.consent.terms import DUO, PURPOSES, duo_terms, purposes_of
from monai_ethics.provenance.log.reading.entries import Entry

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ANNA = "a" * 32


def entry(number, what):
    kind = type(what).__name__.lower()
    return Entry(seq=number, time="", run_id="r", kind=kind, body=what.to_body(), leaf=f"{number:064x}")


def state(*said):
    return fold([entry(number, what) for number, what in enumerate(said)])


def consent(*purposes, **more):
    return Consent(subject=ANNA, purposes=purposes or ("training",), **more)


def withdrawal(*purposes, at=NOW):
    return Withdrawal(subject=ANNA, purposes=purposes or PURPOSES, at=at)


def reason(found, purpose="training", at=NOW, **more):
    return found.covers(ANNA, purpose, at, **more).reason


def test_silence_is_no_consent():
    assert reason(state()) == "no consent recorded"
    assert state().covers(None, "training", NOW) == (False, False, "no consent recorded", None, ())
    assert reason(state(consent("research"))) == "not for this purpose"


def test_a_withdrawal_holds_from_its_time_on_and_until_a_later_consent():
    found = state(consent(), withdrawal(at=NOW))
    assert reason(found, at=NOW - timedelta(seconds=1)) == "consented"
    assert reason(found, at=NOW) == "withdrawn"
    assert found.covers(ANNA, "training", NOW).opposed
    assert reason(state(consent(), withdrawal(), consent())) == "consented"


def test_a_withdrawal_of_one_purpose_leaves_the_others():
    found = state(consent("training", "synthesis"), withdrawal("synthesis"))
    assert (reason(found), reason(found, "synthesis")) == ("consented", "withdrawn")


def test_a_withdrawal_without_a_consent_before_it_is_enforced():
    assert reason(state(withdrawal())) == "withdrawn"


def test_a_consent_holds_in_its_time_only():
    found = state(consent(valid_from=NOW, valid_to=NOW + timedelta(days=1)))
    times = {-1: "not yet valid", 0: "consented", 86_399: "consented", 86_400: "expired"}
    for seconds, why in times.items():
        assert reason(found, at=NOW + timedelta(seconds=seconds)) == why
    assert found.covers(ANNA, "training", NOW + timedelta(days=1)).opposed
    assert not found.covers(ANNA, "training", NOW - timedelta(days=1)).opposed


def test_a_refusal_is_more_than_silence():
    decision = state(consent(permit=False)).covers(ANNA, "training", NOW)
    assert (decision.reason, decision.covered, decision.opposed) == ("refused", False, True)


def test_a_condition_covers_only_once_a_person_checked_it():
    found = state(consent(conditions=("DUO:0000007",)))
    assert found.covers(ANNA, "training", NOW).conditions == ("DUO:0000007",)
    assert reason(found) == "condition to check"
    assert reason(found, checked=["DUO:0000007"]) == "consented"


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(PURPOSES), st.integers(-5, 5)), max_size=8))
def test_the_last_statement_whose_time_has_come_decides(said):
    entries = [
        consent(purpose) if permit else withdrawal(purpose, at=NOW + timedelta(days=day))
        for permit, purpose, day in said
    ]
    found = state(*entries)
    for purpose in PURPOSES:
        relevant = [permit for permit, named, day in said if named == purpose and (permit or day <= 0)]
        assert found.covers(ANNA, purpose, NOW).covered == (relevant[-1] if relevant else False)


def test_entries_of_another_form_are_refused():
    body = {**consent().to_body(), "purposes": ["advertising"]}
    with pytest.raises(SchemaError, match="consent"):
        fold([Entry(seq=0, time="", run_id="r", kind="consent", body=body, leaf="0" * 64)])


def test_retaining_a_model_needs_a_reason():
    with pytest.raises(InputError, match="reason"):
        Disposition(record="sha256:" + "1" * 64, withdrawal="0" * 64, disposition="retain-with-reason")


def test_no_term_but_the_unrestricted_one_permits_synthesis():
    permit = {code for code, term in DUO.items() if "synthesis" in term.purposes}
    assert permit == {"DUO:0000004"}
    assert duo_terms(["0000042"]) == (("research", "training", "evaluation"), ())
    assert duo_terms(["DUO_0000042", "DUO:0000015"]) == (("research", "evaluation"), ("DUO:0000015",))


def test_a_day_ends_where_the_next_begins():
    assert moment("2026-03-01", end=True) == datetime(2026, 3, 2, tzinfo=UTC)
    assert moment("2026-03-01T12:00:00+02:00") == datetime(2026, 3, 1, 10, tzinfo=UTC)
    with pytest.raises(InputError, match="ISO 8601"):
        moment("yesterday")


def test_purposes_come_in_one_order():
    assert purposes_of("synthesis, Training") == ("training", "synthesis")
    with pytest.raises(InputError, match="Purposes"):
        purposes_of("")
