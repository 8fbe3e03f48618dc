# SPDX-License-Identifier: Apache-2.0
"""Keys that no longer count: the site log says which, and a process with such a key signs nothing new."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from monai_ethics.errors import InputError, ProvenanceError, SchemaError
from monai_ethics.provenance.keys.key import fingerprint
from monai_ethics.provenance.keys.standing import KIND, REASONS, is_grave
from monai_ethics.provenance.log.files.storage import open_file
from monai_ethics.provenance.log.reading.entries import LOG_NAME
from monai_ethics.provenance.log.tree.canonical import MAX_BYTES, strict_loads

__all__ = ["refuse_revoked", "revoke", "revoked_in"]

_BLOCK = 1 << 22  # bytes read at a time: a site log may be large, and revocations are few
_MARK = f'"{KIND}"'.encode()


def revoked_in(site: Path) -> dict[str, str]:
    """Fingerprints that a site log revokes, with the reason; none where there is no log, or none that can be read.

    Of several reasons it is the first, or the first by which the key may be in other hands; another word stands for
    the worst. The lines are read for this alone: whether the log is intact is for `verify`.
    """
    found: dict[str, str] = {}
    with contextlib.suppress(OSError, ProvenanceError), os.fdopen(open_file(site / LOG_NAME), "rb") as log:
        rest = b""
        while block := log.read(_BLOCK):
            rest += block
            end = rest.rfind(b"\n") + 1
            if rest.find(_MARK, 0, end) >= 0:
                for line in rest[:end].split(b"\n"):
                    if _MARK in line:
                        _take(line, found)
            rest = rest[end:] if len(rest) - end <= MAX_BYTES else b""  # no line is so long
            if b"\0" in block:
                break  # there the log ends
    return found


def _take(line: bytes, found: dict[str, str]) -> None:
    with contextlib.suppress(SchemaError, InputError, KeyError, TypeError):
        entry = strict_loads(line)
        digits, said = str(entry["body"]["fingerprint"]).lower(), entry["body"]["reason"]
        reason = said if said in REASONS else REASONS[0]
        if entry["kind"] == KIND and (digits not in found or (is_grave(reason) and not is_grave(found[digits]))):
            found[digits] = reason


def refuse_revoked(public: bytes, site: Path | None = None) -> None:
    """Refuse to sign with a key that the site log revokes.

    Args:
        public: raw public key.
        site: the site log; by default the one that ``MONAI_ETHICS_SITE`` names, if any.

    Raises:
        InputError: if it does.
    """
    from monai_ethics.provenance.log.writing.witness import site_from

    site = site_from(site)
    if site is not None and fingerprint(public) in revoked_in(site):
        raise InputError(
            "Expected a signing key that counts: got one that the site log revoked. "
            "Run `monai-ethics keys rotate`, or set another MONAI_ETHICS_KEY_HOME."
        )


def revoke(site: Path, digits: str, *, reason: str) -> bool:
    """Write into a site log that a key no longer counts; signed by the present key, which must be another one.

    Args:
        site: the site log.
        digits: fingerprint of the key, 64 hex digits.
        reason: one of `REASONS`.

    Returns:
        Whether it was written; False if the log has said so before, or worse.

    Raises:
        InputError: if the reason is another one, or the key is the one that would sign.
    """
    from monai_ethics.provenance.keys.home import load_or_create_key
    from monai_ethics.provenance.log.verifying.audit import audit
    from monai_ethics.provenance.log.writing.site import open_site

    if reason not in REASONS:
        raise InputError(f"Expected one of the reasons {', '.join(REASONS)}: got another word. Choose one.")
    digits = digits.lower()
    present = load_or_create_key(site).public
    refuse_revoked(present, site)
    if fingerprint(present) == digits:
        raise InputError(
            "Expected a key that signs no longer: got the present one. Run `monai-ethics keys rotate` first, "
            "then revoke the old one."
        )
    # an entry that nobody signed yet, of a process that was cut off, does not count: it is written again
    signed = audit(site).revoked.get(digits, ()) if (site / LOG_NAME).exists() else ()
    if any(end.grave or not is_grave(reason) for end in signed):
        return False
    with open_site(site, run_id="keys") as log:
        log.append(KIND, {"fingerprint": digits, "reason": reason})
    return True
