# SPDX-License-Identifier: Apache-2.0
"""Which transforms an engine's data went through: as declared by its dataset, and as its images remember."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from monai_ethics.handlers._batch import patient_of

__all__ = ["applied_transforms", "dataset_items", "declared_transforms", "expected_cases"]

IMAGE_KEYS = ("image", "img", "input")


def _dataset(engine: Any) -> Any:
    return getattr(getattr(engine, "data_loader", None), "dataset", None)


def dataset_items(engine: Any) -> Sequence[Mapping[str, Any]]:
    """Items of the engine's dataset that are dicts as they were given; empty if it does not show them."""
    dataset = _dataset(engine)
    data = getattr(dataset, "data", None)
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return [item for item in data if isinstance(item, Mapping)]
    return []


def expected_cases(engine: Any, *, case_key: str | None, patient_key: str | None) -> list[tuple[str, str]]:
    """Case and patient of each item of the engine's dataset as its batches will name them.

    Args:
        engine: an engine that has not run yet.
        case_key: item key that names the case; ``None`` takes the image's file, of a list of files the first.
        patient_key: item key that names the patient; ``None`` asks the usual keys. An item without takes the case.

    Returns:
        Sorted pairs, each once; empty if not every item shows its name.
    """
    found = set()
    for item in dataset_items(engine):
        name = next((item[key] for key in ((case_key,) if case_key else IMAGE_KEYS) if key in item), None)
        if isinstance(name, (list, tuple)) and name:
            name = name[0]
        if not isinstance(name, (str, os.PathLike)) or not os.fspath(name):
            return []
        case = os.fspath(name).replace("\\", "/")
        patient = item.get(patient_key) if patient_key else patient_of(item)
        found.add((case, patient if isinstance(patient, str) and patient else case))
    return sorted(found)


def declared_transforms(engine: Any) -> list[str]:
    """Class names of the transforms of the engine's dataset, nested ones in order."""
    return _names(getattr(_dataset(engine), "transform", None))


def _names(transform: Any) -> list[str]:
    if transform is None:
        return []
    parts = getattr(transform, "transforms", None)
    if isinstance(parts, Sequence) and not isinstance(parts, str):
        return [name for part in parts for name in _names(part)]
    return [type(transform).__name__]


def applied_transforms(batch: Any) -> list[str] | None:
    """Transforms that the first image of a batch remembers; ``None`` if it remembers none.

    MONAI notes invertible, mostly spatial transforms only, so the list is partial by nature.
    """
    first = batch[0] if isinstance(batch, Sequence) and len(batch) else batch
    values = first.values() if isinstance(first, Mapping) else [first]
    for value in values:
        operations = getattr(value, "applied_operations", None) if isinstance(value, torch.Tensor) else None
        if operations:
            while isinstance(operations, list) and operations and isinstance(operations[0], list):
                operations = operations[0]
            return [str(op.get("class", "?")) for op in operations if isinstance(op, Mapping)]
    return None
