# SPDX-License-Identifier: Apache-2.0
"""Signed statements: a DSSE envelope over an in-toto Statement whose predicate is a provenance record.

Needs cryptography and rfc8785 only, so that an auditor can read one without MONAI, torch or numpy.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.evidence import FrozenDict, plain
from monai_ethics.provenance.keys.key import Signer, fingerprint, sign_as, verify_signature
from monai_ethics.provenance.log.tree.canonical import MAX_BYTES, canonical, strict_loads

__all__ = [
    "PAYLOAD_TYPE",
    "PREDICATE_TYPE",
    "STATEMENT_TYPE",
    "Statement",
    "pre_authentication",
    "read_statement",
    "signed_statement",
]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "tag:monai_ethics,2026:provenance/1"
_KEY_ID = re.compile(r"ed25519:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What an envelope says, and who says it.

    Args:
        payload: the in-toto statement.
        signer: fingerprint of the key that the envelope names.
        signature_holds: whether that key signed these bytes.
        trusted: whether that key is one of those given as trusted; ``None`` if none was given.
    """

    payload: Mapping[str, Any]
    signer: str
    signature_holds: bool
    trusted: bool | None

    @property
    def record(self) -> Mapping[str, Any]:
        """The provenance record."""
        return dict(self.payload["predicate"]["record"])

    @property
    def stated(self) -> Mapping[str, Any]:
        """What the statement says besides the record."""
        return {name: value for name, value in self.payload["predicate"].items() if name != "record"}

    @property
    def subjects(self) -> Mapping[str, Mapping[str, str]]:
        """Digests by the name of what they are of."""
        return {subject["name"]: dict(subject["digest"]) for subject in self.payload["subject"]}


def signed_statement(
    record: Mapping[str, Any],
    *,
    subjects: Mapping[str, Mapping[str, str]],
    key: Signer,
    stated: Mapping[str, Any] = FrozenDict(),
) -> dict[str, Any]:
    """Sign what a record says of its subjects.

    Args:
        record: the provenance record with its id.
        subjects: digests by subject, ``{name: {algorithm: hex digits}}``; names of things such as ``"image"``, never
            of files or people. A statement that is embedded in a file holds no digest of the file's bytes.
        key: the signing key.
        stated: what else the statement says, such as the layers that carry a mark.

    Returns:
        The envelope: ``payload`` (base64 of canonical JSON), ``payloadType``, ``signatures`` (one; its ``keyid`` is
        the public key).

    Raises:
        InputError: if there is no subject, one has no digest, or a digest is no text.

    References:
        DSSE 1.0 (github.com/secure-systems-lab/dsse); in-toto Attestation Framework, Statement v1.
    """
    if not subjects or not all(_are_digests(digests) for digests in subjects.values()):
        raise InputError("A statement needs subjects with digests of hex digits: got none, or another form. Add one.")
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": dict(digests)} for name, digests in sorted(subjects.items())],
        "predicateType": PREDICATE_TYPE,
        "predicate": {**plain(stated), "record": plain(record)},
    }
    payload = canonical(statement)
    public, signature = sign_as(key, pre_authentication(payload))
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": f"ed25519:{public.hex()}", "sig": base64.b64encode(signature).decode()}],
    }


def read_statement(envelope: Mapping[str, Any] | bytes, *, trusted: Sequence[bytes] = ()) -> Statement:
    """Read an envelope that `signed_statement` made; nothing in it has two readings.

    Args:
        envelope: the envelope, or its JSON.
        trusted: raw public keys or their fingerprints, 32 bytes each, as `keys.trusted.read_trusted` gives them. The
            key in the envelope is what the signature is checked with, and is trusted by nobody because of that.

    Raises:
        SchemaError: if it is another document, has a field more or less, base64 with a second reading, or a payload
            that is not canonical JSON.
    """
    data = strict_loads(envelope) if isinstance(envelope, bytes) else envelope
    payload, public, signature = _parts(data)
    statement = strict_loads(payload)
    try:
        one_form = _is_statement(statement) and canonical(statement) == payload
    except InputError as error:  # broken Unicode has no form at all
        raise SchemaError(_EDITED) from error
    if not one_form:
        raise SchemaError(_EDITED)
    return Statement(
        payload=statement,
        signer=fingerprint(public),
        signature_holds=verify_signature(public, signature, pre_authentication(payload)),
        trusted=any(key in (public, hashlib.sha256(public).digest()) for key in trusted) if trusted else None,
    )


_EDITED = "Expected a signed statement of this version: got another form. It was cut or edited."


def pre_authentication(payload: bytes) -> bytes:
    """What is signed of an in-toto statement: DSSE's pre-authentication encoding.

    References: DSSE 1.0, protocol, "Signature Definition".
    """
    return b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def _parts(data: Any) -> tuple[bytes, bytes, bytes]:
    """Payload, public key and signature of an envelope of exactly this form."""
    if not isinstance(data, Mapping) or set(data) != {"payload", "payloadType", "signatures"}:
        raise SchemaError(_EDITED)
    signatures = data["signatures"]
    one = signatures[0] if isinstance(signatures, (list, tuple)) and len(signatures) == 1 else None
    if data["payloadType"] != PAYLOAD_TYPE or not isinstance(one, Mapping) or set(one) != {"keyid", "sig"}:
        raise SchemaError(_EDITED)
    if not isinstance(one["keyid"], str) or not _KEY_ID.fullmatch(one["keyid"]):
        raise SchemaError(_EDITED)
    return _bytes(data["payload"]), bytes.fromhex(one["keyid"].removeprefix("ed25519:")), _bytes(one["sig"])


def _bytes(text: Any) -> bytes:
    """Base64 that says its bytes in the one canonical way: the bits that a reader drops could be changed unseen."""
    if not isinstance(text, str) or not text.isascii() or len(text) > 2 * MAX_BYTES:
        raise SchemaError(_EDITED)
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise SchemaError(_EDITED) from error
    if base64.b64encode(data).decode() != text:
        raise SchemaError(_EDITED)
    return data


def _is_statement(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"_type", "subject", "predicateType", "predicate"}:
        return False
    subjects, predicate = value["subject"], value["predicate"]
    if (value["_type"], value["predicateType"]) != (STATEMENT_TYPE, PREDICATE_TYPE) or not isinstance(subjects, list):
        return False
    if not isinstance(predicate, dict) or not isinstance(predicate.get("record"), dict):
        return False
    plain_form = all(isinstance(subject, dict) and set(subject) == {"name", "digest"} for subject in subjects)
    if not subjects or not plain_form or not all(isinstance(subject["name"], str) for subject in subjects):
        return False
    names = {subject["name"] for subject in subjects}
    return len(names) == len(subjects) and all(_are_digests(subject["digest"]) for subject in subjects)


def _are_digests(digests: Any) -> bool:
    return (
        isinstance(digests, Mapping)
        and bool(digests)
        and all(isinstance(name, str) and isinstance(text, str) for name, text in digests.items())
        and all(text and not set(text) - set("0123456789abcdef") for text in digests.values())
    )
