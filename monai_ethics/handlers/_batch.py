# SPDX-License-Identifier: Apache-2.0
"""Which cases a batch holds: their keys and their recorded attributes, read without touching a device.

A batch comes as a list of dicts (decollated), as one dict of stacked values (GAN trainers), as a tensor (latents) or
as a tuple of tensors (plain Ignite). Nothing here keeps a reference to an image.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from monai_ethics.provenance.records.patients import patient_numbers
from monai_ethics.transforms.recorded import SEPARATOR, label_text, look_up

__all__ = ["RawRow", "label_text", "patient_of", "read_rows", "row_count"]

FILE_KEY = "filename_or_obj"
PREFERRED = ("image", "reals", "img", "input")


class RawRow(NamedTuple):
    """One case of a batch as it was met; labels are turned into text at the end of the epoch."""

    case: str | None
    patient: Any
    labels: tuple[Any, ...]


def row_count(batch: Any) -> int:
    """Number of cases in `batch`; 0 if that cannot be told."""
    if isinstance(batch, torch.Tensor):
        return int(batch.shape[0]) if batch.ndim else 0
    if isinstance(batch, Mapping):
        return next((int(v.shape[0]) for v in batch.values() if isinstance(v, torch.Tensor) and v.ndim), 0)
    if isinstance(batch, Sequence) and len(batch) and not isinstance(batch, str):
        return row_count(batch[0]) if isinstance(batch[0], torch.Tensor) else len(batch)
    return 0


def read_rows(batch: Any, names: Sequence[str], *, case_key: str | None, patient_key: str | None) -> list[RawRow]:
    """Read the case key, patient and attributes of every case of `batch`.

    Args:
        batch: what the engine's ``state.batch`` holds at ITERATION_COMPLETED.
        names: attributes to read, from the item's own keys or from an image's meta; DICOM keywords and tags too.
        case_key: item key that names the case; ``None`` takes the file name in an image's meta.
        patient_key: item key or meta key that names the patient; ``None`` asks the usual item keys (`PATIENT_KEYS`).

    Returns:
        One row per case, in batch order.
    """
    if isinstance(batch, Sequence) and len(batch) and isinstance(batch[0], Mapping):
        return [_item_row(item, names, case_key, patient_key) for item in batch]
    n = row_count(batch)
    if isinstance(batch, Mapping):
        return [_stacked_row(batch, i, names, case_key, patient_key) for i in range(n)]
    meta = _meta_of(batch) if isinstance(batch, torch.Tensor) else {}
    return [
        RawRow(_file_text(_at(meta.get(FILE_KEY), i)), None, tuple(_at(look_up({}, meta, k), i) for k in names))
        for i in range(n)
    ]


def _item_row(item: Mapping[str, Any], names: Sequence[str], case_key: str | None, patient_key: str | None) -> RawRow:
    meta = _image_meta(item)
    case = label_text(item.get(case_key)) if case_key else _file_text(meta.get(FILE_KEY))
    return RawRow(
        case,
        _detached(look_up(item, meta, patient_key)) if patient_key else patient_of(item),
        tuple(_detached(look_up(item, meta, name)) for name in names),
    )


def patient_of(item: Mapping[str, Any]) -> str | None:
    """The patient whom an item names under one of the usual keys, several joined; ``None`` if it names nobody."""
    return SEPARATOR.join(sorted(patient_numbers(item))) or None


def _stacked_row(
    batch: Mapping[str, Any], index: int, names: Sequence[str], case_key: str | None, patient_key: str | None
) -> RawRow:
    meta = _image_meta(batch)

    def at(name: str) -> Any:
        return _detached(_at(look_up(batch, meta, name), index))

    case = label_text(at(case_key)) if case_key else _file_text(_at(meta.get(FILE_KEY), index))
    patient = at(patient_key) if patient_key else patient_of(_within(batch, index))
    return RawRow(case, patient, tuple(at(name) for name in names))


def _within(batch: Mapping[str, Any], index: int) -> dict[str, Any]:
    """One case of stacked values, those of the mappings in it too; images are left out, and taking one costs time."""
    small = {k: v for k, v in batch.items() if not isinstance(v, torch.Tensor) or v.ndim <= 2}
    return {k: _within(v, index) if isinstance(v, Mapping) else _at(v, index) for k, v in small.items()}


def _image_meta(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Meta of the first image that knows its file, the usual image keys first."""
    for key in PREFERRED:
        if key in item:
            meta = _meta_of(item[key]) or item.get(f"{key}_meta_dict")
            if isinstance(meta, Mapping) and FILE_KEY in meta:
                return meta
    for value in item.values():
        meta = _meta_of(value)
        if FILE_KEY in meta:
            return meta
    return next((meta for meta in map(_meta_of, item.values()) if meta), {})


def _meta_of(value: Any) -> Mapping[str, Any]:
    meta = getattr(value, "meta", None) if isinstance(value, torch.Tensor) else None
    return meta if isinstance(meta, Mapping) else {}


def _at(value: Any, index: int) -> Any:
    """Element of a stacked value; a single value belongs to every case."""
    if isinstance(value, Mapping) and "vr" in value:  # a DICOM element, each of whose entries was stacked
        inner = value.get("Value")
        return {"vr": _at(value["vr"], index), "Value": [_at(one, index) for one in inner] if inner else []}
    if isinstance(value, (list, tuple)) or (isinstance(value, torch.Tensor) and value.ndim):
        return value[index] if index < len(value) else None
    return value


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, torch.Tensor) else value


def _file_text(value: Any) -> str | None:
    if isinstance(value, (list, tuple)):  # a series of files: the first one names it
        value = value[0] if value else None
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    text = str(value).replace("\\", "/") if value is not None and not isinstance(value, torch.Tensor) else ""
    return text or None
