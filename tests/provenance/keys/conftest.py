# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monai_ethics.provenance.keys import environment
from monai_ethics.provenance.keys.key import private_pem


@pytest.fixture(autouse=True)
def nothing_taken(monkeypatch):
    """No secret that one test handed over is there for the next."""
    monkeypatch.setattr(environment, "_TAKEN", {})
    for name in (environment.SIGNING_KEY, environment.KEY_PASSPHRASE, "MONAI_ETHICS_SITE", "RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hand_over(monkeypatch):
    """`hand_over(passphrase=None)` puts a new key into the environment and returns its raw public key."""

    def put(passphrase=None, *, opened=None):
        private = Ed25519PrivateKey.generate()
        text = private_pem(private, passphrase.encode() if passphrase else None).decode()
        monkeypatch.setenv(environment.SIGNING_KEY, text)
        if opened:
            monkeypatch.setenv(environment.KEY_PASSPHRASE, opened)
        return private.public_key().public_bytes_raw()

    return put
