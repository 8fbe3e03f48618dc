# SPDX-License-Identifier: Apache-2.0
"""Collates that keep the mark of every item.

MONAI keeps those meta keys only that all items of a batch have, so one image without a flag takes it from the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai.data import MetaTensor, list_data_collate, pad_list_data_collate

from monai_ethics.transforms.taint import FLAG, RECORD, put, state_in

__all__ = ["collated_marks", "marked_list_data_collate", "marked_pad_list_data_collate"]


def marked_list_data_collate(batch: Sequence[Any]) -> Any:
    """MONAI's `list_data_collate` for ``DataLoader(collate_fn=...)``, with a mark for every item.

    If any item of a batch has ``meta["synthetic"]``, the batch has a list with the state of each, ``"unknown"`` where
    there is none, and a list ``meta["record"]``. Otherwise the batch is MONAI's own.

    Args:
        batch: items of a dataset, or lists of them.
    """
    items = _alike(batch)
    return _filled(list_data_collate(items), _flat(items))


def marked_pad_list_data_collate(batch: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
    """MONAI's `pad_list_data_collate` with a mark for every item; see `marked_list_data_collate`.

    Args:
        batch: items of a dataset.
        args: of MONAI's function.
        kwargs: of MONAI's function.
    """
    items = _alike(batch)
    return _filled(pad_list_data_collate(items, *args, **kwargs), _flat(batch))


def collated_marks(metas: Sequence[Any]) -> tuple[list[str], list[str]] | None:
    """State and record of each item of a batch, or ``None`` if no item has a flag."""
    states = [state_in(meta) for meta in metas]
    if all(state is None for state in states):
        return None
    records = [meta.get(RECORD) if isinstance(meta, Mapping) else None for meta in metas]
    return (
        [state if isinstance(state, str) else "unknown" for state in states],
        [record if isinstance(record, str) else "" for record in records],
    )


def _flat(batch: Sequence[Any]) -> Sequence[Any]:
    return [item for part in batch for item in part] if isinstance(batch[0], list) else batch


def _filled(result: Any, items: Sequence[Any]) -> Any:
    """Write the marks of the items into what was made of them."""
    if isinstance(result, MetaTensor):
        mark = collated_marks([getattr(item, "meta", None) for item in items])
        return result if mark is None else put(result, *mark)
    if isinstance(result, dict):
        for key, value in result.items():
            result[key] = _filled(value, [item[key] for item in items])
    elif isinstance(result, list) and all(isinstance(item, (list, tuple)) for item in items):
        return [_filled(value, [item[place] for item in items]) for place, value in enumerate(result)]
    return result


def _alike(node: Any) -> Any:
    """The items with flags of one kind: torch cannot make a batch of a text and a bool. Nothing is changed in place."""
    if isinstance(node, MetaTensor):
        state = state_in(node.meta)
        if not isinstance(state, str) or (node.meta[FLAG] == state and isinstance(node.meta.get(RECORD, ""), str)):
            return node
        copy = node.as_subclass(MetaTensor)
        copy.__dict__ = dict(node.__dict__)
        return put(copy, state, record if isinstance(record := node.meta.get(RECORD), str) else "")
    if isinstance(node, Mapping):
        return {key: _alike(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)) and any(isinstance(one, (MetaTensor, Mapping, list, tuple)) for one in node):
        return type(node)(_alike(one) for one in node)
    return node
