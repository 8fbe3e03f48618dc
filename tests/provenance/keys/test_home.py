# SPDX-License-Identifier: Apache-2.0
import os
import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from monai_ethics.errors import InputError
from monai_ethics.provenance.keys.home import load_or_create_key, stored_secret
from monai_ethics.provenance.keys.key import SigningKey, fingerprint, sign_as, verify_signature
from monai_ethics.provenance.keys.trusted import read_trusted
from monai_ethics.provenance.lineage.index import link_key
from monai_ethics.provenance.signed.manifest import load_or_create_ec_key
from monai_ethics.provenance.watermark.keys import watermark_key


def test_the_key_is_made_once_and_private(key_home, tmp_path):
    first = load_or_create_key(tmp_path)
    assert first.storage == "persistent"
    assert load_or_create_key(tmp_path).public == first.public
    assert stat.S_IMODE((key_home / "ed25519.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(key_home.stat().st_mode) == 0o700
    assert sorted(path.name for path in key_home.iterdir()) == ["ed25519.pem", "ed25519.pub.pem"]


def test_signatures_hold_for_their_message_and_key_only():
    key, other = SigningKey.generate(), SigningKey.generate()
    signature = key.sign(b"a")
    assert verify_signature(key.public, signature, b"a")
    assert not verify_signature(key.public, signature, b"b")
    assert not verify_signature(other.public, signature, b"a")
    assert not verify_signature(b"short", signature, b"a")
    assert not verify_signature(key.public, b"", b"a")


def _widen(home):
    (home / "ed25519.pem").chmod(0o644)


def _garble(home):
    (home / "ed25519.pem").write_bytes(b"no key")


def _other_kind(home):
    private = ec.generate_private_key(ec.SECP256R1())
    (home / "ed25519.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def _link(home):
    (home / "ed25519.pem").rename(home / "other")
    (home / "ed25519.pem").symlink_to(home / "other")


@pytest.mark.parametrize("spoil", [_widen, _garble, _other_kind, _link])
def test_a_key_that_cannot_be_used_gives_one_warning_and_an_ephemeral_key(key_home, tmp_path, capsys, spoil):
    load_or_create_key(tmp_path)
    spoil(key_home)
    key = load_or_create_key(tmp_path)
    assert key.storage == "ephemeral"
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1
    assert "ephemeral key" in warning
    assert str(key_home) not in warning


def test_a_home_that_cannot_be_made_gives_an_ephemeral_key(tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"")
    assert load_or_create_key(tmp_path / "e", home=tmp_path / "file" / "keys").storage == "ephemeral"
    assert "MONAI_ETHICS_KEY_HOME" in capsys.readouterr().err


def test_a_user_without_a_home_gets_an_ephemeral_key(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MONAI_ETHICS_KEY_HOME")
    monkeypatch.setattr("pathlib.Path.expanduser", lambda _: (_ for _ in ()).throw(RuntimeError("no home directory")))
    assert load_or_create_key(tmp_path / "e").storage == "ephemeral"
    assert "MONAI_ETHICS_KEY_HOME" in capsys.readouterr().err


def test_a_home_that_leads_back_to_itself_gives_an_ephemeral_key(tmp_path, capsys):
    (tmp_path / "keys").symlink_to(tmp_path / "keys")
    assert load_or_create_key(tmp_path / "e", home=tmp_path / "keys").storage == "ephemeral"
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.touch()])
def test_a_public_key_file_that_is_none_is_written_again(key_home, tmp_path, put):
    public = load_or_create_key(tmp_path).public
    beside = key_home / "ed25519.pub.pem"
    beside.unlink()
    put(beside)
    assert load_or_create_key(tmp_path).public == public
    assert read_trusted([str(beside)]) == [public]


def test_a_home_inside_evidence_or_bundle_is_refused(tmp_path):
    for home, evidence in ((tmp_path / "e" / "keys", tmp_path / "e"), (tmp_path, tmp_path / "e")):
        with pytest.raises(InputError, match="outside bundle and evidence"):
            load_or_create_key(evidence, home=home)
    (tmp_path / "bundle" / "configs").mkdir(parents=True)
    (tmp_path / "bundle" / "configs" / "metadata.json").write_text("{}")
    with pytest.raises(InputError, match="outside bundle and evidence"):
        load_or_create_key(tmp_path / "e", home=tmp_path / "bundle" / "keys")


def test_trusted_keys_are_files_or_fingerprints(key_home, tmp_path):
    key = load_or_create_key(tmp_path)
    digits = fingerprint(key.public)
    trusted = read_trusted([str(key_home / "ed25519.pub.pem"), digits, f"sha256:{digits}"])
    assert trusted == [key.public, bytes.fromhex(digits), bytes.fromhex(digits)]
    for word in (str(key_home / "ed25519.pem"), "abc", str(tmp_path / "none")):
        with pytest.raises(InputError, match="Trusted key 2"):
            read_trusted([digits, word])


def test_a_secret_is_made_once_and_of_two_processes_the_faster_one_counts(tmp_path):
    def slow():
        assert stored_secret("a.key", lambda: b"of the faster process", home=tmp_path) == b"of the faster process"
        return b"too late"

    assert stored_secret("a.key", slow, home=tmp_path) == b"of the faster process"
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("of", [link_key, watermark_key, load_or_create_ec_key])
def test_no_key_that_others_can_read_is_used(tmp_path, of):
    of(home=tmp_path)
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    with pytest.raises(InputError, match="only its owner"):
        of(home=tmp_path)


def test_a_signature_names_the_key_that_made_it_also_when_the_key_changes():
    keys = [SigningKey.generate(), SigningKey.generate()]
    asked = []

    class Changing:
        storage = "ephemeral"

        @property
        def public(self):
            return keys[len(asked) > 0].public

        def sign(self, message):
            asked.append(message)
            return keys[len(asked) > 1].sign(message)

    public, signature = sign_as(Changing(), b"a")
    assert verify_signature(public, signature, b"a")
    assert len(asked) == 2
