# SPDX-License-Identifier: Apache-2.0
"""One key follows another: the old key signs that the new one takes its place, and a reader follows the chain."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monai_ethics.errors import EthicsError, InputError
from monai_ethics.provenance.keys.environment import KEY_PASSPHRASE, SIGNING_KEY, take
from monai_ethics.provenance.keys.home import PRIVATE_NAME, PUBLIC_NAME, open_key
from monai_ethics.provenance.keys.key import (
    EPHEMERAL,
    PERSISTENT,
    Signer,
    SigningKey,
    fingerprint,
    private_pem,
    public_pem,
    verify_signature,
)
from monai_ethics.provenance.log.files.storage import read_file, remove_leftovers, sync_folder, write_atomically
from monai_ethics.provenance.log.tree.canonical import canonical, strict_loads
from monai_ethics.provenance.log.tree.digits import is_hex

__all__ = ["CHAIN_NAME", "Link", "endorse", "key_entries", "read_chain", "rotate_key", "trusted_through"]

ENDORSEMENT_DOMAIN = b"monai_ethics.endorsement/1\n"
CHAIN_NAME = "endorsements.json"
CHAIN_SCHEMA = "monai_ethics.endorsements/1"


class Link(NamedTuple):
    """One key's word for the next, all in hex.

    Args:
        previous: raw public key that signed.
        public_key: raw public key that takes its place.
        endorsement: the signature of `previous`.
    """

    previous: str
    public_key: str
    endorsement: str

    @property
    def holds(self) -> bool:
        """Whether `previous` signed exactly this."""
        try:
            message = _message(bytes.fromhex(self.previous), bytes.fromhex(self.public_key))
            return verify_signature(bytes.fromhex(self.previous), bytes.fromhex(self.endorsement), message)
        except ValueError:
            return False


def _message(previous: bytes, following: bytes) -> bytes:
    """What is signed: the domain, then both raw keys, 32 bytes each."""
    return ENDORSEMENT_DOMAIN + previous + following


def endorse(old: Signer, new_public: bytes) -> dict[str, str]:
    """Sign that a new key takes the place of an old one.

    Args:
        old: signs.
        new_public: raw public key, 32 bytes.

    Returns:
        ``previous``, ``public_key`` and ``endorsement``, in hex.
    """
    signature = old.sign(_message(old.public, new_public))
    return Link(old.public.hex(), new_public.hex(), signature.hex())._asdict()


def trusted_through(
    key_bodies: Sequence[Mapping[str, Any]], trusted: Sequence[bytes], *, revoked: Collection[str] = ()
) -> set[bytes]:
    """Keys that a reader may trust who trusts some: the endorsed ones, along unbroken chains.

    Args:
        key_bodies: bodies of the log's `key` entries, in any order and of any form.
        trusted: raw public keys or fingerprints, 32 bytes each, from outside the evidence.
        revoked: fingerprints, hex; such a key neither counts nor endorses.

    Returns:
        Raw public keys that the entries name and that count as trusted.
    """
    links = [link for body in key_bodies if isinstance(body, Mapping) and (link := _link(body)) is not None]
    barred, known = {str(one).lower() for one in revoked}, set(trusted)
    named = {key for link in links for key in (link.previous, link.public_key) if is_hex(key)}
    allowed = {key for key in named if fingerprint(bytes.fromhex(key)) not in barred}
    reached = {key for key in allowed if _given(bytes.fromhex(key), known)}
    after: dict[str, list[Link]] = {}
    for link in links:
        if link.previous in allowed and link.public_key in allowed:
            after.setdefault(link.previous, []).append(link)
    waiting = sorted(reached)
    while waiting:
        for link in after.get(waiting.pop(), ()):
            if link.public_key not in reached and link.holds:
                reached.add(link.public_key)
                waiting.append(link.public_key)
    return {bytes.fromhex(key) for key in reached}


def _given(public: bytes, known: Collection[bytes]) -> bool:
    return public in known or hashlib.sha256(public).digest() in known


def _link(body: Mapping[str, Any]) -> Link | None:
    """The link of a `key` entry; one that endorses nothing has empty texts; ``None`` if it is of another form."""
    public, previous, signature = (body.get(name) for name in ("public_key", "previous", "endorsement"))
    if not is_hex(public):
        return None
    if not is_hex(previous):
        return Link("", public, "")
    return Link(previous, public, signature if is_hex(signature, digits=128) else "")


def read_chain(home: Path) -> list[Link]:
    """The endorsements that a key home keeps, oldest first; none where the file is absent or of another form."""
    try:
        found = strict_loads(read_file(home / CHAIN_NAME))
        links = [Link(**item) for item in found["links"]]
    except (OSError, EthicsError, KeyError, TypeError):
        return []
    return [link for link in links if all(isinstance(text, str) for text in link) and link.holds]


def key_entries(signer: Signer, last: str | None, *, home: Path) -> list[dict[str, Any]]:
    """Bodies of the `key` entries that announce a key.

    Args:
        signer: the present key.
        last: the public key that the log announced last, hex; ``None`` in a new log.
        home: the key home, whose endorsements may lead from `last` to the present key.

    Returns:
        One for each rotation in between, or for each of the key home where `last` is no key of it: a reader may trust
        any of them. A single one without endorsement where no chain leads here.
    """
    present = signer.public.hex()
    path: list[Link] = []
    if signer.storage == PERSISTENT:
        before = {link.public_key: link for link in read_chain(home)}
        step = before.pop(present, None)
        while step is not None:
            path.insert(0, step)
            step = before.pop(step.previous, None) if step.previous != last else None
    if not path:
        return [_body(present, signer.storage, last, None)]
    return [_body(link.public_key, PERSISTENT, link.previous, link.endorsement) for link in path]


def _body(public: str, storage: str, previous: str | None, endorsement: str | None) -> dict[str, Any]:
    return {
        "public_key": public,
        "fingerprint": fingerprint(bytes.fromhex(public)),
        "key": storage,
        "previous": previous,
        "endorsement": endorsement,
    }


def rotate_key(home: Path) -> Link:
    """Replace the signing key of a key home by a new one, endorsed by the old one, whose private part is deleted.

    The endorsement is on the disk before the new key takes the old one's place, so that a crash leaves one working
    key and no break in the chain. The old public key is kept under its fingerprint.

    Raises:
        InputError: if the key comes from the environment, there is none, or it or the home cannot be used.
    """
    if take(SIGNING_KEY):
        raise InputError(f"Expected a key of the key home: got one in {SIGNING_KEY}. Replace it where you keep it.")
    try:
        own = open_key(home, create=False)
        if own.kept == EPHEMERAL:
            raise PermissionError
        with (home / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _rotate(home, open_key(home, create=False).key)
    except FileNotFoundError:
        raise InputError("Expected a signing key to replace: got none. The first run makes one.") from None
    except OSError as error:
        raise InputError("Expected a key home that can be used: got another. Set MONAI_ETHICS_KEY_HOME.") from error


def _rotate(home: Path, old: SigningKey) -> Link:
    private = Ed25519PrivateKey.generate()
    link = Link(**endorse(old, private.public_key().public_bytes_raw()))
    following = home / f".{PRIVATE_NAME}.{os.urandom(6).hex()}.next"
    former = home / f"ed25519-{fingerprint(old.public)[:16]}.pub.pem"
    chain = [one._asdict() for one in (*read_chain(home), link)]
    try:
        write_atomically(following, private_pem(private, take(KEY_PASSPHRASE)), mode=0o600, replace=False)
        write_atomically(former, public_pem(Ed25519PublicKey.from_public_bytes(old.public)))
        write_atomically(home / CHAIN_NAME, canonical({"schema": CHAIN_SCHEMA, "links": chain}))
        _swap(following, home / PRIVATE_NAME)
        remove_leftovers(home, of=PRIVATE_NAME)  # a second name of the old key, if its writing was cut off
    finally:
        following.unlink(missing_ok=True)
    write_atomically(home / PUBLIC_NAME, public_pem(private.public_key()))
    return link


def _swap(following: Path, present: Path) -> None:
    os.replace(following, present)
    sync_folder(present.parent)
