# SPDX-License-Identifier: Apache-2.0
"""Signatures of models are judged by the OpenSSF tool `model_signing`."""

import pytest

from monai_ethics.provenance.keys.key import public_pem
from monai_ethics.provenance.signed.manifest import load_or_create_ec_key, manifest_of, sign_manifest

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]
model_signing = pytest.importorskip("model_signing")
pytest.importorskip("OpenSSL")


@pytest.fixture
def signed(tmp_path):
    model = tmp_path / "model"
    for name in ("configs/metadata.json", "models/model.pt", "models/a b.pt", "LICENSE"):
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text(name)
    (model / "evidence").mkdir()
    for name in ("log.jsonl", "head.json"):
        (model / "evidence" / name).write_text("{}")
    key = load_or_create_ec_key(tmp_path / "keys")
    public, signature = tmp_path / "key.pem", model / "model.sig"
    public.write_bytes(public_pem(key.public_key()))
    signature.write_bytes(sign_manifest(manifest_of(model, leave_out=[signature]), key))
    return model, signature, public


def judge(model, signature, public):
    from model_signing import verifying

    verifying.Config().use_elliptic_key_verifier(public_key=public).verify(model, signature)


def test_model_signing_accepts_what_we_sign(signed):
    judge(*signed)


@pytest.mark.parametrize("change", ["byte", "extra", "gone"])
def test_model_signing_catches_what_we_catch(signed, change):
    model, *_ = signed
    if change == "byte":
        (model / "models" / "model.pt").write_text("models/model.pT")
    elif change == "extra":
        (model / "models" / "more.pt").write_text("")
    else:
        (model / "LICENSE").unlink()
    with pytest.raises(ValueError, match=r"."):
        judge(*signed)


def test_another_key_is_refused_by_model_signing(signed, tmp_path):
    model, signature, _ = signed
    other = tmp_path / "other.pem"
    other.write_bytes(public_pem(load_or_create_ec_key(tmp_path / "more").public_key()))
    with pytest.raises(ValueError, match=r"."):
        judge(model, signature, other)
