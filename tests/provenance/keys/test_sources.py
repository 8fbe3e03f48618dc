# SPDX-License-Identifier: Apache-2.0
"""Where the key comes from, in which order, and what happens where it cannot be opened."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from monai_ethics.errors import InputError
from monai_ethics.provenance.keys import environment
from monai_ethics.provenance.keys.home import load_or_create_key, open_key, read_secret
from monai_ethics.provenance.keys.key import private_pem
from monai_ethics.provenance.keys.rotation import rotate_key

PASSPHRASE, KEY = environment.KEY_PASSPHRASE, environment.SIGNING_KEY


def test_a_passphrase_that_is_too_long_is_told_and_makes_no_key(key_home, monkeypatch):
    monkeypatch.setenv(PASSPHRASE, "x" * 1024)
    with pytest.raises(InputError, match="at most 1023 bytes"):
        open_key(key_home)
    assert not key_home.exists()
    monkeypatch.setenv(PASSPHRASE, "x" * 1023)
    assert open_key(key_home).kept == "encrypted file"


def test_the_environment_comes_before_the_key_home_and_loses_the_key(key_home, tmp_path, hand_over):
    load_or_create_key(tmp_path)
    public = hand_over()
    key = load_or_create_key(tmp_path)
    assert (key.public, key.storage) == (public, "persistent")
    assert KEY not in os.environ
    assert load_or_create_key(tmp_path).public == public  # the same process asks again
    assert open_key(key_home).kept == "environment"


def test_an_empty_variable_counts_as_absent(key_home, tmp_path, monkeypatch):
    monkeypatch.setenv(KEY, "")
    monkeypatch.setenv(PASSPHRASE, "")
    load_or_create_key(tmp_path)
    assert open_key(key_home).kept == "file"


def test_an_encrypted_key_of_the_environment_is_opened(tmp_path, hand_over):
    public = hand_over("long words", opened="long words")
    assert load_or_create_key(tmp_path).public == public
    assert not {KEY, PASSPHRASE} & set(os.environ)


@pytest.mark.parametrize(("opened", "got"), [(None, "got none"), ("other", "got another one")])
def test_a_key_of_the_environment_without_its_passphrase_is_an_error(tmp_path, hand_over, opened, got):
    hand_over("long words", opened=opened)
    with pytest.raises(InputError, match=got) as caught:
        load_or_create_key(tmp_path)
    assert "other" not in str(caught.value).replace("another", "")


@pytest.mark.parametrize("text", ["no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_text_that_is_no_key_is_an_error_and_not_repeated(tmp_path, monkeypatch, text):
    monkeypatch.setenv(KEY, text)
    with pytest.raises(InputError, match="Ed25519 private key") as caught:
        load_or_create_key(tmp_path)
    assert text not in str(caught.value)


def test_another_kind_of_key_in_the_environment_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv(KEY, private_pem(ec.generate_private_key(ec.SECP256R1())).decode())
    with pytest.raises(InputError, match="Ed25519 private key"):
        load_or_create_key(tmp_path)


def test_a_passphrase_encrypts_a_new_key_and_opens_it(key_home, tmp_path, monkeypatch):
    monkeypatch.setenv(PASSPHRASE, "long words")
    key = load_or_create_key(tmp_path)
    assert b"ENCRYPTED" in (key_home / "ed25519.pem").read_bytes()
    assert stat.S_IMODE((key_home / "ed25519.pem").stat().st_mode) == 0o600
    assert open_key(key_home).kept == "encrypted file"
    for opened in (None, "other"):
        monkeypatch.setattr(environment, "_TAKEN", {})
        if opened:
            monkeypatch.setenv(PASSPHRASE, opened)
        with pytest.raises(InputError, match="Expected the passphrase of the signing key"):
            load_or_create_key(tmp_path)
    monkeypatch.setenv(PASSPHRASE, "long words")
    assert load_or_create_key(tmp_path).public == key.public


def test_a_passphrase_leaves_an_unencrypted_key_as_it_is_until_it_is_rotated(key_home, tmp_path, monkeypatch):
    key = load_or_create_key(tmp_path)
    monkeypatch.setenv(PASSPHRASE, "long words")
    assert load_or_create_key(tmp_path).public == key.public
    assert open_key(key_home).kept == "file"
    rotate_key(key_home)
    assert open_key(key_home).kept == "encrypted file"


def test_a_key_of_the_environment_is_not_rotated(key_home, hand_over):
    hand_over()
    with pytest.raises(InputError, match="Replace it where you keep it"):
        rotate_key(key_home)


def test_the_public_file_follows_the_private_one(key_home, tmp_path):
    load_or_create_key(tmp_path)
    before = (key_home / "ed25519.pub.pem").read_bytes()
    (key_home / "ed25519.pem").unlink()
    load_or_create_key(tmp_path)
    assert (key_home / "ed25519.pub.pem").read_bytes() != before


def test_a_pipe_in_place_of_a_key_is_not_waited_for(key_home, tmp_path, capsys):
    key_home.mkdir(mode=0o700, parents=True)
    os.mkfifo(key_home / "ed25519.pem", 0o600)
    assert load_or_create_key(tmp_path).storage == "ephemeral"
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(OSError, match="plain file"):
        read_secret(key_home / "ed25519.pem")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_a_forgotten_variable_is_gone_from_what_the_system_shows_of_the_process():
    secret = "planted " + "0123456789abcdef" * 8
    # the program knows the secret only shifted by one, so that it does not find itself
    program = f"""
import os, sys
from monai_ethics.provenance.keys.environment import forget
def needle():
    return bytes(byte - 1 for byte in {bytes(ord(char) + 1 for char in secret)!r})
def count():
    return open("/proc/self/environ", "rb").read().count(needle())
before = count()
forget("{KEY}")
print(before, count(), "{KEY}" in os.environ)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, KEY: secret}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "0", "False"]
