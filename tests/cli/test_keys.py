# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics keys`: what it prints, writes and refuses."""

import json

import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.keys import environment
from monai_ethics.provenance.keys.home import load_or_create_key
from monai_ethics.provenance.keys.key import fingerprint
from monai_ethics.provenance.keys.trusted import fingerprint_of, read_trusted
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "_TAKEN", {})
    for name in (environment.SIGNING_KEY, environment.KEY_PASSPHRASE, "MONAI_ETHICS_SITE"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "Doe^Jane" / "keys"
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(home))
    return home


def said(capsys, *words, code=0):
    assert main(["keys", *map(str, words)]) == code
    out = capsys.readouterr()
    assert "Doe" not in out.out + out.err
    return out.out if code == 0 else out.err


def test_show_makes_the_key_and_tells_how_it_is_kept(home, tmp_path, capsys):
    facts = json.loads(said(capsys, "show", "--json"))
    public = load_or_create_key(tmp_path / "e").public
    assert facts == {
        "fingerprint": fingerprint(public),
        "kept": "file",
        "public_key": public.hex(),
        "revoked": None,
        "endorsements": [],
    }
    kept = "in a file of the key home that only you can read, without a passphrase"
    assert said(capsys, "show") == f"fingerprint {fingerprint(public)}\nkept {kept}\n"


def test_the_public_key_that_is_printed_verifies(home, tmp_path, capsys):
    (tmp_path / "theirs.pem").write_text(said(capsys, "show", "--pem"))
    with EvidenceLog.open(tmp_path / "e", run_id="a"):
        pass
    assert main(["verify", str(tmp_path / "e"), "--trust", str(tmp_path / "theirs.pem")]) == 0
    assert "trusted" in capsys.readouterr().out
    assert fingerprint_of(str(tmp_path / "theirs.pem")) == json.loads(said(capsys, "show", "--json"))["fingerprint"]


def test_an_encrypted_key_is_shown_without_its_passphrase_and_not_rotated(home, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv(environment.KEY_PASSPHRASE, "long words")
    public = load_or_create_key(tmp_path / "e").public
    monkeypatch.setattr(environment, "_TAKEN", {})
    facts = json.loads(said(capsys, "show", "--json"))
    assert (facts["kept"], facts["public_key"]) == ("encrypted file", public.hex())
    assert "Expected the passphrase" in said(capsys, "rotate", code=2)


def test_a_home_that_cannot_be_used_is_told(home, capsys):
    home.parent.mkdir()
    home.write_bytes(b"")
    assert said(capsys, "show").startswith("kept ephemeral")
    assert json.loads(said(capsys, "show", "--json"))["fingerprint"] is None
    for words in (["show", "--pem"], ["rotate"]):
        assert said(capsys, *words, code=2).count("\n") == 1


def test_rotate_and_revoke_tell_what_they_did(home, tmp_path, capsys):
    site = tmp_path / "site"
    old = json.loads(said(capsys, "show", "--json"))["fingerprint"]
    assert "got none" in said(capsys, "revoke", "--site", site, "--reason", "lost", code=2)
    done = json.loads(said(capsys, "rotate", "--json"))
    assert done["previous"] == old
    assert f"endorsed {done['fingerprint']} by {old}" in said(capsys, "show")
    assert f"Revoked: {old} (compromised)" in said(capsys, "revoke", "--site", site, "--reason", "compromised")
    assert "nothing was written" in said(capsys, "revoke", "--site", site, "--reason", "lost", "--key", old)
    assert "keys rotate" in said(
        capsys, "revoke", "--site", site, "--reason", "lost", "--key", done["fingerprint"], code=2
    )
    told = json.loads(said(capsys, "revoke", "--site", site, "--reason", "retired", "--key", "0" * 64, "--json"))
    assert told == {"fingerprint": "0" * 64, "reason": "retired", "written": True}
    assert "public key file" in said(capsys, "revoke", "--site", site, "--reason", "lost", "--key", "x", code=2)
    assert said(capsys, "rotate").count("\n") == 4
    trusted = read_trusted([json.loads(said(capsys, "show", "--json"))["endorsements"][-1]["previous"]])
    assert verify_evidence(site, trusted=trusted).status == "trusted"


def test_show_tells_of_a_key_that_the_site_log_revoked(home, tmp_path, capsys, monkeypatch):
    site = tmp_path / "site"
    said(capsys, "show")
    kept = (home / "ed25519.pem").read_bytes()
    said(capsys, "rotate")
    said(capsys, "revoke", "--site", site, "--reason", "compromised")
    (home / "ed25519.pem").write_bytes(kept)
    assert "revoked" not in said(capsys, "show")
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(site))
    assert "revoked by the site log: compromised" in said(capsys, "show")


def test_a_run_with_a_wrong_passphrase_ends_before_anything_of_it_starts(home, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv(environment.KEY_PASSPHRASE, "long words")
    load_or_create_key(tmp_path / "e")
    for given, got in (("", "got none"), ("other", "got another one")):
        monkeypatch.setattr(environment, "_TAKEN", {})
        monkeypatch.setenv(environment.KEY_PASSPHRASE, given)
        assert main(["run", "--config_file", str(tmp_path / "none.json")]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert got in error


def test_who_trusts_the_old_key_trusts_what_goes_on_until_it_is_revoked(home, tmp_path, capsys):
    evidence, site, old = tmp_path / "e", tmp_path / "site", tmp_path / "old.pem"
    old.write_text(said(capsys, "show", "--pem"))
    early = load_or_create_key(evidence)
    with EvidenceLog.open(evidence, run_id="a"):
        pass
    said(capsys, "rotate")
    said(capsys, "rotate")
    with EvidenceLog.open(evidence, run_id="b"):
        pass
    verify = ["verify", str(evidence), "--json", "--trust", str(old)]
    assert main(verify) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "trusted"
    with EvidenceLog.open(tmp_path / "early", run_id="a", key=early):
        pass
    said(capsys, "revoke", "--site", site, "--reason", "compromised", "--key", old)
    (tmp_path / "new.pem").write_text(said(capsys, "show", "--pem"))
    both = ["--trust", str(old), "--trust", str(tmp_path / "new.pem"), "--site", str(site)]
    assert main(["verify", str(evidence), *both]) == 0  # by the new key, which is trusted itself
    capsys.readouterr()
    assert main(["verify", str(tmp_path / "early"), "--json", *both]) == 1
    assert json.loads(capsys.readouterr().out)["status"] == "wrong-key"
    assert main([*verify, "--site", str(site)]) == 1  # nobody trusted vouches for this site log
