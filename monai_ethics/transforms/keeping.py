# SPDX-License-Identifier: Apache-2.0
"""`keep_marks`: for the time of a block, everything of MONAI keeps the marks of synthetic images, without an edit.

Loaded images get their files' marks, batches keep them item by item, arithmetic and pasting combine them, and
`SaveImage` writes them. Voxels are computed exactly as without it; files made from unmarked images have the same bytes.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import monai.data
import torch
from monai.data import MetaTensor, image_writer
from monai.data import utils as data_utils
from monai.transforms import LoadImage
from monai.utils import ensure_tuple
from torch.utils.data._utils.collate import default_collate_fn_map

from monai_ethics.transforms.collate import collated_marks
from monai_ethics.transforms.readers import file_mark
from monai_ethics.transforms.taint import FLAG, RECORD, blend_metas, put, state_in
from monai_ethics.transforms.writers import STOCK, Written, register_marked_writers, writing

__all__ = ["keep_marks"]

_MISSING = object()
_entering = threading.Lock()  # blocks of several threads overlap: the first one in and the last one out do the work
_depth = 0
_undo = ExitStack()


@contextmanager
def keep_marks(how: Written | None = None) -> Iterator[None]:
    """Let MONAI keep the marks of synthetic images within a block, in this process and the workers that it forks.

    What it puts in place is taken back at the end: the readers, the collate function that MONAI's own collates share,
    the arithmetic of `MetaTensor`, the registered writers and those that are looked up by name. Images are unchanged
    but for ``meta["synthetic"]`` and ``meta["record"]``. Blocks may be nested, and may overlap in several threads;
    another thread that is outside of any block meets what is put in place as well.

    Not reached are a writer class that was imported before and is called or given to `SaveImage` itself, and a
    `SaveImage` that was made before: it has chosen its writers. One that is made inside keeps marks afterwards too.

    Args:
        how: how written files are marked; ``None`` for the default.

    Example:
        >>> with keep_marks():  # doctest: +SKIP
        ...     SaveImage(output_dir="out")(LoadImage()("synthetic.nii.gz"))
    """
    global _depth, _undo
    with _entering:
        if _depth == 0:
            _undo = _put_in_place()
        _depth += 1
    try:
        with writing(how or Written()):
            yield
    finally:
        with _entering:
            _depth -= 1
            if _depth == 0:
                _undo.close()


def _put_in_place() -> ExitStack:
    stack = ExitStack()
    with ExitStack() as safe:
        safe.enter_context(stack)
        stack.enter_context(register_marked_writers())
        for module in (monai.data, image_writer):
            for theirs, ours in STOCK.items():
                _replace(stack, module, theirs.__name__, ours)
        _replace(stack, LoadImage, "__call__", _loading(LoadImage.__call__))
        collate = data_utils.collate_meta_tensor_fn
        _replace(stack, data_utils, "collate_meta_tensor_fn", _collating(collate))
        stack.callback(_put_back_collate, default_collate_fn_map.get(MetaTensor, _MISSING))
        _replace(stack, MetaTensor, "update_meta", staticmethod(_updating(MetaTensor.update_meta)))
        _replace(stack, MetaTensor, "__setitem__", _pasting)
        safe.pop_all()
    return stack


def _replace(stack: ExitStack, owner: Any, name: str, new: Any) -> None:
    """Set an attribute until the stack is closed; a later change by somebody else stays."""
    before = vars(owner).get(name, _MISSING)

    def back() -> None:
        if vars(owner).get(name) is new:
            if before is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

    setattr(owner, name, new)
    stack.callback(back)


def _put_back_collate(before: Any) -> None:
    """MONAI writes the collate function into torch's table at each batch."""
    if before is _MISSING:
        default_collate_fn_map.pop(MetaTensor, None)
    else:
        default_collate_fn_map[MetaTensor] = before


def _loading(load: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(load)
    def loading(self: Any, filename: Any, *args: Any, **kwargs: Any) -> Any:
        result = load(self, filename, *args, **kwargs)
        meta = result[1] if isinstance(result, tuple) else getattr(result, "meta", None)
        if isinstance(meta, dict) and state_in(meta) is None:
            meta[FLAG], meta[RECORD] = file_mark(ensure_tuple(filename))
        return result

    return loading


def _collating(collate: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(collate)
    def collating(batch: Sequence[Any], *, collate_fn_map: Any = None) -> Any:
        collated = collate(batch, collate_fn_map=collate_fn_map)
        mark = collated_marks([item.meta for item in batch])
        return collated if mark is None else put(collated, *mark)

    return collating


def _updating(update: Callable[..., Any]) -> Callable[..., Any]:
    """The meta of a result after any torch function; MONAI takes the first operand's."""

    @functools.wraps(update)
    def updating(rets: Any, func: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
        out = update(rets, func, args, kwargs)
        operands = list(MetaTensor.flatten_meta_objs(args, kwargs.values()))
        if len(operands) > 1:
            mark = _mark_of(func, args, kwargs, [one.meta for one in operands])
        elif func is torch.Tensor.__getitem__ and operands and operands[0].is_batch:
            mark = _picked(operands[0].meta, args[1])
        else:
            return out
        if mark is not None:
            for image in out:
                if isinstance(image, MetaTensor) and (state_in(image.meta) != mark[0]):
                    put(image, *mark)
        return out

    return updating


def _mark_of(func: Any, args: Any, kwargs: Mapping[str, Any], metas: list[Any]) -> Any:
    if func in (torch.cat, torch.concat, torch.concatenate):
        states = [state_in(meta) for meta in metas]
        along = args[1] if len(args) > 1 else kwargs.get("dim", 0)
        if along == 0 and states and all(isinstance(state, list) for state in states):
            rows = [meta.get(RECORD) or [""] * len(meta[FLAG]) for meta in metas]
            return [one for state in states for one in state or ()], [one for row in rows for one in row]
    return blend_metas(metas)


def _picked(meta: Any, index: Any) -> Any:
    """Marks of the items that a tensor or an array of places picks out of a batch, which MONAI leaves in old order."""
    states, records = state_in(meta), meta.get(RECORD)
    index = index[0] if isinstance(index, (tuple, list)) and index else index
    if not isinstance(states, list) or not hasattr(index, "tolist") or getattr(index, "ndim", 0) != 1:
        return None
    places = index.tolist()
    if places and isinstance(places[0], bool):
        places = [place for place, chosen in enumerate(places) if chosen]
    said = records if isinstance(records, list) and len(records) == len(states) else [""] * len(states)
    return [states[place] for place in places], [said[place] for place in places]


def _pasting(self: Any, index: Any, value: Any) -> None:
    """Writing a part of one image into another, as CutMix does by hand; torch tells MONAI nothing of it."""
    torch.Tensor.__setitem__(self, index, value)
    if isinstance(value, MetaTensor):
        mark = blend_metas([self.meta, value.meta])
        if mark is not None and mark[0] != state_in(self.meta):
            put(self, *mark)
