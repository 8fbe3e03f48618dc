# SPDX-License-Identifier: Apache-2.0
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monai_ethics.errors import BusyError, GateError, InputError, SchemaError
from monai_ethics.provenance.consent.receipts import check_receipt, read_receipt
from monai_ethics.provenance.consent.registry import ConsentRegistry, Person, load_consent
from monai_ethics.provenance.consent.subjects import Subjects
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.site import open_site

NOW = datetime(2026, 6, 1, tzinfo=UTC)  # as the clock of the registry
ANNA = Person(patient_id="DOE^ANNA-4711", issuer="St. Elsewhere")


def covered(site, person, purpose="training", at=NOW):
    token = Subjects(site).token(person.patient_id, issuer=person.issuer)
    return load_consent(site).covers(token, purpose, at).reason


def test_what_was_recorded_holds_until_it_is_withdrawn(registry, will):
    registry.record([will(ANNA, "training", "synthesis")])
    assert covered(registry.site, ANNA) == "consented"
    registry.withdraw(ANNA, purposes=("synthesis",))
    assert covered(registry.site, ANNA) == "consented"
    assert covered(registry.site, ANNA, "synthesis") == "withdrawn"
    assert verify_evidence(registry.site).status == "intact-signer-unknown"


def test_the_same_person_is_one_whatever_the_spelling(registry, will):
    registry.record([will(Person(patient_id=" 4711 "), "training"), will(Person(patient_id="4711"), "research")])
    assert len(load_consent(registry.site).said) == 1
    registry.record([will(Person(patient_id="4711", issuer="elsewhere"), "training")])
    assert len(load_consent(registry.site).said) == 2


def test_no_public_file_holds_the_person(registry, will):
    registry.record([will(ANNA)])
    registry.withdraw(ANNA)
    public = b"".join(path.read_bytes() for path in registry.site.rglob("*") if path.is_file())
    assert b"ANNA" not in public
    assert b"4711" not in public


def test_a_forgotten_person_can_no_longer_be_found_and_says_what_ends(registry, will):
    registry.record([will(ANNA)])
    registry.withdraw(ANNA)
    said = registry.erase(ANNA)
    assert "no withdrawal or refusal" in said
    assert Subjects(registry.site).token(ANNA.patient_id, issuer=ANNA.issuer) is None
    assert covered(registry.site, ANNA) == "no consent recorded"
    assert len(load_consent(registry.site).forgotten) == 1
    assert verify_evidence(registry.site).intact
    with pytest.raises(InputError, match="knows"):
        registry.erase(ANNA)


def test_a_person_who_comes_back_after_being_forgotten_is_another_one(registry, will):
    registry.record([will(ANNA)])
    registry.erase(ANNA)
    registry.record([will(ANNA)])
    assert len(load_consent(registry.site).said) == 2


def test_a_receipt_convinces_without_the_log_and_only_as_it_is(registry, will):
    registry.record([will(ANNA)])
    entry, receipt = registry.withdraw(ANNA)
    registry.record([will(Person(patient_id="another"))])
    found = check_receipt(read_receipt(canonical(receipt)))
    assert (found.kind, found.holds, found.trusted) == ("withdrawal", True, None)
    key = bytes.fromhex(receipt["head"]["public_key"])
    assert check_receipt(receipt, trusted=[key]).trusted is True
    assert not check_receipt(receipt, trusted=[b"0" * 32]).holds
    for change in (
        {"entry": receipt["entry"].replace("training", "tracking")},
        {"proof": receipt["proof"][::-1] or ["00" * 32]},
        {"head": {**receipt["head"], "root": "0" * 64}},
        {"head": {**receipt["head"], "size": receipt["head"]["size"] + 1}},
    ):
        assert not check_receipt({**receipt, **change}).holds
    with pytest.raises(SchemaError, match="receipt"):
        read_receipt(b'{"schema":"another"}')
    assert entry in {one.leaf for one in read_entries(registry.site)}


def test_dispositions_name_a_withdrawal_and_keep_their_reason_private(registry, will):
    record = "sha256:" + "1" * 64
    entry, _ = registry.withdraw(ANNA)
    registry.dispose(record, entry, "retain-with-reason", reason="ANNA's images were two of a million")
    assert load_consent(registry.site).dispositions[0].disposition == "retain-with-reason"
    assert b"million" not in (registry.site / "log.jsonl").read_bytes()
    with pytest.raises(InputError, match="withdrawal"):
        registry.dispose(record, "0" * 64, "retire")
    with pytest.raises(InputError, match="disposition"):
        registry.dispose(record, entry, "ignore")


def test_a_log_from_which_a_withdrawal_was_taken_is_refused(registry, will):
    registry.record([will(ANNA)])
    registry.withdraw(ANNA)
    log = registry.site / "log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(line for line in lines if b'"kind":"withdrawal"' not in line))
    with pytest.raises(GateError, match="as it was signed"):
        load_consent(registry.site)


def test_a_later_withdrawal_lets_earlier_use_stand(registry, will):
    registry.record([will(ANNA)])
    registry.withdraw(ANNA, at=NOW + timedelta(days=1))
    assert covered(registry.site, ANNA) == "consented"
    assert covered(registry.site, ANNA, at=NOW + timedelta(days=2)) == "withdrawn"


def test_a_writer_waits_for_the_one_before_and_then_gives_up(registry, will):
    registry.record([will(ANNA)])
    with open_site(registry.site), pytest.raises(BusyError, match="second one"):
        ConsentRegistry(registry.site, wait=0.2).record([will(ANNA)])


@pytest.mark.slow
def test_eight_processes_withdraw_at_once_and_none_is_lost(registry, will):
    registry.record([will(ANNA)])
    words = [sys.executable, "-m", "monai_ethics", "consent", "withdraw", "--site", str(registry.site), "--patient"]
    processes = [subprocess.Popen([*words, str(number)], stdout=subprocess.PIPE) for number in range(8)]
    said = [process.communicate()[0] for process in processes]
    assert {process.returncode for process in processes} == {0}
    assert all(text.startswith(b"withdrawal ") for text in said)
    assert len(load_consent(registry.site).withdrawals) == 8
    assert verify_evidence(registry.site).intact


def test_tokens_tell_nothing_without_the_salt(registry, will):
    registry.record([will(ANNA)])
    (token,) = load_consent(registry.site).said
    assert re.fullmatch(r"[0-9a-f]{32}", token)
    other = ConsentRegistry(registry.site.parent / "other")
    other.record([will(ANNA)])
    assert set(load_consent(other.site).said) != {token}


def test_erasing_that_was_cut_off_can_be_done_again(registry, will, monkeypatch):
    person = Person(patient_id="DOE-1", issuer="ward")
    registry.record([will(person)])
    unlink = Path.unlink

    def cut_off(self, missing_ok=False):
        if self.suffix == ".salt":
            raise KeyboardInterrupt
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", cut_off)
    with pytest.raises(KeyboardInterrupt):
        registry.erase(person)
    assert Subjects(registry.site).token("DOE-1", issuer="ward") is not None
    monkeypatch.undo()
    registry.erase(person)
    assert Subjects(registry.site).tokens("DOE-1", issuer="ward") == ()
    assert not list((registry.site / "private" / "subjects").iterdir())


def test_a_receipt_of_a_place_that_is_no_number_is_refused(registry):
    _, receipt = registry.withdraw(Person(patient_id="DOE-1"))
    for place in (float("inf"), None, "x", -1, True):
        with pytest.raises(SchemaError):
            check_receipt({**receipt, "index": place})
