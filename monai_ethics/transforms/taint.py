# SPDX-License-Identifier: Apache-2.0
"""The mark of an image in memory: ``meta["synthetic"]`` and ``meta["record"]``, and what mixing does to them.

MONAI gives a result the meta of the first operand, so ``real + synthetic`` says that it is real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Transform
from monai.transforms.regularization.array import CutOut, Mixer

from monai_ethics.provenance.marks.taint import combined, state_of

__all__ = ["FLAG", "RECORD", "TaintSafe", "blend_metas", "put", "state_in", "taint_of", "tainted"]

FLAG, RECORD = "synthetic", "record"
State = str | list[str] | None


def state_in(meta: Any) -> State:
    """What a meta says: a state, one for each item of a batch, or ``None`` if it has no flag."""
    if not isinstance(meta, Mapping) or FLAG not in meta:
        return None
    value = meta[FLAG]
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        value = value.tolist()
    return [_state(one) for one in value] if isinstance(value, (list, tuple)) else _state(value)


def _state(value: Any) -> str:
    """A flag that somebody wrote, also as the numbers 0 and 1."""
    return state_of(bool(value) if value in (0, 1) else value)


def _records_in(meta: Mapping[str, Any]) -> str | list[str]:
    value = meta.get(RECORD)
    if isinstance(value, (list, tuple)):
        return [one if isinstance(one, str) else "" for one in value]
    return value if isinstance(value, str) else ""


def put(tensor: Any, state: str | list[str], record: str | list[str]) -> Any:
    """Give a `MetaTensor` a meta of its own with this mark; other tensors may share the meta that it had."""
    tensor.meta = {**tensor.meta, FLAG: state, RECORD: record}
    return tensor


def taint_of(*tensors: Any) -> str:
    """State of content that all of these went into.

    Args:
        tensors: tensors, arrays, and nested lists or dicts of them; those without a mark are ``"unknown"``. An image
            that was loaded with its marks says what its file says; a batch counts as all of its items.

    Returns:
        ``"yes"``, ``"no"``, ``"partial"`` or ``"unknown"``; absent never becomes no.
    """
    states = [state_in(getattr(one, "meta", None)) for one in _leaves(tensors)]
    return combined(inner for state in states for inner in (state if isinstance(state, list) else [state]))


def tainted(result: Any, *sources: Any) -> Any:
    """Mark a tensor as made of others; one without meta becomes a `MetaTensor`.

    Args:
        result: what was made; it gets a meta of its own, in place.
        sources: what it was made of; arrays and plain tensors among them count as ``"unknown"``.
    """
    image = result if isinstance(result, MetaTensor) else MetaTensor(result)
    metas = [getattr(one, "meta", None) or {} for one in _leaves(sources)]
    mark = blend_metas(metas)
    return image if mark is None else put(image, *mark)


def blend_metas(metas: Sequence[Mapping[str, Any]]) -> tuple[str | list[str], str | list[str]] | None:
    """Mark of content made of images with these metas: item by item where they are batches of one size.

    Args:
        metas: of the operands.

    Returns:
        State and record, or ``None`` if no operand has a flag.
    """
    states = [state_in(meta) for meta in metas]
    if all(state is None for state in states):
        return None
    records = [_records_in(meta) for meta in metas]
    sizes = {len(state) for state in states if isinstance(state, list)}
    if not sizes:
        return combined(state for state in states if not isinstance(state, list)), _joined(records)
    size = sizes.pop()
    if sizes:  # batches of several sizes: nobody knows which item met which
        flat = combined(one for state in states for one in (state if isinstance(state, list) else [state]))
        return [flat] * size, [_joined(_flat(records))] * size
    rows = [[state[i] if isinstance(state, list) else state for state in states] for i in range(size)]
    said = [[_of(record, i, size) for record in records] for i in range(size)]
    return [combined(row) for row in rows], [_joined(row) for row in said]


def _of(record: str | list[str], place: int, size: int) -> str:
    if isinstance(record, str):
        return record
    return record[place] if len(record) == size else _joined(record)


def _flat(records: Iterable[str | list[str]]) -> list[str]:
    return [one for record in records for one in (record if isinstance(record, list) else [record])]


def _joined(records: Iterable[str | list[str]]) -> str:
    """Every record named, with a blank between several."""
    return " ".join(sorted({word for record in _flat(records) for word in record.split()}))


def _leaves(node: Any) -> Iterator[Any]:
    if isinstance(node, (torch.Tensor, np.ndarray)):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _leaves(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _leaves(value)


class TaintSafe(Transform):
    """A transform whose results are marked by all that went into them.

    MixUp and CutMix are followed item by item: a sample blended with another of its batch is what both are together.
    MONAI 1.6.1 raises for them on a batch of `MetaTensor`s, so they are shown the plain tensor, and its meta is put
    back. CutOut adds nothing of another sample. Of any other transform it is assumed that each changed image may hold
    something of each image given to it; what comes out untouched keeps its own mark.

    Args:
        transform: takes a tensor, or a dict of tensors, and further arguments of its own.

    Example:
        >>> blend = TaintSafe(lambda d: {"image": d["image"] * 0.5 + d["lesion"] * 0.5})
        >>> real, made = (MetaTensor(torch.ones(1, 2, 2), meta={"synthetic": s}) for s in ("no", "yes"))
        >>> blend({"image": real, "lesion": made})["image"].meta["synthetic"]
        'partial'
    """

    def __init__(self, transform: Callable[..., Any]) -> None:
        self.transform = transform

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "transform":
            raise AttributeError(name)
        return getattr(self.transform, name)

    def __call__(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """What the transform gives, marked; `data` is not changed."""
        mixer = _mixer(self.transform)
        given = (data, args, kwargs)
        if mixer is not None:
            result = self.transform(*_plain((data, *args)), **_plain(kwargs))
            pairs = None if isinstance(mixer, CutOut) else mixer._params[1]
            return _put_back(result, like=(data, *args, *kwargs.values()), pairs=pairs)
        result = self.transform(data, *args, **kwargs)
        before = {id(one) for one in _leaves(given)}
        metas = [dict(one.meta) for one in _leaves(given) if isinstance(one, MetaTensor)]
        mark = blend_metas(metas)
        for image in _leaves(result):
            if mark is not None and id(image) not in before and isinstance(image, MetaTensor):
                put(image, *mark)
        return result


def _mixer(transform: Any) -> Any:
    """MONAI's mixer, itself or within the transform for dicts."""
    inner = (transform, *(getattr(transform, name, None) for name in ("mixup", "mixer", "cutout")))
    return next((one for one in inner if isinstance(one, Mixer)), None)


def _plain(node: Any) -> Any:
    if isinstance(node, MetaTensor):
        return node.as_tensor()
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(_plain(value) for value in node)
    return node


def _put_back(result: Any, *, like: Sequence[Any], pairs: Any) -> Any:
    """The results with the metas of what they were made of, marked item by item."""
    if isinstance(result, Mapping):
        source = like[0]
        return {key: _put_back(value, like=[source.get(key)], pairs=pairs) for key, value in result.items()}
    if isinstance(result, (list, tuple)):
        return type(result)(_put_back(one, like=[at], pairs=pairs) for one, at in zip(result, like, strict=False))
    source = like[0]
    if not (isinstance(result, torch.Tensor) and isinstance(source, MetaTensor)):
        return result
    image = MetaTensor(result)
    image.copy_meta_from(source)  # type: ignore[no-untyped-call]
    states, records = state_in(source.meta), _records_in(source.meta)
    if pairs is None or not isinstance(states, list) or len(states) != len(pairs):
        return image
    said = records if isinstance(records, list) else [records] * len(states)
    mixed = [combined([states[i], states[int(j)]]) for i, j in enumerate(pairs)]
    return put(image, mixed, [_joined([said[i], said[int(j)]]) for i, j in enumerate(pairs)])
