# SPDX-License-Identifier: Apache-2.0
"""The guard at the entry of a data set: files against marks and registered digests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.evidence import Finding
from monai_ethics.provenance.images.listing import digests_of, image_files, unread_in
from monai_ethics.provenance.log.files.payload import pseudonym_of, read_pseudonym_key
from monai_ethics.provenance.registry.known import load_known
from monai_ethics.provenance.synthetic_guard import AdmissionList, Admitted, SyntheticGuard

__all__ = ["GuardResult", "admit", "registries"]


@dataclass(frozen=True, kw_only=True)
class GuardResult:
    """What became of each file, by position.

    Args:
        rows: one for each file, in the order of the list.
        finding: the same as evidence.
        policy: the policy applied.
        notes: what the registries' verification said, and what cannot be seen.
    """

    rows: tuple[Admitted, ...]
    finding: Finding
    policy: str
    notes: tuple[str, ...]

    @property
    def refused(self) -> tuple[int, ...]:
        """Positions, from 1, of refused files."""
        return tuple(position for position, row in enumerate(self.rows, start=1) if row.refused)

    @property
    def passed(self) -> bool:
        """Whether no file is refused."""
        return not self.refused

    def to_dict(self) -> dict[str, Any]:
        """The result for programs; files appear by position and pseudonym."""
        rows = [{"position": position, **asdict(row)} for position, row in enumerate(self.rows, start=1)]
        return {
            "policy": self.policy,
            "passed": self.passed,
            "refused": list(self.refused),
            "items": rows,
            "notes": list(self.notes),
        }


def registries(evidence: Path | None, site: Path | None) -> list[Path]:
    """The folders to ask, the evidence first.

    Raises:
        InputError: if there is none.
    """
    folders = [Path(folder) for folder in (evidence, site) if folder]
    if not folders:
        raise InputError("Expected a registry to ask: got none. Give `evidence`, `site`, or both.")
    return folders


def admit(
    paths: Sequence[Path],
    evidence: Path | None,
    policy: str,
    *,
    site: Path | None = None,
    trusted: Sequence[bytes] = (),
) -> GuardResult:
    """Judge files and folders that are to be used as acquired images.

    Args:
        paths: files and folders.
        evidence: evidence folder with registered digests, which is read only; ``None`` asks the site log alone.
        policy: ``"deny-list"`` or ``"allow-list"``.
        site: a site log with further registrations.
        trusted: keys by which the registries must be signed, as for `verify_evidence`.

    Raises:
        InputError: if there is no image, one can neither be read nor says that it is synthetic, the policy is
            unknown, or no registry is given.
        GateError: if a registry is not as it was signed.
    """
    check = SyntheticGuard(policy=policy)
    folders = registries(evidence, site)
    known = load_known(folders, trusted=trusted)
    files = image_files(paths)
    key = read_pseudonym_key(folders[0])
    items = [
        pseudonym_of(key, "file", str(path)) if key else f"item-{position}"
        for position, path in enumerate(files, start=1)
    ]
    data = AdmissionList(
        items=items,
        digests=digests_of(files, declared=True),
        known_synthetic=known.synthetic,
        known_real=known.real,
        near_synthetic=known.near_synthetic,
        near_real=known.near_real,
        gaps=known.gaps,
    )
    unread = unread_in(paths)
    notes = [
        *known.notes,
        *([] if site else ["no site log: only this evidence folder was asked"]),
        *([f"{unread} files of formats that are not read here were not looked at"] if unread else []),
    ]
    return GuardResult(rows=tuple(check.judge(data)), finding=check(data), policy=policy, notes=tuple(notes))
