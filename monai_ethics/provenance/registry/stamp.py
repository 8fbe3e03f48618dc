# SPDX-License-Identifier: Apache-2.0
"""Stamping: registering images as synthetic (or as acquired) in the evidence, and marking the synthetic files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.evidence import Finding, Observation, Verdict
from monai_ethics.provenance.images.digest import FileDigests, digest_file
from monai_ethics.provenance.images.listing import digests_of, image_files
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.marks.sidecar import sidecar_path, write_marks
from monai_ethics.provenance.records.patients import PATIENT
from monai_ethics.provenance.records.record import Record, described_synthesis
from monai_ethics.provenance.registry.known import Known, load_known, match, register
from monai_ethics.provenance.synthetic_guard import SyntheticGuard
from monai_ethics.registry import question_of

__all__ = ["StampResult", "StampedItem", "check_template", "stamp_file", "stamp_files"]


@dataclass(frozen=True, kw_only=True)
class StampedItem:
    """One stamped image.

    Args:
        item: pseudonym of the file.
        record: id of its record.
        marks: layers that carry the mark, of ``"header"`` and ``"sidecar"``.
        already: whether it was registered before.
    """

    item: str
    record: str
    marks: tuple[str, ...]
    already: bool


@dataclass(frozen=True, kw_only=True)
class StampResult:
    """What stamping did.

    Args:
        items: the stamped images; empty if any was refused.
        refused: positions, from 1, of images that are registered as the contrary.
        finding: the finding that was logged for those, or ``None``.
    """

    items: tuple[StampedItem, ...]
    refused: tuple[int, ...]
    finding: Finding | None


def stamp_files(
    paths: Sequence[Path],
    log: EvidenceLog,
    *,
    record: Mapping[str, Any] | None = None,
    synthetic: str = "yes",
    site: Path | None = None,
    digests: Sequence[FileDigests] | None = None,
    header: bool = True,
) -> StampResult:
    """Register images in the evidence log; mark the files of synthetic ones.

    All files are read before anything is written. If a digest is registered as the contrary, a finding is logged and
    nothing is stamped: a generator that gives out an acquired image has memorized it.

    Args:
        paths: files and folders.
        log: the open evidence log.
        record: fields of a `Record` that every image's record shares, such as `model` and `activity`.
        synthetic: ``"yes"``, ``"partial"`` or ``"no"``; the record's own where it has one.
        site: a site log that registers further digests.
        digests: of the files that `paths` stand for, where they were computed already.
        header: whether the files themselves may be changed; otherwise only their sidecars say it.

    Raises:
        InputError: if there is no image, one cannot be read, or the record does not fit.
        GateError: if a registry was altered.
    """
    template = dict(record or {})
    synthetic = str(template.get("synthetic", synthetic))
    if synthetic not in ("yes", "partial", "no"):
        raise InputError("Images are stamped as `synthetic` yes, partial or no: got another. Say which they are.")
    check_template(template, synthetic)  # before any file is read
    files = image_files(paths)
    found = digests_of(files) if digests is None else list(digests)
    if len(found) != len(files):
        raise InputError(f"`digests` must have one entry per image: got {len(found)} for {len(files)}. Leave it out.")
    known = load_known([log.folder, *([site] if site else [])])
    names = [log.pseudonym("file", str(path)) for path in files]
    contrary = known.synthetic if synthetic == "no" else known.real
    # a partly synthetic image may share slices with the acquired one that it was made from
    refused = [place for place, item in enumerate(found) if match(item, contrary, any_slice=synthetic == "yes")]
    if refused:
        finding = _contradiction([names[place] for place in refused], len(files), synthetic=synthetic)
        log.add_findings([finding])
        return StampResult(items=(), refused=tuple(place + 1 for place in refused), finding=finding)
    records = [
        _record(template, synthetic, subject=_subject(name, item, public=synthetic == "yes"))
        for name, item in zip(names, found, strict=True)
    ]
    items = _write(log, files, found, names=names, records=records, known=known, header=header)
    return StampResult(items=tuple(items), refused=(), finding=None)


def _write(
    log: EvidenceLog,
    files: Sequence[Path],
    found: Sequence[FileDigests],
    *,
    names: Sequence[str],
    records: Sequence[Record],
    known: Known,
    header: bool,
) -> list[StampedItem]:
    """Registrations first, marks second, digests of the marked bytes last: a crash leaves no mark without a record."""
    registered: list[str | None] = []
    entries: list[tuple[str, Any]] = []
    for digests, item, record in zip(found, names, records, strict=True):
        same = known.real if record.synthetic == "no" else known.synthetic
        earlier = match(digests, same, any_slice=False)
        registered.append(earlier)
        if earlier is None:
            entries.append(("record", record.to_dict()))
            entries += register(log, digests, item=item, record=record.id, synthetic=record.synthetic)
    log.append_many(entries)
    items, stored = [], []
    for path, digests, item, record, earlier in zip(files, found, names, records, registered, strict=True):
        identity = earlier or record.id
        marks: tuple[str, ...] = ()
        marked = digests.marks.names(identity) and sidecar_path(path).exists()
        if record.synthetic != "no" and not marked:
            bare = {"id": identity, "synthetic": record.synthetic}  # its record stands in another log
            content = record.to_dict() if earlier is None else known.records.get(identity, bare)
            marks = write_marks(
                path, content, voxel_v1=digests.voxel_v1, header=header, key=log.key, slices=digests.slices
            )
        items.append(StampedItem(item=item, record=identity, marks=marks, already=earlier is not None))
        body = {"item": item, "role": "stamped", "record": identity, "marks": list(marks)}
        stored.append(("stored", body | _patient(log, path, digests)))
    log.append_many(stored)
    return items


def _patient(log: EvidenceLog, path: Path, digests: FileDigests) -> dict[str, str]:
    """Keyed pseudonym of the patient whom a DICOM file names now: it stands in the evidence, never in a file."""
    if digests.media_type != "application/dicom":
        return {}
    from monai_ethics.provenance.images.dicom import patient_in

    known = patient_in(path)
    return {} if known is None else {"patient": log.pseudonym(PATIENT, known)}


def check_template(template: Mapping[str, Any], synthetic: str) -> None:
    """Refuse fields of a record with which nothing can be stamped.

    Raises:
        InputError: if they do not fit.
    """
    _record(template, synthetic, subject={})


def _subject(item: str, digests: FileDigests, *, public: bool) -> dict[str, Any]:
    subject: dict[str, Any] = {"item": item, "media_type": digests.media_type, "shape": list(digests.shape)}
    if public:
        subject["digests"] = {"voxel_v1": digests.voxel_v1, "geometry_v1": digests.geometry_v1}
    return subject


def _record(template: Mapping[str, Any], synthetic: str, *, subject: Mapping[str, Any]) -> Record:
    if {"subjects", "id"} & set(template):
        raise InputError("A record to stamp with must leave out `subjects` and `id`: got one. They are filled in.")
    kind = "import" if synthetic == "no" else "synthesis"
    content = described_synthesis({"type": kind, **template})
    return Record.from_dict({**content, "synthetic": synthetic, "subjects": [subject] if subject else []})


def _contradiction(items: Sequence[str], n: int, *, synthetic: str) -> Finding:
    guard = SyntheticGuard()
    said, known = ("acquired", "synthetic") if synthetic == "no" else ("synthetic", "acquired")
    note = "" if synthetic == "no" else " A generator that gives out an acquired image has memorized it."
    return Finding(
        **question_of(guard),
        verdict=Verdict.WARNED,
        statement=f"{len(items)} of {n} images to be stamped as {said} are registered as {known}.{note}",
        accounting={"contradicted": len(items), "other": n - len(items)},
        observations=[
            Observation(label="conflict", items=(item,), value=None, unit="1", note=f"registered as {known}")
            for item in sorted(items)[: guard.listed]
        ],
        limitations=("Only equal values and slices are recognized here; near copies need the membership test.",),
    )


def stamp_file(
    path: Path, *, record: Mapping[str, Any] | None = None, synthetic: str = "yes", header: bool = True
) -> tuple[str, ...]:
    """Mark one file without a log, as a saver does for each file it writes; it is not registered anywhere.

    Returns:
        The layers that carry the mark.

    Raises:
        InputError: if the file cannot be read as an image.
    """
    path = Path(path)
    digests = digest_file(path, slices=False)
    subject = {"media_type": digests.media_type, "shape": list(digests.shape)}
    content = _record(dict(record or {}), synthetic, subject=subject).to_dict()
    return write_marks(path, content, voxel_v1=digests.voxel_v1, header=header)
