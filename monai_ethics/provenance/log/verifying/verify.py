# SPDX-License-Identifier: Apache-2.0
"""Verification of an evidence folder: one status, and in words what it shows and what it cannot show.

Needs cryptography and rfc8785 only, so that an auditor can run it without MONAI, torch or numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.log.files.storage import same_folder
from monai_ethics.provenance.log.tree.digits import is_hex
from monai_ethics.provenance.log.verifying.audit import audit
from monai_ethics.provenance.log.verifying.judge import STATUSES, Verification, judge
from monai_ethics.provenance.log.verifying.outside import Outside
from monai_ethics.provenance.log.verifying.witnessed import load_site

__all__ = ["STATUSES", "Verification", "as_signed", "require_signed", "verify_evidence"]


def verify_evidence(
    folder: Path, *, trusted: Sequence[bytes] = (), expect_head: str | None = None, site: Path | None = None
) -> Verification:
    """Verify the log, its head, private payloads and report files of an evidence folder, or of a site log.

    Args:
        folder: the evidence folder; nothing in it is changed.
        trusted: raw public keys or fingerprints, 32 bytes each, from outside the folder.
        expect_head: fingerprint of a head kept elsewhere, 64 hex digits.
        site: the site log, which knows the heads of finished runs and which keys were revoked.

    Raises:
        InputError: if a folder holds no log or may not be read, or `expect_head` is no fingerprint.
        GateError: if the site log is not as it was signed, by one of the trusted keys if some are given.

    Notes:
        Keys found in the folder are never trusted: anyone can sign a changed log again with a fresh key, and an older
        consistent copy verifies like the newest one. Only a key, a head or a witness kept elsewhere shows those.
    """
    expected = None if expect_head is None else _normal_fingerprint(expect_head)
    found = audit(Path(folder))
    if site is None or same_folder(site, folder):  # a site log is not its own witness
        return judge(found, Outside(trusted=trusted, expected=expected))
    known = load_site(Path(site), trusted=trusted, log_id=found.log_id or "")
    return judge(found, known.outside(found.log_id, trusted=trusted, expected=expected))


def as_signed(folder: Path, *, trusted: Sequence[bytes] = (), called: str = "evidence") -> Verification:
    """Verify a log on which something is about to rest; a report that was changed since does no harm to it.

    Args:
        folder: the evidence folder or site log.
        trusted: keys one of which must have signed it, as for `verify_evidence`.
        called: what the log is to whoever reads the message, such as ``"evidence 2"``.

    Raises:
        GateError: if the log is not as it was signed: somebody may have taken entries out.
        InputError: if the folder holds no log.
    """
    return require_signed(verify_evidence(folder, trusted=trusted), called=called)


def require_signed(found: Verification, *, called: str) -> Verification:
    """What verifying a log found, if something may rest on it.

    Raises:
        GateError: if the log is not as it was signed.
    """
    if not found.log_intact:
        raise GateError(
            f"Expected {called} to be as it was signed: got '{found.status}'. Run verify on it, and use an intact copy."
        )
    return found


def _normal_fingerprint(text: str) -> str:
    digits = text.strip().removeprefix("sha256:").lower()
    if not is_hex(digits):
        raise InputError("An expected head must be a fingerprint of 64 hex digits: got another text. A run prints it.")
    return digits
