# SPDX-License-Identifier: Apache-2.0
"""The site log as witness: closing a log leaves its head there, and verification with it shows a rollback."""

import os
import random
import shutil
import subprocess
import sys
import threading
import time

import pytest

from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.consent.registry import ConsentRegistry, Person, Will
from monai_ethics.provenance.consent.statements import Consent
from monai_ethics.provenance.exports.formats import log_export
from monai_ethics.provenance.keys.home import key_home, load_or_create_key
from monai_ethics.provenance.keys.key import SigningKey, fingerprint
from monai_ethics.provenance.keys.revocation import revoke
from monai_ethics.provenance.keys.rotation import rotate_key
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.tree.head import read_head
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.verifying.witnessed import load_site
from monai_ethics.provenance.log.writing import witness as witness_module
from monai_ethics.provenance.log.writing.site import open_site
from monai_ethics.provenance.log.writing.writer import EvidenceLog


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(tmp_path / "site"))
    return tmp_path / "site"


def _run(folder, *, text="something", **how):
    with EvidenceLog.open(folder, run_id="run", **how) as log:
        log.append("note", {"text": text})
    return read_head(folder)


def _witnesses(site):
    return [entry.body for entry in read_entries(site) if entry.kind == "witness"]


def test_closing_a_log_leaves_its_head_in_the_site_log_of_the_environment(tmp_path, site):
    head = _run(tmp_path / "e")
    (body,) = _witnesses(site)
    opened = next(entry.body for entry in read_entries(tmp_path / "e") if entry.kind == "open")
    assert body == {
        "log_id": opened["log_id"],
        "size": head.size,
        "root": head.root,
        "head": head.fingerprint,
        "run_id": "run",
        "signer": fingerprint(bytes.fromhex(head.public_key)),
    }
    assert verify_evidence(site, trusted=[load_or_create_key(site).public]).status == "trusted"


def test_a_site_log_that_is_begun_is_told_once(tmp_path, site, capfd):
    _run(tmp_path / "e")
    assert "a new site log was begun" in capfd.readouterr().err
    _run(tmp_path / "e")
    assert capfd.readouterr().err == ""


def test_a_site_that_is_given_wins_over_the_environment(tmp_path, site):
    _run(tmp_path / "e", site=tmp_path / "other")
    assert len(_witnesses(tmp_path / "other")) == 1
    assert not site.exists()


def test_only_a_new_head_is_witnessed_and_each_once(tmp_path, site):
    log = EvidenceLog.open(tmp_path / "e", run_id="run")
    log.append("note", {})
    log.seal()
    log.seal()
    log.close()
    log.close()
    assert [body["head"] for body in _witnesses(site)] == [read_head(tmp_path / "e").fingerprint]
    log = EvidenceLog.open(tmp_path / "e", run_id="cut off")
    log.close()  # without a seal there is no new head
    assert len(_witnesses(site)) == 1


def test_a_site_log_witnesses_neither_itself_nor_what_is_opened_as_one(tmp_path, site):
    _run(site)
    with open_site(site, run_id="consent") as log:
        log.append("note", {})
    with open_site(tmp_path / "another_site") as log:
        log.append("note", {})
    assert _witnesses(site) == []


def test_an_export_that_is_recorded_is_witnessed(tmp_path, site):
    _run(tmp_path / "e")
    head = log_export(tmp_path / "e", form="prov-json", data=b"{}")
    assert [body["head"] for body in _witnesses(site)][1:] == [head]


def test_a_log_signed_by_an_ephemeral_key_is_witnessed_too(tmp_path, site):
    key = SigningKey.generate()
    head = _run(tmp_path / "e", key=key)
    assert _witnesses(site)[0]["signer"] == fingerprint(key.public)
    found = verify_evidence(tmp_path / "e", site=site)
    assert (found.witness, found.status, found.key) == ("same", "intact-signer-unknown", "ephemeral")
    assert found.head == head.fingerprint


def test_a_run_that_holds_the_site_log_itself_is_not_waited_for(tmp_path, site):
    begun = time.monotonic()
    with open_site(site, run_id="stamp") as held:
        held.append("note", {})
        _run(tmp_path / "e")
        assert (
            verify_evidence(tmp_path / "e", site=site).witness == "not witnessed"
        )  # what nobody signed does not count
    assert time.monotonic() - begun < 5
    assert verify_evidence(tmp_path / "e", site=site).witness == "same"


def test_a_log_may_be_closed_while_it_and_the_site_log_are_used_by_threads(tmp_path, site):
    with open_site(site, run_id="held") as held:
        threads = [threading.Thread(target=_run, args=(tmp_path / f"e{number}",)) for number in range(8)]
        threads.append(threading.Thread(target=lambda: [held.append("note", {}) for _ in range(50)]))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
            assert not thread.is_alive()
    assert len(_witnesses(site)) == 8
    assert verify_evidence(site).intact


def test_consent_is_recorded_while_a_run_is_open_and_the_run_is_witnessed_after(tmp_path, site):
    with EvidenceLog.open(tmp_path / "e", run_id="run") as log:
        will = Will(person=Person(patient_id="1"), consent=Consent(purposes=("training",), subject="0" * 32))
        ConsentRegistry(site).record([will])
        log.append("note", {})
    assert [entry.kind for entry in read_entries(site) if entry.kind in ("consent", "witness")] == [
        "consent",
        "witness",
    ]


@pytest.mark.parametrize("fault", ["busy", "altered", "no folder", "a file", "read only"])
def test_a_witness_that_fails_is_one_warning_and_no_loss(tmp_path, site, fault, monkeypatch, capfd):
    if fault == "busy":
        monkeypatch.setattr(witness_module, "WAIT", 0.2)
        code = "import sys; from pathlib import Path; from monai_ethics.provenance.log.writing.site import open_site\n"
        code += "log = open_site(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
        words = [sys.executable, "-c", code, str(site)]
        other = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert other.stdout.readline() == "held\n"
    elif fault == "altered":
        _run(site)
        (site / "log.jsonl").write_bytes((site / "log.jsonl").read_bytes().replace(b"something", b"otherwise"))
    elif fault == "no folder":
        monkeypatch.setenv("MONAI_ETHICS_SITE", str(tmp_path / "not" / "mounted" / "site"))
    elif fault == "a file":
        site.write_bytes(b"")
    else:
        monkeypatch.setattr(witness_module, "witness", lambda *_, **__: (_ for _ in ()).throw(OSError(30, "Read-only")))
    _run(tmp_path / "e")
    if fault == "busy":
        other.communicate("")
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1, told
    assert told[0].startswith("monai-ethics: the evidence is sealed, but the site log does not witness it.")
    assert str(tmp_path) not in told[0]
    assert verify_evidence(tmp_path / "e", trusted=[load_or_create_key(tmp_path / "e").public]).status == "trusted"


def test_no_site_log_is_begun_where_the_key_is(tmp_path, monkeypatch, capfd):
    load_or_create_key(tmp_path / "e")
    for place in (key_home(), key_home() / "site", key_home().parent):
        _run(tmp_path / "e", key=load_or_create_key(tmp_path / "e"), site=place)
        assert "The signing key must lie outside" in capfd.readouterr().err
        assert not (place / "log.jsonl").exists()


def test_an_older_copy_is_stale_with_the_site_log_and_says_how_many_entries_are_known(tmp_path, site):
    _run(tmp_path / "e")
    shutil.copytree(tmp_path / "e", tmp_path / "old")
    head = _run(tmp_path / "e")
    keys = [load_or_create_key(site).public]
    assert verify_evidence(tmp_path / "e", trusted=keys, site=site).status == "trusted"
    assert verify_evidence(tmp_path / "old", trusted=keys).status == "trusted"  # nobody can see it from inside
    found = verify_evidence(tmp_path / "old", trusted=keys, site=site)
    assert (found.status, found.witness, found.intact) == ("stale", "not contained", False)
    assert f"a head over {head.size} entries that this log does not contain" in found.text


def test_a_site_log_that_was_rolled_back_shows_in_its_own_head_that_was_kept(tmp_path, site):
    _run(tmp_path / "e")
    shutil.copytree(site, tmp_path / "old_site")
    shutil.copytree(tmp_path / "e", tmp_path / "old")
    _run(tmp_path / "e")
    kept = verify_evidence(tmp_path / "e", site=site).site_head
    found = verify_evidence(tmp_path / "old", site=tmp_path / "old_site")
    assert (found.witness, found.intact) == ("same", True)  # both rolled back: not visible from inside
    assert f"whether the site log is itself an older copy: keep its head elsewhere, {found.site_head}" in found.text
    assert verify_evidence(tmp_path / "old_site", expect_head=kept).status == "stale"
    assert verify_evidence(site, expect_head=kept).status == "trusted"
    _run(tmp_path / "e")
    assert verify_evidence(site, expect_head=kept).expected_head == "contained"


def test_a_log_that_went_on_without_the_site_log_is_told_so(tmp_path, site, monkeypatch):
    _run(tmp_path / "e")
    monkeypatch.delenv("MONAI_ETHICS_SITE")
    _run(tmp_path / "e")
    found = verify_evidence(tmp_path / "e", site=site)
    assert (found.witness, found.status) == ("contained", "intact-signer-unknown")
    assert "4 later ones were signed since" not in found.text
    assert "later ones were signed since" in found.text
    _run(tmp_path / "never")
    found = verify_evidence(tmp_path / "never", site=site)
    assert found.witness == "not witnessed"
    assert "holds no head of this log" in found.text
    assert "--expect-head" in found.text


def test_two_histories_of_one_log_are_stale_to_each_other(tmp_path, site):
    _run(tmp_path / "e")
    shutil.copytree(tmp_path / "e", tmp_path / "copy")
    _run(tmp_path / "e")
    _run(tmp_path / "copy", text="something else")
    assert [verify_evidence(tmp_path / name, site=site).status for name in ("e", "copy")] == ["stale", "stale"]


def test_a_site_log_that_is_not_as_signed_is_refused(tmp_path, site):
    _run(tmp_path / "e")
    with pytest.raises(GateError, match="got 'wrong-key'"):
        verify_evidence(tmp_path / "e", trusted=[b"\1" * 32], site=site)
    data = (site / "log.jsonl").read_bytes()
    (site / "log.jsonl").write_bytes(data.replace(b'"size":', b'"size":1', 1))
    with pytest.raises(GateError, match="got 'altered'"):
        verify_evidence(tmp_path / "e", site=site)
    with pytest.raises(InputError, match="Expected a site log"):
        verify_evidence(tmp_path / "e", site=tmp_path / "none")


def test_no_byte_of_the_site_log_can_be_changed_unseen(tmp_path, site):
    for name in ("a", "b"):
        _run(tmp_path / name)
    rng, keys = random.Random(5), [load_or_create_key(site).public]
    for _ in range(100):
        path = site / rng.choice(["log.jsonl", "head.json"])
        data = bytearray(kept := path.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        with pytest.raises(GateError, match=r"got '(altered|wrong-key)'"):
            verify_evidence(tmp_path / "a", trusted=keys, site=site)
        path.write_bytes(kept)
    assert verify_evidence(tmp_path / "a", trusted=keys, site=site).status == "trusted"


def test_a_site_log_needs_no_other_site_log_and_is_not_its_own(tmp_path, site):
    _run(tmp_path / "e")
    assert verify_evidence(site, site=site).witness is None


def test_entries_that_nobody_signed_neither_witness_nor_revoke(tmp_path, site):
    _run(tmp_path / "e")
    key = load_or_create_key(site)
    log = open_site(site)
    log.append("key_revocation", {"fingerprint": fingerprint(key.public), "reason": "lost"})
    log.append("witness", {**_witnesses(site)[0], "head": "0" * 64})
    log.close()
    found = verify_evidence(tmp_path / "e", trusted=[key.public], site=site)
    assert (found.status, found.witness, found.signer_revoked) == ("trusted", "same", False)


def test_a_revoked_key_counts_for_what_was_witnessed_before_only(tmp_path, site, monkeypatch):
    old = load_or_create_key(site).public
    _run(tmp_path / "before")
    monkeypatch.delenv("MONAI_ETHICS_SITE")
    _run(tmp_path / "unseen")
    thief = load_or_create_key(site)
    link = rotate_key(key_home())
    revoke(site, fingerprint(old), reason="compromised")
    keys = [old, bytes.fromhex(link.public_key)]
    before = verify_evidence(tmp_path / "before", trusted=keys, site=site)
    assert (before.status, before.signer_revoked) == ("trusted", False)
    assert "was revoked later; the site log had witnessed the head before" in before.text
    for trusted in (keys, ()):
        found = verify_evidence(tmp_path / "unseen", trusted=trusted, site=site)
        assert (found.status, found.signer_revoked) == ("wrong-key", True)
    assert "may have signed this" in found.text
    assert verify_evidence(tmp_path / "unseen", trusted=keys).status == "trusted"  # not visible without the site log
    _run(tmp_path / "before", key=thief)  # whoever has the key goes on with it
    assert verify_evidence(tmp_path / "before", trusted=keys, site=site).status == "wrong-key"


def test_a_rotated_key_is_trusted_through_the_one_before_and_not_through_a_revoked_one(tmp_path, site):
    old = load_or_create_key(site).public
    _run(tmp_path / "e")
    new = bytes.fromhex(rotate_key(key_home()).public_key)
    _run(tmp_path / "e")
    found = verify_evidence(tmp_path / "e", trusted=[old], site=site)
    assert (found.status, found.signer) == ("trusted", fingerprint(new))
    assert "one of those endorsed it" in found.text
    revoke(site, fingerprint(old), reason="compromised")
    _run(tmp_path / "e")
    assert verify_evidence(tmp_path / "e", trusted=[new], site=site).status == "trusted"
    with pytest.raises(GateError, match="got 'wrong-key'"):  # the site log itself is signed by the new key
        verify_evidence(tmp_path / "e", trusted=[old], site=site)


def test_the_site_log_knows_the_endorsement_of_a_key_that_a_new_log_begins_with(tmp_path, site):
    old = load_or_create_key(site).public
    _run(tmp_path / "e")
    rotate_key(key_home())
    with EvidenceLog.open(site, run_id="keys"):
        pass
    (key_home() / "endorsements.json").unlink()  # the log itself then holds no endorsement
    _run(tmp_path / "new")
    assert verify_evidence(tmp_path / "new", trusted=[old]).status == "wrong-key"
    assert verify_evidence(tmp_path / "new", trusted=[old], site=site).status == "trusted"
    forger = SigningKey.generate(storage="persistent")
    _run(tmp_path / "forged", key=forger, site=tmp_path / "nowhere")
    assert verify_evidence(tmp_path / "forged", trusted=[old], site=site).status == "wrong-key"


def test_the_heads_of_every_log_are_read_or_those_of_one(tmp_path, site):
    first, second = _run(tmp_path / "a"), _run(tmp_path / "b")
    every = load_site(site)
    assert {head.fingerprint for heads in every.heads.values() for head in heads} == {
        first.fingerprint,
        second.fingerprint,
    }
    one = next(iter(every.heads))
    assert list(load_site(site, log_id=one).heads) == [one]
    assert every.head == read_head(site).fingerprint


def test_a_forked_child_leaves_no_witness(tmp_path, site):
    log = EvidenceLog.open(tmp_path / "e", run_id="run")
    if (child := os.fork()) == 0:
        log.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert not site.exists()
    log.close()
    assert len(_witnesses(site)) == 1
