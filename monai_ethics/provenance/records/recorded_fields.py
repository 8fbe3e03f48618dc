# SPDX-License-Identifier: Apache-2.0
"""Which fields stand in the records of items: what the coverage checks count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.provenance.log.reading.entries import iter_entries
from monai_ethics.provenance.records.field_coverage import FieldTable

__all__ = ["generation_table", "origin_table", "records_of", "synthesis_records"]

_TOLD = ("source", "license", "consent", "acquisition", "deidentification")


def records_of(folders: Sequence[Path], ids: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Records of these ids, as far as the folders hold them."""
    found: dict[str, Mapping[str, Any]] = {}
    for folder in folders if ids else ():
        try:
            entries = iter_entries(folder)
            bodies = [entry.body for entry in entries if entry.kind == "record" and entry.body.get("id") in ids]
        except InputError:
            continue
        found |= {str(body["id"]): body for body in bodies}
    return found


def origin_table(
    items: Iterable[tuple[str, str | None, str | None]],
    records: Mapping[str, Mapping[str, Any]],
    told: Mapping[str, Any],
) -> FieldTable:
    """Where training items come from.

    Args:
        items: pseudonym, `voxel_v1` and id of the record of each.
        records: records by id.
        told: what was said of the whole set: some of `source`, `license`, `consent`, `acquisition`,
            `deidentification`.
    """
    whole = {name for name in _TOLD if told.get(name)}
    names, present = [], []
    for item, digest, record in items:
        own = _origin(records[record]) if record is not None and record in records else set()
        names.append(item)
        present.append(frozenset(whole | own | ({"digest"} if digest else set())))
    return FieldTable(items=names, present=present)


def _origin(record: Mapping[str, Any]) -> set[str]:
    activity = record.get("activity") or {}
    found = {name for name in ("source", "acquisition", "deidentification") if activity.get(name)}
    if record.get("type") == "acquisition":
        found |= {"source", "acquisition"}
    found |= {"license"} if record.get("license") else set()
    return found | ({"consent"} if record.get("consent") or record.get("consent_refs") else set())


def synthesis_records(folder: Path, *, run_id: str | None = None) -> list[Mapping[str, Any]]:
    """Records of single synthetic items in a folder, of one run or of all.

    A run's own record, which is about no single image, is left out.
    """
    return [
        entry.body
        for entry in iter_entries(folder)
        if entry.kind == "record"
        and entry.body.get("type") == "synthesis"
        and "engines" not in (entry.body.get("activity") or {})
        and run_id in (None, entry.run_id)
    ]


def generation_table(records: Iterable[Mapping[str, Any]]) -> FieldTable:
    """How synthetic items were generated.

    Args:
        records: of type `synthesis`, one an item.
    """
    names, present = [], []
    for record in records:
        first: Mapping[str, Any] = next(iter(record.get("subjects") or ()), {})
        names.append(str(first.get("item") or str(record.get("id"))[7:39]))
        present.append(frozenset(_generation(record)))
    return FieldTable(items=names, present=present)


def _generation(record: Mapping[str, Any]) -> set[str]:
    model, activity = record.get("model") or {}, record.get("activity") or {}
    roles = {parent.get("role") for parent in record.get("parents") or ()}
    bundle = model.get("bundle") or {}
    there = {
        "generator": model.get("generator") or model.get("name") or bundle.get("name") or activity.get("generator"),
        "version": model.get("version") or bundle.get("version") or model.get("weights_sha256"),
        "conditioning": activity.get("conditioning")
        or activity.get("request")
        or roles & {"conditioning image", "source image", "label"},
        "seed": activity.get("seed") is not None,
        "sampler": activity.get("sampler") or activity.get("scheduler"),
        "training_set": model.get("training_set") or roles & {"training set", "model"},
    }
    return {name for name, value in there.items() if value}
