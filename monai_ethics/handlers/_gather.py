# SPDX-License-Identifier: Apache-2.0
"""The rows of all processes in one list, and which of them are a sampler's padding.

Rows travel as one JSON text per process, once per epoch: a process without a case sends an empty list, and tabs or
empty labels cannot shift anyone's attributes to someone else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ignite.distributed as idist
from torch.utils.data import DistributedSampler

__all__ = ["Gathered", "deals_in_turn", "gather_rows", "keep_once", "sampler_of", "unique_cases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Rows of every process, process by process, which is the order of MONAI's synchronized buffers.

    Args:
        rows: one dict per row with `rank`, `case` (or ``None``), `padding`, and what the caller put in.
        counts: rows of each process.
    """

    rows: tuple[Mapping[str, Any], ...]
    counts: tuple[int, ...]


def sampler_of(engine: Any) -> Any:
    """The sampler of the engine's loader; ``None`` if it has none."""
    loader = getattr(engine, "data_loader", None) or getattr(engine.state, "dataloader", None)
    sampler = getattr(loader, "sampler", None)
    batch_sampler = getattr(loader, "batch_sampler", None)
    inner = getattr(batch_sampler, "sampler", None)
    return sampler if isinstance(sampler, DistributedSampler) else inner or sampler


def deals_in_turn(sampler: Any) -> bool:
    """Whether a sampler gives every case of the dataset to one of the processes, in turn."""
    return isinstance(sampler, DistributedSampler) and type(sampler).__iter__ is DistributedSampler.__iter__


def _positions(n: int, sampler: Any) -> list[int] | None:
    """Global position of each local row; ``None`` if the sampler does not deal cases out in turn."""
    if not deals_in_turn(sampler):
        return None
    per_item = 1
    if n > sampler.num_samples:  # several crops of one image
        per_item, rest = divmod(n, max(sampler.num_samples, 1))
        if rest:
            return None
    return [sampler.rank + sampler.num_replicas * (i // per_item) for i in range(n)]


def gather_rows(rows: Sequence[Mapping[str, Any]], *, sampler: Any) -> Gathered:
    """Collect the rows of every process (a collective: every process must call it).

    Args:
        rows: this process's rows, JSON-able dicts with at least `case`.
        sampler: the sampler of this process's loader; a `DistributedSampler` tells which rows are padding.

    Returns:
        All rows; `padding` is True where the sampler repeated a case to make the processes' shares equal.
    """
    positions = _positions(len(rows), sampler)
    total = len(sampler.dataset) if positions is not None else 0
    rank = idist.get_rank()
    local = [
        {**row, "rank": rank, "padding": positions is not None and positions[i] >= total} for i, row in enumerate(rows)
    ]
    text = json.dumps(local, ensure_ascii=True, allow_nan=False)
    texts = idist.all_gather(text) if idist.get_world_size() > 1 else [text]
    parts = [json.loads(str(part)) for part in (texts if isinstance(texts, list) else [texts])]
    return Gathered(rows=tuple(row for part in parts for row in part), counts=tuple(len(part) for part in parts))


def keep_once(gathered: Gathered, *, by_case: bool) -> list[int]:
    """Positions of the rows that count once.

    Args:
        gathered: all rows.
        by_case: also drop rows whose case was met on an earlier process (``partition_dataset``, weighted samplers).

    Returns:
        Ascending positions into ``gathered.rows``.
    """
    home: dict[str, int] = {}
    kept = []
    for index, row in enumerate(gathered.rows):
        if row["padding"]:
            continue
        case = row["case"]
        if by_case and case is not None and home.setdefault(case, row["rank"]) != row["rank"]:
            continue
        kept.append(index)
    return kept


def unique_cases(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Unique key of each row, and the case it belongs to.

    Args:
        rows: rows with `case`, which is ``None`` where nothing names the case.

    Returns:
        Keys and cases. Rows of one case (crops) get ``#1``, ``#2``, ...; unnamed rows count as cases of their own.
    """
    cases = [row["case"] if row["case"] is not None else f"case-{i:06d}" for i, row in enumerate(rows)]
    total, met = Counter(cases), Counter[str]()
    keys = []
    for case in cases:
        met[case] += 1
        keys.append(case if total[case] == 1 else f"{case}#{met[case]}")
    return (keys, cases) if len(set(keys)) == len(keys) else ([f"{k}~{i}" for i, k in enumerate(keys)], cases)
