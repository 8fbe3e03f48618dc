# SPDX-License-Identifier: Apache-2.0
"""What `export --public` does: decide what may be told, write it with its report, and look at the result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["publish"]


def publish(
    evidence: Path, out: Path, *, least: int, run_id: str | None = None, trusted: Sequence[bytes] = ()
) -> dict[str, Any]:
    """Write a copy of evidence for the public.

    Args:
        evidence: the source; nothing in it is changed.
        out: the new folder.
        least: smallest count that is shown, but for 0.
        run_id: findings of this run only.
        trusted: keys one of which must have signed the source.

    Returns:
        How many estimates are shown, what was left out by kind, and the fingerprint of the new head.

    Raises:
        GateError: if the source is not as it was signed, or holds what looks like an identifier.
        InputError: if `out` exists, or the source is a public copy itself.
    """
    from monai_ethics.provenance.exports.public.folder import public_copy, written
    from monai_ethics.reporting.sealed import seal_report

    copy = public_copy(evidence, least=least, run_id=run_id, trusted=trusted)
    with written(copy, out) as log:
        head = seal_report(log)
    return {"shown": copy.shown, "left_out": dict(copy.about["left_out"]), "least": least, "head": head.fingerprint}
