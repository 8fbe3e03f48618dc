# SPDX-License-Identifier: Apache-2.0
import json
import os

import pytest

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.provenance.keys.key import public_pem
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.signed.manifest import (
    PRIVATE_NAME,
    load_or_create_ec_key,
    manifest_of,
    sign_manifest,
    verify_manifest,
)


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    for name in ("configs/metadata.json", "models/model.pt", "LICENSE", ".git/HEAD"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def signed(model):
    key = load_or_create_ec_key()
    signature = model / "model.sig"
    signature.write_bytes(sign_manifest(manifest_of(model, leave_out=[signature]), key))
    return model, signature, public_pem(key.public_key())


def test_a_signed_folder_is_intact_and_its_key_is_private(signed, key_home):
    result = verify_manifest(*signed)
    assert result.intact
    assert result.files == 3
    assert (key_home / PRIVATE_NAME).stat().st_mode & 0o077 == 0


def test_a_changed_a_missing_and_an_extra_file_are_told_apart(signed):
    model, *_ = signed
    (model / "models" / "model.pt").write_text("other")
    (model / "extra").write_text("")
    result = verify_manifest(*signed)
    assert (result.changed, result.missing, result.extra) == ((3,), (), 1)
    (model / "LICENSE").unlink()
    assert verify_manifest(*signed).missing == (1,)
    assert not verify_manifest(*signed).intact


def test_evidence_about_the_model_is_no_part_of_it(signed, key, clock):
    model, signature, _ = signed
    before = manifest_of(model, leave_out=[signature])["subject"]
    with EvidenceLog.open(model / "eval" / "evidence", run_id="run", clock=clock, key=key):
        pass
    assert manifest_of(model, leave_out=[signature])["subject"] == before


def test_another_key_did_not_sign_it_and_an_edited_signature_is_refused(signed, tmp_path):
    model, signature, _ = signed
    other = public_pem(load_or_create_ec_key(tmp_path / "other").public_key())
    assert not verify_manifest(model, signature, other).signed
    bundle = json.loads(signature.read_bytes())
    for change in ({"mediaType": "x"}, {"dsseEnvelope": {}}, {"dsseEnvelope": None}):
        signature.write_text(json.dumps({**bundle, **change}))
        with pytest.raises(SchemaError, match="model signature"):
            verify_manifest(*signed)


def test_links_empty_folders_and_other_keys_are_refused(model, signed, key, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="with files"):
        manifest_of(tmp_path / "empty")
    with pytest.raises(InputError, match="the folder of a model"):
        manifest_of(model / "LICENSE")
    with pytest.raises(InputError, match="takes no Ed25519 key"):
        verify_manifest(signed[0], signed[1], b"no key")
    (model / "link").symlink_to(model / "LICENSE")
    with pytest.raises(InputError, match="symbolic links"):
        manifest_of(model)


def test_names_are_signed_as_the_file_system_has_them(model, key_home, tmp_path):
    for name in ("u\u0308ber.pt", "\u00fcber.pt"):  # two names, one text in Unicode form NFC
        (model / name).write_text(name)
    key = load_or_create_ec_key()
    signature = tmp_path / "model.sig"
    signature.write_bytes(sign_manifest(manifest_of(model), key))
    assert verify_manifest(model, signature, public_pem(key.public_key())).intact
    (model / os.fsdecode(b"m\xfc.pt")).write_text("x")
    with pytest.raises(InputError, match="valid Unicode"):
        sign_manifest(manifest_of(model), key)


def test_a_pipe_in_the_folder_holds_nobody_up(model):
    os.mkfifo(model / "pipe")
    with pytest.raises(InputError, match="plain files"):
        manifest_of(model)
