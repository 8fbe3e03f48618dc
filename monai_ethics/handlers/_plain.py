# SPDX-License-Identifier: Apache-2.0
"""Plain Ignite metrics: values per case from a copy of the metric that is shown one case at a time.

An Ignite metric adds up what it is given and keeps no row per case. `OutputTap` keeps the small outputs that it saw; at
the end of the epoch a deep copy, which talks to no other process, computes the value of each case alone. Only if the
mean of these reproduces the metric, for everyone and for subsets, do they count as scores of cases; otherwise the
metric exists for sets of cases only. The metric itself is never called and never changed.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ignite.distributed as idist
import torch
from ignite.metrics import Metric

from monai_ethics.fairness.data.scores import LARGEST_SCORE
from monai_ethics.handlers._buffers import first_number

__all__ = ["Case", "OutputTap", "PlainEpoch", "Twin", "agrees", "alone", "case_means"]

MOST_NUMBERS = 4096  # of one case: class scores, not images
MOST_HELD = 2**24  # numbers of an epoch: 64 MB
IMAGES = f"its outputs are larger than {MOST_NUMBERS} numbers a case, which are not kept"
NO_CASES = "its output holds no entry per case"

Case = tuple[Any, ...]


class OutputTap:
    """Callable that passes an output transform's result on and keeps a copy of it, if it is small.

    Args:
        inner: the metric's own output transform.
        metric: the plain Ignite metric; only asked how it takes its output.
    """

    def __init__(self, inner: Callable[[Any], Any], metric: Metric) -> None:
        self.inner = inner
        self.reason = ""
        self._keys = getattr(type(metric), "required_output_keys", None)
        self._unrolled = not metric._skip_unrolling
        self._held: list[Case] = []
        self._numbers = 0

    def __call__(self, output: Any) -> Any:
        found = self.inner(output)
        if not self.reason:
            with torch.no_grad():
                self._note(found)
        return found

    def _note(self, output: Any) -> None:
        if isinstance(output, Mapping):
            output = tuple(output.get(key) for key in self._keys or ())
        if isinstance(output, torch.Tensor):
            output = (output,)
        if not isinstance(output, Sequence) or not output or not _length(output[0]):
            self.reason = NO_CASES
            return
        n, numbers = _length(output[0]), sum(_numel(part) for part in output)
        self._numbers += numbers
        if numbers > MOST_NUMBERS * n or self._numbers > MOST_HELD:
            self.reason, self._held = IMAGES, []
            return
        if any(_length(part) != n for part in output if not isinstance(part, Mapping)):
            self.reason = NO_CASES
            return
        self._held.append(tuple(_kept(part) for part in output))

    def cases(self) -> list[Case]:
        """Arguments of the metric's `update` for each case, on the CPU; a batch of one, or lists of one element."""
        out: list[Case] = []
        for held in self._held:
            parts = [_to_cpu(part) for part in held]
            out.extend(tuple(self._one(part, i) for part in parts) for i in range(_length(parts[0])))
        return out

    def _one(self, part: Any, i: int) -> Any:
        if isinstance(part, Mapping):
            return part
        if isinstance(part, torch.Tensor):
            return part[i : i + 1]
        return torch.as_tensor(part[i]).unsqueeze(0) if self._unrolled else [part[i]]


def _length(part: Any) -> int:
    if isinstance(part, torch.Tensor):
        return len(part) if part.ndim else 0
    return len(part) if isinstance(part, (list, tuple)) else 0


def _numel(part: Any) -> int:
    if isinstance(part, torch.Tensor):
        return part.numel()
    if isinstance(part, (list, tuple)):
        return sum(_numel(item) for item in part)
    return 1


def _kept(part: Any) -> Any:
    if isinstance(part, torch.Tensor):
        return part.detach().as_subclass(torch.Tensor).clone()
    return [_kept(item) for item in part] if isinstance(part, (list, tuple)) else part


def _to_cpu(part: Any) -> Any:
    if isinstance(part, torch.Tensor):
        return part.cpu()
    return [_to_cpu(item) for item in part] if isinstance(part, list) else part


class Twin:
    """A deep copy of an Ignite metric that computes values of some cases, in this process alone.

    Args:
        metric: the metric; not changed.
    """

    def __init__(self, metric: Metric) -> None:
        twin = object.__new__(type(metric))
        kept = {"_output_transform": _identity}  # a tap or a closure over an engine is not copied
        memo = {id(metric._output_transform): _identity}
        copied = {name: copy.deepcopy(value, memo) for name, value in vars(metric).items() if name not in kept}
        for value in copied.values():
            if isinstance(value, torch.nn.Module):  # a loss with weights
                value.cpu()
        twin.__dict__.update(kept | copied)
        twin._device = torch.device("cpu")
        self._twin = twin

    def value(self, cases: Sequence[Case]) -> float | None:
        """The metric of these cases; ``None`` if it is undefined for them or no single number."""
        twin = self._twin
        with alone(), warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            try:
                twin.reset()
                for case in _joined(cases):
                    twin.update(case[0] if len(case) == 1 else case)
                number = first_number(twin.compute())
            except Exception:  # a foreign metric's own code on a subset: undefined there
                return None
        return number if number is not None and abs(number) <= LARGEST_SCORE else None


def _identity(output: Any) -> Any:
    return output


def _joined(cases: Sequence[Case]) -> Iterator[Case]:
    """The cases as one batch where their shapes allow it, as the engine's own batches are; otherwise one by one."""
    columns = list(zip(*cases, strict=True))
    alike = all(isinstance(column[0], torch.Tensor) and len({item.shape for item in column}) == 1 for column in columns)
    if alike and columns:
        yield tuple(torch.cat(column) for column in columns)
    else:
        yield from cases


@contextmanager
def alone() -> Iterator[None]:
    """Within it, Ignite believes in a single process: a metric computes without meeting the others."""
    utils: Any = idist.utils
    if idist.get_world_size() == 1:
        yield
        return
    model, sync = utils._model, utils._need_to_sync
    utils._model, utils._need_to_sync = utils._SerialModel(), False
    try:
        yield
    finally:
        utils._model, utils._need_to_sync = model, sync


def agrees(value: float | None, values: Sequence[float | None]) -> bool:
    """Whether a metric's value is the mean of these values, within what single precision allows."""
    defined = [v for v in values if v is not None]
    if value is None or not defined or len(defined) < len(values):
        return False
    allowed = 1e-6 * max(1.0, math.sqrt(len(values) / 100))
    return math.isclose(math.fsum(defined) / len(defined), value, rel_tol=allowed, abs_tol=1e-9)


def case_means(twin: Twin, cases: Sequence[Case]) -> list[float] | None:
    """Value of each case, if the metric is the mean of such values for these cases and for subsets of them.

    Returns:
        One value per case; ``None`` if the metric is no mean over cases.
    """
    values = [twin.value([case]) for case in cases]
    n = len(cases)
    order = sorted(range(n), key=lambda i: (values[i] is None, values[i] or 0.0))
    subsets = [range(n), range(0, n, 2), range(1, n, 2), range(n // 2), order[: n // 3], order[n - n // 3 :]]
    for subset in subsets:
        if len(subset) and not agrees(twin.value([cases[i] for i in subset]), [values[i] for i in subset]):
            return None
    return [v for v in values if v is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainEpoch:
    """What an epoch showed of a plain metric in this process.

    Args:
        values: value of each row, if the metric is a mean of such values here; otherwise empty.
        given: what the metric was given for each row.
        twin: the copy that computed them.
        reason: why there is nothing; empty if there is something.
    """

    values: Sequence[float] = ()
    given: Sequence[Case] = ()
    twin: Twin | None = None
    reason: str = ""

    @classmethod
    def read(cls, metric: Metric, tap: OutputTap, n: int) -> PlainEpoch:
        """Compute what this process can alone.

        Args:
            metric: the metric, whose value of the epoch is computed already.
            tap: what it was given.
            n: rows of the epoch.
        """
        if tap.reason:
            return cls(reason=tap.reason)
        given = tap.cases()
        if len(given) != n:
            return cls(reason=f"it was given {len(given)} entries for {n} cases")
        try:
            twin = Twin(metric)
        except Exception as error:  # a foreign metric may hold what cannot be copied
            return cls(reason=f"it cannot be copied ({type(error).__name__})")
        return cls(values=case_means(twin, given) or (), given=given, twin=twin)
