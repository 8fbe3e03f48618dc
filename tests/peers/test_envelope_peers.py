# SPDX-License-Identifier: Apache-2.0
"""Other readers of DSSE envelopes and in-toto statements accept ours and refuse what was changed in them."""

from __future__ import annotations

import base64
import copy
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from monai_ethics.errors import SchemaError
from monai_ethics.provenance.keys.key import SigningKey
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.signed.envelope import PREDICATE_TYPE, read_statement, signed_statement

pytestmark = pytest.mark.peers
RECORD = Record(type="synthesis", synthetic="yes", activity={"seed": 3, "share": 0.25}).to_dict()


@pytest.fixture(scope="module")
def signed():
    key = SigningKey.generate()
    return key, signed_statement(RECORD, subjects={"image": {"voxel_v1": "ab" * 32}}, key=key)


def test_securesystemslib_verifies_the_envelope_and_refuses_a_changed_one(signed):
    dsse = pytest.importorskip("securesystemslib.dsse")
    errors = pytest.importorskip("securesystemslib.exceptions")
    signer = pytest.importorskip("securesystemslib.signer")
    key, envelope = signed
    public = signer.SSlibKey.from_crypto(
        Ed25519PublicKey.from_public_bytes(key.public), keyid=envelope["signatures"][0]["keyid"]
    )
    assert dsse.Envelope.from_dict(copy.deepcopy(envelope)).verify([public], 1)
    assert dsse.Envelope.from_dict(copy.deepcopy(envelope)).to_dict() == envelope
    changed = copy.deepcopy(envelope)
    changed["payload"] = base64.b64encode(base64.b64decode(envelope["payload"]).replace(b'"yes"', b'"no"')).decode()
    with pytest.raises(errors.VerificationError):
        dsse.Envelope.from_dict(copy.deepcopy(changed)).verify([public], 1)
    assert not read_statement(changed).signature_holds


def test_an_envelope_that_securesystemslib_signed_is_read(signed):
    dsse = pytest.importorskip("securesystemslib.dsse")
    signer = pytest.importorskip("securesystemslib.signer")
    key, envelope = signed
    crypto = signer.CryptoSigner(
        key.private,
        signer.SSlibKey.from_crypto(key.private.public_key(), keyid=envelope["signatures"][0]["keyid"]),
    )
    theirs = dsse.Envelope(base64.b64decode(envelope["payload"]), envelope["payloadType"], {})
    theirs.sign(crypto)
    assert theirs.to_dict() == envelope
    assert read_statement(theirs.to_dict()).signature_holds


@pytest.mark.parametrize(
    ("payload", "payload_type"),
    [
        (b'{"_type": "https://in-toto.io/Statement/v1"}', "application/vnd.in-toto+json"),
        (b"hello", "text/plain"),
        (b"[]", "application/vnd.in-toto+json"),
        (b"\xff\x00", "application/vnd.in-toto+json"),
    ],
)
def test_other_statements_that_securesystemslib_signed_are_refused_in_words(signed, payload, payload_type):
    dsse = pytest.importorskip("securesystemslib.dsse")
    signer = pytest.importorskip("securesystemslib.signer")
    key, envelope = signed
    public = signer.SSlibKey.from_crypto(key.private.public_key(), keyid=envelope["signatures"][0]["keyid"])
    theirs = dsse.Envelope(payload, payload_type, {})
    theirs.sign(signer.CryptoSigner(key.private, public))
    assert theirs.verify([public], 1)
    with pytest.raises(SchemaError, match="cut or edited"):
        read_statement(theirs.to_dict())


def test_in_toto_attestation_validates_the_statement(signed):
    statements = pytest.importorskip("in_toto_attestation.v1.statement")
    descriptors = pytest.importorskip("in_toto_attestation.v1.statement_pb2")
    json_format = pytest.importorskip("google.protobuf.json_format")
    payload = base64.b64decode(signed[1]["payload"])
    message = json_format.Parse(payload, descriptors.Statement())  # refuses fields that it does not know
    statements.Statement.copy_from_pb(message).validate()
    assert message.predicate_type == PREDICATE_TYPE
    assert message.subject[0].digest["voxel_v1"] == "ab" * 32
    assert json.loads(json_format.MessageToJson(message)) == json.loads(payload)
