# SPDX-License-Identifier: Apache-2.0
"""A revoked key signs nothing new, and the word of its end is signed by another key."""

import json

import pytest

from monai_ethics.__main__ import main
from monai_ethics.errors import InputError
from monai_ethics.provenance.keys import revocation
from monai_ethics.provenance.keys.home import load_or_create_key
from monai_ethics.provenance.keys.key import fingerprint
from monai_ethics.provenance.keys.revocation import REASONS, revoke, revoked_in
from monai_ethics.provenance.keys.rotation import rotate_key
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.audit import audit
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog


@pytest.fixture
def site(tmp_path):
    return tmp_path / "site"


def test_the_entry_names_the_old_key_and_the_new_one_signs_it(key_home, site):
    old = load_or_create_key(site).public
    rotate_key(key_home)
    new = load_or_create_key(site).public
    assert revoke(site, fingerprint(old), reason="compromised")
    assert revoked_in(site) == {fingerprint(old): "compromised"}
    found = [entry.body for entry in read_entries(site) if entry.kind == "key_revocation"]
    assert found == [{"fingerprint": fingerprint(old), "reason": "compromised"}]
    assert verify_evidence(site, trusted=[new]).status == "trusted"
    assert not revoke(site, fingerprint(old).upper(), reason="lost")
    assert len([entry for entry in read_entries(site) if entry.kind == "key_revocation"]) == 1


def test_a_revocation_that_nobody_signed_is_made_again(key_home, site):
    old = load_or_create_key(site).public
    rotate_key(key_home)
    log = EvidenceLog.open(site, run_id="cut off")
    log.append("key_revocation", {"fingerprint": fingerprint(old), "reason": "lost"})
    log.close()
    assert audit(site).revoked == {}
    assert revoked_in(site) == {fingerprint(old): "lost"}  # a signer is refused as early as can be
    assert revoke(site, fingerprint(old), reason="lost")
    assert list(audit(site).revoked) == [fingerprint(old)]


def test_the_present_key_does_not_revoke_itself(key_home, site):
    present = load_or_create_key(site).public
    with pytest.raises(InputError, match="keys rotate"):
        revoke(site, fingerprint(present), reason="lost")
    assert not site.exists()


def test_the_reason_is_one_of_the_fixed_words(key_home, site):
    with pytest.raises(InputError, match=", ".join(REASONS)):
        revoke(site, "0" * 64, reason="Jane Doe has it")


def test_a_revoked_key_signs_nothing_where_the_site_is_known(key_home, site, tmp_path, monkeypatch):
    old = load_or_create_key(site).public
    kept = (key_home / "ed25519.pem").read_bytes()
    rotate_key(key_home)
    revoke(site, fingerprint(old), reason="compromised")
    (key_home / "ed25519.pem").write_bytes(kept)  # somebody puts the old one back
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(site))
    for folder in (tmp_path / "e", site):
        with pytest.raises(InputError, match="site log revoked"):
            EvidenceLog.open(folder, run_id="a")
    monkeypatch.delenv("MONAI_ETHICS_SITE")
    with pytest.raises(InputError, match="site log revoked"):
        EvidenceLog.open(tmp_path / "e", run_id="a", site=site)
    with pytest.raises(InputError, match="site log revoked"):
        revoke(site, "0" * 64, reason="lost")
    with EvidenceLog.open(tmp_path / "e2", run_id="a"):
        pass


@pytest.mark.parametrize("line", [b"", b"no json", b"[]", b"{}", b'{"kind": "key_revocation", "body": 1}'])
def test_lines_of_another_form_revoke_nothing(site, line):
    site.mkdir()
    (site / "log.jsonl").write_bytes(line + b' "key_revocation"\n' + line + b"\n")
    assert revoked_in(site) == {}


def test_a_note_that_mentions_a_revocation_is_none(key_home, site):
    with EvidenceLog.open(site, run_id="a") as log:
        log.append("note", {"kind": "key_revocation", "fingerprint": "0" * 64, "reason": "lost"})
    assert revoked_in(site) == {}


@pytest.mark.parametrize("reason", ["\x1b[2J", "retired\nkept in a safe", "x" * 100_000, None, ["retired"], 5])
def test_a_reason_in_other_words_is_not_repeated(key_home, site, monkeypatch, capsys, reason):
    digits = fingerprint(load_or_create_key(site).public)
    with EvidenceLog.open(site, run_id="a") as log:
        log.append("key_revocation", {"fingerprint": digits, "reason": reason})
    assert revoked_in(site) == {digits: "compromised"}
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(site))
    assert main(["keys", "show"]) == 0
    assert "\nrevoked by the site log: compromised\n" in capsys.readouterr().out


def test_revocations_are_found_at_every_place_of_a_large_log(site, monkeypatch):
    monkeypatch.setattr(revocation, "_BLOCK", 97)
    site.mkdir()
    lines = []
    for number in range(200):
        body = {"fingerprint": f"{number:064x}", "reason": "lost"}
        lines.append(json.dumps({"kind": "key_revocation" if number % 7 == 0 else "note", "body": body}))
    (site / "log.jsonl").write_text("\n".join(lines) + '\n{"kind": "key_revocation", "body"')
    assert sorted(revoked_in(site)) == [f"{number:064x}" for number in range(0, 200, 7)]
