# SPDX-License-Identifier: Apache-2.0
"""`TrainingGroups`: which group each item of a training list belongs to, and each case of a batch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes import clean_label, cross, join, read_side_table

__all__ = ["TrainingGroups"]

FILE_KEY = "filename_or_obj"


class TrainingGroups:
    """The groups of a training list, for the sampler and the loss alike.

    Args:
        data: items of the dataset, dicts with an image's path and, without a side table, the attributes.
        attributes: names of item keys, or path of a side table.
        strata: the grouping, one attribute or an intersection such as ``"sex*site"``; ``None`` crosses all
            `attributes`, and of a side table it has to be given.
        patient_key: item key that names the patient; an item without it takes the side table's, or is one.
        image_key: item key whose file names the case.

    Attributes:
        labels: label of each group, sorted, ``None`` (not recorded) last.
        codes: position in `labels` of each item, length ``N``.
        patients: patient of each item, length ``N``.
        sizes: patients of each group.

    Raises:
        InputError: if an attribute is in no item, or no group can be made.

    Notes:
        Attributes are the recorded ones; none is ever inferred from an image.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        attributes: str | os.PathLike[str] | Sequence[str],
        *,
        strata: str | None = None,
        patient_key: str = "patient",
        image_key: str = "image",
    ) -> None:
        if not len(data):
            raise InputError("Expected a training list with items: got an empty one.")
        self.image_key = image_key
        if strata is not None and not isinstance(strata, str):
            raise InputError("Expected `strata` as a text such as sex*site: got another type. Name one grouping.")
        files = [_file(item.get(image_key)) for item in data]
        people = [_label(item.get(patient_key)) or f"item-{i}" for i, item in enumerate(data)]
        columns, people = _columns(data, attributes, files, people)
        parts = strata.split("*") if strata else list(columns)
        if not strata and isinstance(attributes, (str, os.PathLike)) and len(parts) != 1:
            raise InputError(f"Expected `strata` beside a side table of {len(parts)} attributes: name the grouping.")
        self.parts = tuple(part.strip() for part in parts)
        labels = _crossed(columns, self.parts)
        if all(label is None for label in labels):
            raise InputError("Expected a recorded attribute for some items: got none. Check its name and the table.")
        self.labels = tuple(sorted(set(labels), key=lambda label: (label is None, label or "")))
        place = {label: i for i, label in enumerate(self.labels)}
        self.codes = tuple(place[label] for label in labels)
        self.patients = tuple(people)
        counts = Counter(code for code, _ in set(zip(self.codes, self.patients, strict=True)))
        self.sizes = tuple(counts[i] for i in range(len(self.labels)))
        self._of_file = dict(zip(files, self.codes, strict=True))
        self._place = place

    def __len__(self) -> int:
        return len(self.codes)

    def codes_of(self, batch: Any) -> list[int]:
        """Group of each case of a collated batch, by the image's file, or by the attributes in the batch.

        Args:
            batch: a dict of stacked values, or a list of items.

        Returns:
            One code per case, in batch order.

        Raises:
            InputError: if a case is not of this list and its attributes are not in the batch.
        """
        if isinstance(batch, Sequence) and not isinstance(batch, (str, torch.Tensor)) and len(batch):
            return [code for item in batch for code in self._item_codes(item, one=True)]
        return self._item_codes(batch, one=False)

    def _item_codes(self, batch: Any, *, one: bool) -> list[int]:
        if not isinstance(batch, Mapping):
            raise InputError("Expected batches of dicts, as MONAI's trainers have: got something else.")
        files = _listed(getattr(batch.get(self.image_key), "meta", {}).get(FILE_KEY), one)
        found = [self._of_file.get(_file(name)) for name in files]
        if found and None not in found:
            return [code for code in found if code is not None]
        columns = {part: [_label(v) for v in _listed(batch.get(part), one)] for part in self.parts}
        if any(not column for column in columns.values()):
            raise InputError(
                "Expected cases of the training list, or their attributes in the batch: got neither. "
                "Keep the image's meta, or the attribute's key, through the transforms."
            )
        labels = _crossed(columns, self.parts)
        unknown = sum(label not in self._place for label in labels)
        if unknown:
            raise InputError(f"Expected groups of the training list: {unknown} cases of a batch have another label.")
        return [self._place[label] for label in labels]


def _columns(
    data: Sequence[Mapping[str, Any]],
    attributes: str | os.PathLike[str] | Sequence[str],
    files: Sequence[str],
    people: list[str],
) -> tuple[dict[str, list[str | None]], list[str]]:
    if isinstance(attributes, (str, os.PathLike)):
        joined = join(read_side_table(os.fspath(attributes)), list(files), people, strict=False)
        return {name: list(labels) for name, labels in joined.groups.items()}, list(joined.patients)
    absent = [name for name in attributes if not any(name in item for item in data)]
    if absent or not attributes:
        raise InputError(f"Expected attributes that items have: {len(absent)} of {len(attributes)} are in no item.")
    return {name: [_label(item.get(name)) for item in data] for name in attributes}, people


def _crossed(columns: Mapping[str, Sequence[str | None]], parts: Sequence[str]) -> tuple[str | None, ...]:
    unknown = [part for part in parts if part not in columns]
    if unknown:
        raise InputError(f"Expected a grouping made of known attributes: got another. Known: {', '.join(columns)}.")
    if len(parts) == 1:
        return tuple(columns[parts[0]])
    return cross({part: tuple(columns[part]) for part in parts}, list(parts))


def _label(value: Any) -> str | None:
    if isinstance(value, torch.Tensor):
        value = value.item() if value.numel() == 1 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return clean_label(None if value is None else str(value))


def _file(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        value = value[0] if value else ""
    return str(value if value is not None else "").replace("\\", "/")


def _listed(value: Any, one: bool) -> list[Any]:
    if value is None:
        return []
    if one or isinstance(value, str):
        return [value]
    return list(value)
