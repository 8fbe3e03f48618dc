# SPDX-License-Identifier: Apache-2.0
"""Signed statements: what is signed is what is read, and no second spelling of an envelope is accepted."""

from __future__ import annotations

import base64
import copy
import hashlib
import json

import pytest

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.provenance.keys.key import SigningKey
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.signed.envelope import PAYLOAD_TYPE, read_statement, signed_statement

RECORD = Record(type="synthesis", synthetic="yes", limits=("not for diagnosis",)).to_dict()
SUBJECTS = {"image": {"voxel_v1": "ab" * 32}, "file": {"sha256": "cd" * 32}}


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture(scope="module")
def envelope(key):
    return signed_statement(RECORD, subjects=SUBJECTS, key=key, stated={"marks": ["sidecar"]})


def test_a_statement_reads_back_with_its_signer(envelope, key):
    statement = read_statement(canonical(envelope))
    assert statement.signature_holds
    assert statement.trusted is None
    assert statement.signer == hashlib.sha256(key.public).hexdigest()
    assert canonical(statement.record) == canonical(RECORD)
    assert statement.subjects == SUBJECTS
    assert statement.stated == {"marks": ["sidecar"]}


def test_only_keys_that_were_given_are_trusted(envelope, key):
    other = SigningKey.generate().public
    assert read_statement(envelope, trusted=[other]).trusted is False
    assert read_statement(envelope, trusted=[other, key.public]).trusted is True
    assert read_statement(envelope, trusted=[hashlib.sha256(key.public).digest()]).trusted is True


def test_no_change_of_one_character_passes(envelope):
    text = canonical(envelope).decode()
    for place in range(len(text)):
        for new in ("A", "0", "=", " "):
            changed = text[:place] + new + text[place + 1 :]
            if changed == text:
                continue
            try:
                assert not read_statement(changed.encode()).signature_holds, (place, new)
            except SchemaError:
                continue


@pytest.mark.parametrize("field", ["payload", "sig"])
def test_a_second_base64_spelling_of_the_same_bytes_is_refused(envelope, field):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    found = 0
    for size in (64, 65, 66):
        changed = copy.deepcopy(envelope)
        data = bytes(size)
        text = base64.b64encode(data).decode()
        digits = text.rstrip("=")
        for last in alphabet:
            other = digits[:-1] + last + "=" * (len(text) - len(digits))
            if other == text or base64.b64decode(other) != data:
                continue
            found += 1
            (changed if field == "payload" else changed["signatures"][0])[field] = other
            with pytest.raises(SchemaError, match="cut or edited"):
                read_statement(changed)
    assert found > 0


def resigned(key, statement: bytes):
    message = b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(statement), statement)
    return {
        "payload": base64.b64encode(statement).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": f"ed25519:{key.public.hex()}", "sig": base64.b64encode(key.sign(message)).decode()}],
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.pop("predicateType"),
        lambda value: value.update(extra=1),
        lambda value: value.update(_type="https://in-toto.io/Statement/v0.1"),
        lambda value: value.update(predicateType="tag:other,2026:x"),
        lambda value: value.update(subject=[]),
        lambda value: value.update(subject={}),
        lambda value: value.update(subject=value["subject"] * 2),
        lambda value: value["subject"][0].update(digest={}),
        lambda value: value["subject"][0].update(digest={"sha256": "XYZ"}),
        lambda value: value["subject"][0].update(name=1),
        lambda value: value.update(predicate={}),
        lambda value: value.update(predicate=[]),
    ],
)
def test_a_signed_statement_of_another_form_is_refused(envelope, key, change):
    statement = copy.deepcopy(read_statement(envelope).payload)
    change(statement)
    with pytest.raises(SchemaError, match="cut or edited"):
        read_statement(resigned(key, canonical(statement)))


def test_a_payload_in_another_spelling_is_refused_even_when_signed(envelope, key):
    statement = json.dumps(read_statement(envelope).payload, indent=1).encode()
    with pytest.raises(SchemaError, match="cut or edited"):
        read_statement(resigned(key, statement))


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(more=1),
        lambda value: value.pop("payloadType"),
        lambda value: value.update(payloadType="text/plain"),
        lambda value: value.update(signatures=[]),
        lambda value: value.update(signatures=value["signatures"] * 2),
        lambda value: value.update(signatures={}),
        lambda value: value["signatures"][0].update(keyid="ed25519:AB"),
        lambda value: value["signatures"][0].update(keyid=None),
        lambda value: value["signatures"][0].update(sig=None),
        lambda value: value.update(payload="\xe4"),
        lambda value: value.update(payload="?"),
    ],
)
def test_an_envelope_of_another_form_is_refused(envelope, change):
    changed = copy.deepcopy(envelope)
    change(changed)
    with pytest.raises(SchemaError, match="cut or edited"):
        read_statement(changed)


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_what_is_no_envelope_is_refused(value):
    with pytest.raises(SchemaError):
        read_statement(value)


@pytest.mark.parametrize(
    "subjects", [{}, {"image": {}}, {"image": {"voxel_v1": "no hex"}}, {"image": {"voxel_v1": ""}}]
)
def test_a_statement_without_digests_is_not_signed(subjects, key):
    with pytest.raises(InputError, match="subjects with digests"):
        signed_statement(RECORD, subjects=subjects, key=key)
