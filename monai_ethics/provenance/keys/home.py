# SPDX-License-Identifier: Apache-2.0
"""Where keys come from: the environment, else the key home, a folder outside every bundle and evidence folder.

The signing key is, in this order:

1. the text of ``MONAI_ETHICS_SIGNING_KEY``: an Ed25519 private key (PEM, PKCS8), encrypted or not;
2. the file ``ed25519.pem`` of the key home, made on first use;
3. an ephemeral one, with one warning, where the key home cannot be used.

``MONAI_ETHICS_KEY_PASSPHRASE`` opens an encrypted key and encrypts a new one. Both variables leave the environment as
soon as they were read. A key that was asked for and cannot be opened is an error, never another key.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monai_ethics._input import read_input
from monai_ethics.errors import InputError
from monai_ethics.provenance.keys.environment import KEY_PASSPHRASE, SIGNING_KEY, take
from monai_ethics.provenance.keys.key import EPHEMERAL, PERSISTENT, Signer, SigningKey, private_pem, public_pem
from monai_ethics.provenance.log.files.storage import make_folder, settle_folder, write_atomically

__all__ = [
    "PRIVATE_NAME",
    "PUBLIC_NAME",
    "OwnKey",
    "key_home",
    "load_or_create_key",
    "open_key",
    "read_secret",
    "sign_with",
    "stored_secret",
    "warn_ephemeral",
]

PRIVATE_NAME = "ed25519.pem"
PUBLIC_NAME = "ed25519.pub.pem"
_LONGEST = 1023  # bytes of a passphrase that OpenSSL takes
_WRAPPED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_IN_USE: dict[Path, Signer] = {}  # by key home: the child process that signs for this process


class OwnKey(NamedTuple):
    """The signing key of this user.

    Args:
        key: the key.
        kept: ``"file"``, ``"encrypted file"``, ``"environment"`` or ``"ephemeral"``.
    """

    key: SigningKey
    kept: str


def key_home() -> Path:
    """Folder of the signing key: ``MONAI_ETHICS_KEY_HOME``, by default ``~/.config/monai_ethics/keys``."""
    given = os.environ.get("MONAI_ETHICS_KEY_HOME")
    with contextlib.suppress(RuntimeError):  # a container's user may have no home: no key can be kept there
        return Path(given) if given else Path("~/.config/monai_ethics/keys").expanduser()
    return Path(os.devnull) / "keys"


def load_or_create_key(
    evidence: Path, *, home: Path | None = None, site: Path | None = None, given: Signer | None = None
) -> Signer:
    """The signing key of this user; only the one writer of an evidence folder calls this.

    Args:
        evidence: the evidence folder, which must not hold the key.
        home: folder of the key; `key_home` by default.
        site: site log that may have revoked the key; by default the one that ``MONAI_ETHICS_SITE`` names, if any.
        given: a key that signs in place of this user's.

    Returns:
        The child process that holds the key, where one was started; else the stored key, a new one on first use, or
        an ephemeral one, with one warning on standard error, where the home cannot be used.

    Raises:
        InputError: if the key home lies in the evidence folder or in a bundle, or holds it; if a key was given that
            cannot be opened; or if the site log says that the key was revoked.
    """
    from monai_ethics.provenance.keys.revocation import refuse_revoked

    home = (home or key_home()).absolute()
    _refuse_inside(home, evidence.absolute())
    signer = given or _IN_USE.get(home)
    if signer is None:
        own = open_key(home)
        if own.kept == EPHEMERAL:
            warn_ephemeral()
        signer = own.key
    refuse_revoked(signer.public, site)
    return signer


def open_key(home: Path, *, create: bool = True) -> OwnKey:
    """The key of the environment, else of the home, else an ephemeral one.

    Args:
        home: the key home.
        create: whether a key is made where the home has none; else that raises `FileNotFoundError`.

    Raises:
        InputError: if a key was given that cannot be opened, its passphrase is too long, or the home lies in a bundle.
    """
    passphrase, text = take(KEY_PASSPHRASE), take(SIGNING_KEY)
    if passphrase and len(passphrase) > _LONGEST:
        raise PassphraseError(
            f"Expected a passphrase of at most {_LONGEST} bytes in {KEY_PASSPHRASE}: got a longer one. Set another."
        )
    if text:
        return OwnKey(SigningKey(_opened(text, passphrase, strict=True), PERSISTENT), "environment")
    _refuse_bundled(home)
    try:
        if not create and not os.path.lexists(home / PRIVATE_NAME):
            raise FileNotFoundError
        make = lambda: private_pem(Ed25519PrivateKey.generate(), passphrase)  # noqa: E731
        data = stored_secret(PRIVATE_NAME, make, home=home) if create else read_secret(home / PRIVATE_NAME)
        private = _opened(data, passphrase)
    except FileNotFoundError:
        if not create:
            raise
        return OwnKey(SigningKey.generate(), EPHEMERAL)
    except PassphraseError:
        raise
    except (OSError, ValueError, UnsupportedAlgorithm):
        return OwnKey(SigningKey.generate(), EPHEMERAL)
    public, beside = public_pem(private.public_key()), home / PUBLIC_NAME
    with contextlib.suppress(OSError):  # of a home that can only be read
        if not beside.is_file() or read_input(beside, most=len(public)) != public:
            write_atomically(beside, public)
    return OwnKey(SigningKey(private, PERSISTENT), "encrypted file" if _WRAPPED in data else "file")


class PassphraseError(InputError):
    """A key is there and its passphrase is not."""


def _opened(data: bytes, passphrase: bytes | None, *, strict: bool = False) -> Ed25519PrivateKey:
    """The private key of a PEM text.

    Raises:
        PassphraseError: if it is encrypted, and not with this passphrase.
        ValueError: if it is no Ed25519 key; an `InputError` where `strict`.
    """
    wrapped = _WRAPPED in data
    try:
        if wrapped and not passphrase:
            raise ValueError("no passphrase")
        private = serialization.load_pem_private_key(data, password=passphrase if wrapped else None)
        if not isinstance(private, Ed25519PrivateKey):
            raise TypeError("another kind of key")
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if wrapped and isinstance(error, ValueError):
            got = "another one" if passphrase else "none"
            raise PassphraseError(
                f"Expected the passphrase of the signing key in {KEY_PASSPHRASE}: got {got}. Set it."
            ) from None
        if strict:
            raise InputError(
                f"Expected an Ed25519 private key (PEM, PKCS8) in {SIGNING_KEY}: got something else. "
                "Set it to the text of the key, or unset it."
            ) from None
        raise ValueError("not an Ed25519 key") from None
    return private


def warn_ephemeral() -> None:
    """Say on standard error that nobody will recognize the key of this process."""
    print(
        "monai-ethics: the key home cannot be used (not writable, open to others, or no Ed25519 key in it): "
        "signing with an ephemeral key that nobody can recognize later; set MONAI_ETHICS_KEY_HOME.",
        file=sys.stderr,
    )


def sign_with(signer: Signer | None, *, home: Path | None = None) -> None:
    """Let every log that this process opens with a key home be signed by `signer`; ``None`` ends that."""
    home = (home or key_home()).absolute()
    _IN_USE.pop(home, None)
    if signer is not None:
        _IN_USE[home] = signer


def _refuse_inside(home: Path, evidence: Path) -> None:
    home, evidence = Path(os.path.realpath(home)), Path(os.path.realpath(evidence))  # which a loop of links ends
    if home.is_relative_to(evidence) or evidence.is_relative_to(home):
        raise InputError(_INSIDE)
    _refuse_bundled(home)


def _refuse_bundled(home: Path) -> None:
    home = Path(os.path.realpath(home))
    if any((folder / "configs" / "metadata.json").exists() for folder in (home, *home.parents)):
        raise InputError(_INSIDE)


_INSIDE = (
    "The signing key must lie outside bundle and evidence: got a key home inside one. "
    "Set MONAI_ETHICS_KEY_HOME to a folder of your own."
)


def stored_secret(name: str, make: Callable[[], bytes], *, home: Path | None = None) -> bytes:
    """A secret file of the key home, made on first use; of several processes the fastest one's counts.

    Args:
        name: of the file.
        make: gives the bytes of a new one.
        home: folder of the keys; `key_home` by default.

    Raises:
        InputError: if others than its owner may read it.
        OSError: if the key home cannot be used, or the file is a link.
    """
    path = (home or key_home()).absolute() / name
    make_folder(path.parent, mode=0o700)
    if os.path.lexists(path):
        settle_folder(path.parent)  # whoever made it may have been killed before it was on the disk
    else:
        with contextlib.suppress(FileExistsError):
            write_atomically(path, make(), mode=0o600, replace=False)
    return read_secret(path)


def read_secret(path: Path) -> bytes:
    """A file that only its owner may read.

    Raises:
        InputError: if others may.
        OSError: if it cannot be read, or is a link, a pipe or a device.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise OSError("not a plain file")
        if mode & 0o077:
            raise InputError("Expected a key that only its owner can read: got an open one. Run chmod 600 on it.")
        return file.read()
