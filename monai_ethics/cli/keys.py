# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics keys`: the key that signs, another one in its place, and the end of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from monai_ethics.errors import InputError

__all__ = ["group"]

group = typer.Typer(no_args_is_help=True, help="Show, replace or revoke the key that signs evidence.")

#: how a key is kept, in the words of `open_key` and in those of people
KEPT = {
    "file": "in a file of the key home that only you can read, without a passphrase",
    "encrypted file": "in a file of the key home, with a passphrase",
    "environment": "in the environment variable MONAI_ETHICS_SIGNING_KEY",
}

_REFUSED = "With this site log, `verify` refuses what it signed, unless the site log witnessed it before."
_STANDS = (
    "With this site log, what it signed before stands, and it signs nothing new. "
    "If it may be in other hands, say so: `--reason compromised`."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@group.command("show")
def show(
    pem: Annotated[bool, typer.Option("--pem", help="Print the public key only, to hand to others.")] = False,
    as_json: Json = False,
) -> int:
    """Show the signing key, which is made on first use: its fingerprint, how it is kept, which keys led to it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from monai_ethics.provenance.keys.key import fingerprint, public_pem

    public, kept = _present()
    if pem:
        if public is None:
            raise InputError("Expected a key that is kept: got a key home that cannot be used. Set another one.")
        print(public_pem(Ed25519PublicKey.from_public_bytes(public)).decode(), end="")
        return 0
    facts: dict[str, Any] = {
        "fingerprint": fingerprint(public) if public else None,
        "kept": kept,
        "public_key": public.hex() if public else None,
        "revoked": _reason(public),
        "endorsements": _endorsements(),
    }
    print(json.dumps(facts, indent=1) if as_json else _told(facts))
    return 0


@group.command("rotate")
def new_key(as_json: Json = False) -> int:
    """Make a new key, endorsed by the old one; the old private key is deleted, and its public key kept."""
    from monai_ethics.provenance.keys.home import key_home
    from monai_ethics.provenance.keys.key import fingerprint
    from monai_ethics.provenance.keys.rotation import rotate_key

    link = rotate_key(key_home().absolute())
    old, new = (fingerprint(bytes.fromhex(key)) for key in (link.previous, link.public_key))
    if as_json:
        print(json.dumps({"fingerprint": new, "previous": old, "endorsement": link.endorsement}, indent=1))
        return 0
    print(f"The key is now {new}.\nIt replaces     {old}, whose private part was deleted.")
    print("Who trusts the old key trusts logs that lead from it to the new one. Give others the new public key:")
    print("`monai-ethics keys show --pem`. If the old key is in other hands, revoke it: `monai-ethics keys revoke`.")
    return 0


@group.command("revoke")
def revoke(
    site: Annotated[Path, typer.Option(envvar="MONAI_ETHICS_SITE", help="The site log.")],
    reason: Annotated[
        str, typer.Option(help="compromised or lost: others may have it; superseded or retired: nobody has.")
    ],
    key: Annotated[
        str | None, typer.Option(help="Public key file (PEM) or fingerprint; the key before the present one if absent.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Write into the site log that a key no longer counts; signed by the present key, which must be another one."""
    from monai_ethics.provenance.keys.revocation import revoke as write
    from monai_ethics.provenance.keys.standing import is_grave

    digits = _digits(key)
    written = write(site, digits, reason=reason)
    if as_json:
        print(json.dumps({"fingerprint": digits, "reason": reason, "written": written}, indent=1))
    elif written:
        print(f"Revoked: {digits} ({reason}).")
        print(_REFUSED if is_grave(reason) else _STANDS)
    else:
        print(f"The site log has revoked {digits} before; nothing was written.")
    return 0


def _present() -> tuple[bytes | None, str]:
    """Public key and how it is kept; an encrypted key is shown without its passphrase by the public file beside it."""
    from monai_ethics.provenance.keys.home import PUBLIC_NAME, PassphraseError, key_home, open_key
    from monai_ethics.provenance.keys.key import EPHEMERAL
    from monai_ethics.provenance.keys.trusted import read_trusted

    home = key_home().absolute()
    try:
        own = open_key(home)
    except PassphraseError:
        beside = home / PUBLIC_NAME
        if not beside.exists():
            raise
        return read_trusted([str(beside)])[0], "encrypted file"
    return (None if own.kept == EPHEMERAL else own.key.public), own.kept


def _reason(public: bytes | None) -> str | None:
    """Why the log in ``MONAI_ETHICS_SITE`` says that the key no longer counts, if it does."""
    from monai_ethics.provenance.keys.key import fingerprint
    from monai_ethics.provenance.keys.revocation import revoked_in
    from monai_ethics.provenance.log.writing.witness import site_from

    site = site_from(None)
    return revoked_in(site).get(fingerprint(public)) if site and public else None


def _endorsements() -> list[dict[str, str]]:
    from monai_ethics.provenance.keys.home import key_home
    from monai_ethics.provenance.keys.key import fingerprint
    from monai_ethics.provenance.keys.rotation import read_chain

    return [
        {
            "previous": fingerprint(bytes.fromhex(link.previous)),
            "fingerprint": fingerprint(bytes.fromhex(link.public_key)),
            "endorsement": link.endorsement,
        }
        for link in read_chain(key_home().absolute())
    ]


def _told(facts: dict[str, Any]) -> str:
    if facts["fingerprint"] is None:
        return (
            "kept ephemeral: the key home cannot be used, so every run signs with a key of its own "
            "that nobody can recognize later. Set MONAI_ETHICS_KEY_HOME."
        )
    lines = [f"fingerprint {facts['fingerprint']}", f"kept {KEPT.get(facts['kept'], facts['kept'])}"]
    lines += [f"revoked by the site log: {facts['revoked']}"] if facts["revoked"] else []
    lines += [f"endorsed {link['fingerprint']} by {link['previous']}" for link in facts["endorsements"]]
    return "\n".join(lines)


def _digits(key: str | None) -> str:
    from monai_ethics.provenance.keys.home import key_home
    from monai_ethics.provenance.keys.key import fingerprint
    from monai_ethics.provenance.keys.rotation import read_chain
    from monai_ethics.provenance.keys.trusted import fingerprint_of

    if key is not None:
        return fingerprint_of(key)
    chain = read_chain(key_home().absolute())
    if not chain:
        raise InputError("Expected a key to revoke: got none, and no key before the present one. Give `--key`.")
    return fingerprint(bytes.fromhex(chain[-1].previous))
