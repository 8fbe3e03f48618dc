# SPDX-License-Identifier: Apache-2.0
"""Values of a metric for subsets of its own rows, without a second metric object and without inference.

A cumulative metric of MONAI reads its rows through the public `get_buffer()` and nothing else. A shallow copy whose
`get_buffer` returns a subset therefore yields the metric of that subset, in whatever reduction it was made with.
"""

from __future__ import annotations

import copy
import inspect
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from monai_ethics.fairness.data.scores import LARGEST_SCORE

__all__ = ["aggregate_rows", "case_values", "first_number", "read_buffers"]


def read_buffers(metric_fn: Any) -> list[torch.Tensor]:
    """The metric's synchronized rows, one tensor per buffer; empty if it holds none (a collective on many ranks)."""
    held = metric_fn.get_buffer()
    if held is None:
        return []
    return [held] if isinstance(held, torch.Tensor) else [b for b in held if isinstance(b, torch.Tensor)]


def aggregate_rows(metric_fn: Any, buffers: Sequence[torch.Tensor], index: torch.Tensor | None, **kwargs: Any) -> Any:
    """Aggregate a subset of rows with the metric's own code.

    Args:
        metric_fn: a cumulative metric of MONAI; it is not changed.
        buffers: its buffers, each with one row per case, shape ``(N, ...)``.
        index: rows to take, shape ``(n,)`` int64; ``None`` takes all.
        kwargs: arguments of the metric's ``aggregate``.

    Returns:
        Whatever ``aggregate`` returns; of a list or tuple, the first element, as MONAI's handler does.
    """
    rows = [b if index is None else b[index.to(b.device)] for b in buffers]
    twin = copy.copy(metric_fn)
    twin.get_buffer = lambda: rows[0].clone() if len(rows) == 1 else [r.clone() for r in rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = twin.aggregate(**kwargs)
    while isinstance(result, (list, tuple)) and len(result):
        result = result[0]
    return result


def first_number(result: Any) -> float | None:
    """The scalar in an aggregate; ``None`` if it is no scalar or NaN."""
    if isinstance(result, torch.Tensor):
        result = result.detach().squeeze()
        if result.ndim:
            return None
        result = result.item()
    if isinstance(result, np.generic):  # ROC AUC of labels in single precision
        result = result.item()
    if isinstance(result, (bool, int, float)) and not math.isnan(result):
        return float(result)
    return None


def case_values(metric_fn: Any, buffers: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """Value of every case and channel.

    Args:
        metric_fn: a cumulative metric of MONAI.
        buffers: its buffers, each with one row per case.

    Returns:
        float64 on the CPU, shape ``(N, C)``, NaN where undefined, infinite or beyond 1e100;
        ``None`` if the metric has no value per case.
    """
    n = len(buffers[0])
    per_case = len(buffers) == 1 and buffers[0].ndim <= 2
    found = buffers[0].reshape(n, -1) if per_case else _unreduced(metric_fn, buffers, n)
    if found is None:
        return None
    values = found.detach().to(device="cpu", dtype=torch.float64)
    return torch.where(values.abs() <= LARGEST_SCORE, values, torch.nan)


def _unreduced(metric_fn: Any, buffers: Sequence[torch.Tensor], n: int) -> torch.Tensor | None:
    accepted = inspect.signature(metric_fn.aggregate).parameters
    kwargs: dict[str, Any] = {"reduction": "none"} if "reduction" in accepted else {}
    if "compute_sample" in accepted:
        kwargs["compute_sample"] = True
    if kwargs:
        result = aggregate_rows(metric_fn, buffers, None, **kwargs)
        if isinstance(result, torch.Tensor) and result.ndim and len(result) == n:
            return result.reshape(n, -1)
    rows = [first_number(aggregate_rows(metric_fn, buffers, torch.tensor([i]))) for i in range(n)]
    if all(value is None for value in rows):
        return None
    return torch.tensor([[math.nan if v is None else v] for v in rows], dtype=torch.float64)
