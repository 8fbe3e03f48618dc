# SPDX-License-Identifier: Apache-2.0
"""The digests that evidence folders register, as synthetic or as acquired images."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from monai_ethics.errors import SchemaError
from monai_ethics.provenance.images.digest import FileDigests
from monai_ethics.provenance.images.robust import is_hash
from monai_ethics.provenance.log.files.payload import payload_json, read_payload
from monai_ethics.provenance.log.reading.entries import Covered, Entry, iter_entries
from monai_ethics.provenance.log.verifying.verify import as_signed
from monai_ethics.provenance.log.writing.relied import relied_on
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.marks.taint import carries_synthetic

__all__ = ["Known", "load_known", "match", "register"]

PAYLOAD = "digests"
_SLICES_AN_ENTRY = 10_000  # an entry of the log may be 1 MB


@dataclass(frozen=True, kw_only=True)
class Known:
    """Registered digests of values and slices, each with the id of its record.

    Args:
        synthetic: registered as synthetic.
        real: registered as acquired.
        records: records of synthetic images by their id.
        near_synthetic: `robust_v1` registered as synthetic; it flags for review and proves nothing.
        near_real: `robust_v1` registered as acquired.
        gaps: registrations whose private digests were deleted.
        notes: what the folders' verification said, where they are not beyond doubt.
        read_under: what each folder was read under, see `iter_entries`.
    """

    synthetic: dict[str, str] = field(default_factory=dict)
    real: dict[str, str] = field(default_factory=dict)
    records: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    near_synthetic: dict[str, str] = field(default_factory=dict)
    near_real: dict[str, str] = field(default_factory=dict)
    gaps: int = 0
    notes: tuple[str, ...] = ()
    read_under: tuple[Covered | None, ...] = ()

    @cached_property
    def _identities(self) -> list[str]:
        return sorted(self.records)

    def named(self, begin: str) -> str | None:
        """The one id of a synthetic image's record that begins like this; ``None`` if none does, or several do."""
        place = bisect_left(self._identities, begin)
        found = [one for one in self._identities[place : place + 2] if one.startswith(begin)]
        return found[0] if len(found) == 1 else None


def match(digests: FileDigests, known: Mapping[str, str], *, any_slice: bool) -> str | None:
    """Record of an image by its values; else by its only slice, or by any where `any_slice`.

    Images without an identity match nothing, whatever their bytes.
    """
    if digests.voxel_v1 is None:
        return None
    if digests.voxel_v1 in known:
        return known[digests.voxel_v1]
    slices = digests.slices if any_slice or len(digests.slices) == 1 else ()
    return next((known[item] for item in slices if item in known), None)


def register(
    log: EvidenceLog, digests: FileDigests, *, item: str, record: str, synthetic: str
) -> list[tuple[str, Any]]:
    """Entries that register an image; append them with its record.

    Digests of a fully synthetic image stand in the log, so that whoever holds the log can refuse it. Those of an
    acquired or partly synthetic image identify a patient's image to whoever holds it: they go into `private/`.

    Args:
        log: the open log; payloads are written at once.
        digests: of the file.
        item: pseudonym of the file.
        record: id of its record.
        synthetic: ``"yes"``, ``"partial"`` or ``"no"``.
    """
    body = {"item": item, "record": record, "synthetic": synthetic}
    content = {"voxel_v1": digests.voxel_v1, "geometry_v1": digests.geometry_v1}
    if digests.robust_v1 is not None and synthetic != "partial":  # it would flag the image that it was made from
        content["robust_v1"] = digests.robust_v1
    if synthetic != "yes":
        # slices of a partly synthetic image may be those of the acquired one: they prove nothing
        slices = list(digests.slices) if synthetic == "no" else []
        payload = json.dumps({**content, "slices": slices}, sort_keys=True).encode()
        return [
            ("registered", {**body, "commitment": log.put_private(PAYLOAD, payload, media_type="application/json")})
        ]
    starts = range(0, max(len(digests.slices), 1), _SLICES_AN_ENTRY)
    parts = [list(digests.slices[start : start + _SLICES_AN_ENTRY]) for start in starts]
    return [("registered", {**body, "digests": {**content, "slices": part}}) for part in parts]


def load_known(folders: Sequence[Path], *, trusted: Sequence[bytes] = ()) -> Known:
    """Read the registrations of evidence folders and site logs.

    Raises:
        GateError: if a folder is not as it was signed: somebody may have taken entries out.
        InputError: if a folder holds no log.
        SchemaError: if a registration has another form.
    """
    synthetic, near_synthetic = dict[str, str](), dict[str, str]()
    real, near_real = dict[str, str](), dict[str, str]()
    records: dict[str, Mapping[str, Any]] = {}
    gaps, notes, under = 0, list[str](), list[Covered | None]()
    for position, folder in enumerate(folders, start=1):
        result = as_signed(folder, trusted=trusted, called=f"evidence {position}")
        notes.append(f"registry {position}: {result.status}")
        under.append(relied_on(folder, result))
        for entry in iter_entries(folder, under=under[-1]):
            if entry.kind == "record" and carries_synthetic(entry.body.get("synthetic")):
                records[str(entry.body.get("id"))] = entry.body
            if entry.kind != "registered":
                continue
            digests = _digests(folder, entry)
            if digests is None:
                gaps += 1
                continue
            acquired = entry.body.get("synthetic") == "no"
            _take(digests, entry, real if acquired else synthetic, near_real if acquired else near_synthetic)
    notes.append("an earlier state of a registry looks the same: verify --expect-head tells it")
    return Known(
        synthetic=synthetic,
        real=real,
        records=records,
        near_synthetic=near_synthetic,
        near_real=near_real,
        gaps=gaps,
        notes=tuple(notes),
        read_under=tuple(under),
    )


def _take(digests: Mapping[str, Any], entry: Entry, exact: dict[str, str], near: dict[str, str]) -> None:
    """Take over what one entry registers; the first registration of a digest holds."""
    record = str(entry.body.get("record"))
    for digest in (digests.get("voxel_v1"), *digests.get("slices", ())):
        if isinstance(digest, str):
            exact.setdefault(digest, record)
    robust = digests.get("robust_v1")
    if is_hash(robust):
        near.setdefault(str(robust), record)


def _digests(folder: Path, entry: Entry) -> Mapping[str, Any] | None:
    digests = entry.body.get("digests")
    if digests is None:
        payload = read_payload(folder, str(entry.body.get("commitment")))
        if payload is None:
            return None
        digests = payload_json(payload)
    if not isinstance(digests, Mapping) or not isinstance(digests.get("slices", []), list):
        raise SchemaError(
            f"Expected digests at entry {entry.seq} of a registry: got another form. "
            "Read it with the version that wrote it."
        )
    return digests
