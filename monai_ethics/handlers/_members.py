# SPDX-License-Identifier: Apache-2.0
"""What a run learned from and looked at: each engine's items as a set with one root, and what is known of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ethics.errors import EthicsError, InputError

if TYPE_CHECKING:
    from monai_ethics.handlers.session import RunSession
    from monai_ethics.provenance.log.writer import EvidenceLog
    from monai_ethics.provenance.registry.known import Known

__all__ = ["Item", "RunSet", "add_sets", "known_items", "site_logs"]

SITE = "MONAI_ETHICS_SITE"
TRAINING, VALIDATION, INPUTS = "training set", "validation set", "input set"
_ID = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file that a run read.

    Args:
        item: pseudonym of the file.
        role: key in its dataset item.
        uses: engines that read it.
        subject: pseudonym of the patient, else of the file.
        patient: whether `subject` is a patient's.
        voxel_v1: digest of its values, or ``None``.
        synthetic: what is known of it.
        record: id of the record behind it, or ``None``.
    """

    item: str
    role: str
    uses: frozenset[str]
    subject: str
    patient: bool
    voxel_v1: str | None
    synthetic: str
    record: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSet:
    """A set that was recorded.

    Args:
        role: what it is for.
        record: id of its record.
        synthetic: what is known of its images together.
        root: root of its leaves, hex.
        n: number of leaves.
        items: its files.
    """

    role: str
    record: str
    synthetic: str
    root: str
    n: int
    items: tuple[Item, ...]


def site_logs(session: RunSession) -> list[Path]:
    """Site logs that this run knows: the guard's, and that of the environment."""
    guard = getattr(session, "guard", None)
    named = [guard.get("site") if isinstance(guard, Mapping) else None, os.environ.get(SITE)]
    return [Path(str(name)) for name in dict.fromkeys(named) if name and Path(str(name)).is_dir()]


def known_items(session: RunSession, log: EvidenceLog, items: Sequence[Mapping[str, Any]]) -> list[Item]:
    """What is known of each file: its patient, whether it is synthetic, and the record behind it.

    Args:
        session: gives the side table and the sites.
        log: gives the pseudonyms and its own registrations.
        items: `ItemDigests.results`.
    """
    known = _registry([log.folder, *site_logs(session)])
    patients = _patients(session, items)
    found = []
    for item in items:
        path = str(item["path"])
        patient = patients.get(str(item.get("case", path)))
        digest = (item["digests"] or {}).get("voxel_v1")
        state, record = _origin(digest, item, known)
        found.append(
            Item(
                item=log.pseudonym("file", path),
                role=str(item["role"]),
                uses=frozenset(item.get("uses", ())),
                subject=log.pseudonym("patient", patient) if patient else log.pseudonym("file", path),
                patient=bool(patient),
                voxel_v1=digest,
                synthetic=state,
                record=record,
            )
        )
    return found


def _registry(folders: Sequence[Path]) -> Known:
    from monai_ethics.provenance.registry.known import Known, load_known

    try:
        return load_known(folders)
    except EthicsError:  # a log that was altered, or is none, says nothing of any item
        return Known()


def _origin(digest: str | None, item: Mapping[str, Any], known: Known) -> tuple[str, str | None]:
    """State and record: a registration of the values comes first, then a mark that says synthetic."""
    if digest in known.synthetic:
        record = known.synthetic[digest]
        return str(known.records.get(record, {}).get("synthetic", "yes")), record
    if item.get("marked") in ("yes", "partial"):
        return str(item["marked"]), _full(item.get("record"), known)
    if digest in known.real:
        return "no", known.real[digest]
    return "unknown", None


def _full(record: Any, known: Known) -> str | None:
    """The id that a mark names, which may hold its beginning only."""
    if not isinstance(record, str) or _ID.fullmatch(record):
        return record if isinstance(record, str) else None
    begin = [identity for identity in known.records if identity.startswith(record)]
    return begin[0] if len(begin) == 1 else None


def _patients(session: RunSession, items: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Patient of each case as it is given to the pseudonym: of the item or its file, else of the side table."""
    from monai_ethics.provenance.records.patients import patient_identifier

    found: dict[str, str] = {}
    for item in items:
        if item.get("patient"):
            issuer, number = item["patient"]
            with suppress(InputError):
                found.setdefault(str(item.get("case", item["path"])), patient_identifier(number, issuer))
    cases = sorted({str(item.get("case", item["path"])) for item in items} - set(found))
    if cases and isinstance(session.attributes, (str, os.PathLike)):
        from monai_ethics.fairness.attributes import join, read_side_table

        with suppress(InputError):  # a table that fits the scored cases only
            names = join(read_side_table(Path(session.attributes)), cases, cases, strict=False).patients
            pairs = zip(cases, names, strict=True)
            found |= {case: patient_identifier(name) for case, name in pairs if name != case}
    return found


def add_sets(
    session: RunSession, log: EvidenceLog, items: Sequence[Item], *, fields: Mapping[str, Any]
) -> dict[str, RunSet]:
    """Record the sets of a run's engines, by role; an engine whose dataset shows no files has none.

    Args:
        session: tells which engines train.
        log: the open log.
        items: what is known of the files.
        fields: of the records of sets, such as `license`.
    """
    from monai_ethics.provenance.marks.taint import combined
    from monai_ethics.provenance.records.sets import TrainingSet, add_training_set, leaf_of

    by_role: dict[str, list[Item]] = {}
    for item in items:
        for role in sorted({_role(session, use) for use in item.uses}):
            by_role.setdefault(role, []).append(item)
    found = {}
    for role, own in sorted(by_role.items()):
        members = TrainingSet(
            leaf_of(log, subject=i.subject, patient=i.patient, voxel_v1=i.voxel_v1, synthetic=i.synthetic) for i in own
        )
        state = combined(i.synthetic for i in own)
        parents = [i.record for i in own if i.record]
        record = add_training_set(log, members, synthetic=state, parents=parents, role=role, fields=fields)
        found[role] = RunSet(
            role=role, record=record, synthetic=state, root=members.root, n=members.n, items=tuple(own)
        )
    return found


def _role(session: RunSession, use: str) -> str:
    engines = session.ledger.engines
    if use in engines and engines[use].training:
        return TRAINING
    return VALIDATION if any(notes.training and notes.ran for notes in engines.values()) else INPUTS
