# SPDX-License-Identifier: Apache-2.0
"""What a run learned from and looked at: each engine's items as a set with one root, and what is known of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ethics.errors import EthicsError, InputError
from monai_ethics.provenance.log.tree.digits import is_record_id
from monai_ethics.provenance.marks.taint import carries_synthetic

if TYPE_CHECKING:
    from monai_ethics.handlers.session import RunSession
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.provenance.registry.known import Known

__all__ = ["LEFT_OUT", "Item", "RunSet", "add_sets", "known_items", "logs_to_ask"]

LEFT_OUT = "logs_not_as_signed"  # in the activity of the run's record
TRAINING, VALIDATION, INPUTS = "training set", "validation set", "input set"


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


def logs_to_ask(session: RunSession, own: Sequence[Path]) -> list[Path]:
    """Logs that may tell this run where things came from: its own, the guard's site, and the run's.

    One that is not as it was signed, or is no log, may have lost what matters: it is left out, and the record of the
    run says how many were. The run goes on: its evidence is worth more than what that log would have said.

    Args:
        session: the run.
        own: its evidence folder, if it has one.
    """
    from monai_ethics.provenance.log.verifying.verify import as_signed
    from monai_ethics.provenance.log.writing.witness import site_from

    guard = getattr(session, "guard", None)
    own_site = site_from(getattr(session, "site", None))
    named = [guard.get("site") if isinstance(guard, Mapping) else None, own_site]
    asked, refused = [], 0
    for folder in dict.fromkeys([*own, *(Path(str(name)) for name in named if name)]):
        try:
            as_signed(folder)
            asked.append(folder)
        except EthicsError:
            refused += 1
    if refused:
        session.note(**{LEFT_OUT: refused})
    return asked


def known_items(
    session: RunSession, log: EvidenceLog, items: Sequence[Mapping[str, Any]], *, folders: Sequence[Path]
) -> list[Item]:
    """What is known of each file: its patient, whether it is synthetic, and the record behind it.

    Args:
        session: gives the side table.
        log: gives the pseudonyms.
        items: `ItemDigests.results`.
        folders: evidence and site logs that hold the registrations.

    Raises:
        GateError: if a folder is not as it was signed.
    """
    from monai_ethics.provenance.registry.known import load_known

    known = load_known(folders)
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


def _origin(digest: str | None, item: Mapping[str, Any], known: Known) -> tuple[str, str | None]:
    """State and record: a registration of the values comes first, then a mark that says synthetic."""
    if digest in known.synthetic:
        record = known.synthetic[digest]
        return str(known.records.get(record, {}).get("synthetic", "yes")), record
    if carries_synthetic(item.get("marked")):
        return str(item["marked"]), _full(item.get("record"), known)
    if digest in known.real:
        return "no", known.real[digest]
    return "unknown", None


def _full(record: Any, known: Known) -> str | None:
    """The id that a mark names, which may hold its beginning only."""
    if not isinstance(record, str):
        return None
    return record if is_record_id(record) else known.named(record)


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
