# SPDX-License-Identifier: Apache-2.0
"""Manifest of a model's folder, signed in the OpenSSF model-signing format, which its own tool verifies.

That format takes elliptic-curve keys only, so the key home gets a P-256 key beside the Ed25519 key of the evidence.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.provenance.keys.home import key_home, stored_secret
from monai_ethics.provenance.keys.key import private_pem, public_pem
from monai_ethics.provenance.log.files.storage import write_atomically
from monai_ethics.provenance.log.tree.canonical import canonical, file_sha256, strict_loads
from monai_ethics.provenance.signed.envelope import PAYLOAD_TYPE, STATEMENT_TYPE, pre_authentication

__all__ = ["ManifestCheck", "load_or_create_ec_key", "manifest_of", "sign_manifest", "verify_manifest"]

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
PRIVATE_NAME, PUBLIC_NAME = "ecdsa-p256.pem", "ecdsa-p256.pub.pem"
GIT = (".git", ".gitattributes", ".github", ".gitignore")
LARGEST = 50_000_000  # bytes of a signature file
_CURVE_HASHES = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}
_OTHER = "Expected a model signature of the OpenSSF format: got another form. It was cut or edited."


@dataclass(frozen=True, kw_only=True)
class ManifestCheck:
    """What verification found.

    Args:
        signed: whether the given key signed this manifest.
        changed: positions in the manifest, from 1, of files with other bytes.
        missing: positions of files that are gone.
        extra: number of files that the manifest does not hold.
        files: files in the manifest.
        digest: SHA-256 over the digests of all files, the model's in the signed statement.
    """

    signed: bool
    changed: tuple[int, ...]
    missing: tuple[int, ...]
    extra: int
    files: int
    digest: str

    @property
    def intact(self) -> bool:
        """Whether the folder is what was signed."""
        return self.signed and not (self.changed or self.missing or self.extra)


def manifest_of(folder: Path, *, leave_out: Sequence[Path] = ()) -> dict[str, Any]:
    """The in-toto statement of a folder: SHA-256 of each file.

    Args:
        folder: the model or bundle.
        leave_out: files and folders in it that are not part of the model, besides git's and evidence folders.

    Raises:
        InputError: if it is no folder, holds no file, or a symbolic link.
    """
    if not folder.is_dir():
        raise InputError("Expected the folder of a model: got something else. Give the folder.")
    ignored = sorted({*GIT, *_evidence(folder), *_inside(folder, leave_out)})
    files = {name: file_sha256(folder / name) for name in _files(folder, frozenset(ignored))}
    if not files:
        raise InputError("Expected a folder with files: got an empty one. Give the folder of the model.")
    ordered = sorted(files, key=lambda name: PurePosixPath(name).parts)
    whole = hashlib.sha256(b"".join(bytes.fromhex(files[name]) for name in ordered)).hexdigest()
    settings = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": ignored}
    resources = [{"name": name, "algorithm": "sha256", "digest": files[name]} for name in ordered]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": folder.resolve().name, "digest": {"sha256": whole}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"serialization": settings, "resources": resources},
    }


def _files(folder: Path, ignored: frozenset[str]) -> Iterator[str]:
    for root, names, files in os.walk(folder):
        here = Path(root).relative_to(folder)
        names[:] = [name for name in names if (here / name).as_posix() not in ignored]
        for name in [*files, *(name for name in names if Path(root, name).is_symlink())]:
            relative = (here / name).as_posix()
            if relative in ignored:
                continue
            if Path(root, name).is_symlink():
                raise InputError("Expected a folder without symbolic links: got one. Replace it by what it points to.")
            if not Path(root, name).is_file():
                raise InputError("Expected a folder of plain files: got a pipe, a socket or a device. Remove it.")
            yield relative


def _evidence(folder: Path) -> Iterator[str]:
    """Evidence folders in a model's folder: evidence about the model cannot be part of what it is about."""
    for log in folder.rglob("log.jsonl"):
        if (log.parent / "head.json").exists() and log.parent != folder:
            yield log.parent.relative_to(folder).as_posix()


def _inside(folder: Path, paths: Sequence[Path]) -> Iterator[str]:
    root = folder.resolve()
    for path in paths:
        if path.resolve().is_relative_to(root):
            yield path.resolve().relative_to(root).as_posix()


def load_or_create_ec_key(home: Path | None = None) -> ec.EllipticCurvePrivateKey:
    """The P-256 key of the key home; a new one on first use, readable by its owner only.

    Raises:
        InputError: if the key home cannot be used, or others may read the key.
    """
    home = home or key_home()
    try:
        data = stored_secret(PRIVATE_NAME, lambda: private_pem(ec.generate_private_key(ec.SECP256R1())), home=home)
        found = serialization.load_pem_private_key(data, password=None)
        if isinstance(found, ec.EllipticCurvePrivateKey) and not (home / PUBLIC_NAME).exists():
            write_atomically(home / PUBLIC_NAME, public_pem(found.public_key()))
    except InputError:  # open to others
        raise
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise InputError("Expected a key home that can be used: got another. Set MONAI_ETHICS_KEY_HOME.") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise InputError("Expected a P-256 key in the key home: got another. Remove it, and a new one is made.")
    return found


def sign_manifest(statement: Mapping[str, Any], key: ec.EllipticCurvePrivateKey) -> bytes:
    """A Sigstore bundle (v0.3) with a DSSE envelope around a statement.

    Args:
        statement: of `manifest_of`.
        key: an elliptic-curve key.

    References:
        OpenSSF Model Signing 1.0; DSSE 1.0; Sigstore bundle 0.3.
    """
    try:
        # names as they are: a file system may tell two forms of a letter apart
        payload = rfc8785.dumps(dict(statement))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InputError(
            "Expected a model whose files have names of valid Unicode: got other bytes. Rename them."
        ) from error
    signature = key.sign(pre_authentication(payload), ec.ECDSA(_CURVE_HASHES[key.curve.name]))
    bundle = {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {"publicKey": {"hint": _hint(key.public_key())}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return canonical(bundle) + b"\n"


def verify_manifest(folder: Path, signature: Path, public: bytes) -> ManifestCheck:
    """Whether a folder is what a key signed.

    Args:
        folder: the model or bundle.
        signature: the file of `sign_manifest`.
        public: the signer's public key (PEM), from elsewhere than the folder.

    Raises:
        InputError: if the key cannot be read.
        SchemaError: if the signature file is no model signature.
    """
    key = _public(public)
    bundle = strict_loads(signature.read_bytes(), limit=LARGEST)
    try:
        envelope = bundle["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        one = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
        statement = strict_loads(payload, limit=LARGEST)
        listed = {item["name"]: item["digest"] for item in statement["predicate"]["resources"]}
        ignored = statement["predicate"]["serialization"].get("ignore_paths", ())
        whole = str(statement["subject"][0]["digest"]["sha256"])
        sound = (bundle["mediaType"], envelope["payloadType"]) == (BUNDLE_TYPE, PAYLOAD_TYPE)
        sound = sound and (statement["_type"], statement["predicateType"]) == (STATEMENT_TYPE, PREDICATE_TYPE)
        sound = sound and len(listed) == len(statement["predicate"]["resources"])
        sound = sound and hashlib.sha256(b"".join(map(bytes.fromhex, listed.values()))).hexdigest() == whole
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise SchemaError(_OTHER) from error
    if not sound:
        raise SchemaError(_OTHER)
    present = {name: file_sha256(folder / name) for name in _files(folder, frozenset(map(str, ignored)))}
    places = list(enumerate(listed, start=1))
    return ManifestCheck(
        signed=_holds(key, one, payload),
        changed=tuple(n for n, name in places if name in present and present[name] != listed[name]),
        missing=tuple(n for n, name in places if name not in present),
        extra=len(set(present) - set(listed)),
        files=len(listed),
        digest=whole,
    )


def _public(pem: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _CURVE_HASHES:
        raise InputError(
            f"Expected an elliptic-curve public key (PEM), such as {PUBLIC_NAME} of the signer: got another. "
            "The format takes no Ed25519 key."
        )
    return key


def _holds(key: ec.EllipticCurvePublicKey, signature: bytes, payload: bytes) -> bool:
    try:
        key.verify(signature, pre_authentication(payload), ec.ECDSA(_CURVE_HASHES[key.curve.name]))
    except InvalidSignature:
        return False
    return True


def _hint(public: ec.EllipticCurvePublicKey) -> str:
    return hashlib.sha256(public_pem(public)).hexdigest()
