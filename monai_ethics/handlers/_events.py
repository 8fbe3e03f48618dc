# SPDX-License-Identifier: Apache-2.0
"""Which metrics an engine carries, and where a late handler stands among the others.

Ignite keeps its handlers in `_event_handlers`; there is no public way to list them. Only this file reads it, and does
without it where it is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ignite.engine import Engine, Events
from ignite.metrics import Metric

__all__ = [
    "FoundMetric",
    "find_metrics",
    "foreign_handlers",
    "has_kind",
    "move_behind_metrics",
    "move_to_front",
    "owners",
]


REFUSED = {
    "RunningAverage": "follows a value over iterations: it is not a metric of cases",
    "MetricsLambda": "is computed from other metrics: attach those under names of their own",
    "MetricGroup": "holds several metrics: attach them one by one",
    "Frequency": "measures speed, not cases",
    "FID": "compares sets of features: it has no value for a case",
    "InceptionScore": "judges a set of images: it has no value for a case",
    "MaximumMeanDiscrepancy": "compares sets of features: it has no value for a case",
    "SubgroupMetric": "forms groups of its own: attach the metric inside it",
}


class FoundMetric(NamedTuple):
    """A metric on an engine: the name of its value, the Ignite object, and MONAI's cumulative metric inside, if any."""

    name: str
    handler: Any
    metric_fn: Any
    reason: str

    @property
    def plain(self) -> bool:
        """Whether it is a plain Ignite metric, which keeps no row per case."""
        return self.metric_fn is None

    @property
    def subject(self) -> Any:
        """What its traits are known by."""
        return self.handler if self.plain else self.metric_fn


def _entries(engine: Engine, event: Any) -> list[Any]:
    table = getattr(engine, "_event_handlers", {})
    found: list[Any] = table.get(event, [])
    return found


def _owner(entry: Any) -> Any:
    return getattr(entry[0], "__self__", None)


def find_metrics(engine: Engine) -> list[FoundMetric]:
    """Every metric on the engine by name, in the order in which they were attached, those of an epoch first.

    A metric that cannot be looked at by case has the reason.
    """
    found: dict[str, FoundMetric] = {}
    for event in (Events.EPOCH_COMPLETED, Events.ITERATION_COMPLETED):
        for entry in _entries(engine, event):
            metric = _owner(entry)
            if isinstance(metric, Metric) and getattr(entry[0], "__name__", "") == "completed" and entry[1]:
                name = str(entry[1][-1])
                # `vars`: an Ignite metric answers getattr() for every name
                metric_fn = vars(metric).get("metric_fn")
                reason = _unsupported(metric, metric_fn)
                if event is not Events.EPOCH_COMPLETED:
                    reason = f"{type(metric).__name__} is computed anew in each iteration, not over an epoch"
                found.setdefault(name, FoundMetric(name, metric, metric_fn, reason))
    return list(found.values())


def _unsupported(metric: Metric, metric_fn: Any) -> str:
    if metric_fn is None:
        known = next((REFUSED[cls.__name__] for cls in type(metric).__mro__ if cls.__name__ in REFUSED), "")
        return f"{type(metric).__name__} {known}" if known else ""
    if not (callable(getattr(metric_fn, "get_buffer", None)) and callable(getattr(metric_fn, "aggregate", None))):
        return f"{type(metric_fn).__name__} keeps no buffer with a row per case"
    return ""


def owners(engine: Engine) -> list[Any]:
    """Every object with a method among the engine's handlers, once."""
    table = getattr(engine, "_event_handlers", {})
    found = {id(_owner(entry)): _owner(entry) for entries in table.values() for entry in entries}
    return [one for one in found.values() if one is not None]


def has_kind(engine: Engine, kind: type) -> bool:
    """Whether a handler of the class is on the engine already."""
    return any(isinstance(one, kind) for one in owners(engine))


def foreign_handlers(engine: Engine, event: Any, own: str = "monai_ethics.") -> int:
    """Number of handlers of the event that are not this package's."""
    return sum(not type(_owner(e)).__module__.startswith(own) for e in _entries(engine, event))


def _move(engine: Engine, event: Any, callback: Callable[..., Any], target: int) -> None:
    entries = _entries(engine, event)
    for index, entry in enumerate(entries):
        if entry[0] == callback and target < index:
            entries.insert(target, entries.pop(index))
            return


def move_to_front(engine: Engine, event: Any, callback: Callable[..., Any]) -> None:
    """Let `callback`, already registered, run before every other handler of the event."""
    _move(engine, event, callback, 0)


def move_behind_metrics(engine: Engine, callback: Callable[..., Any]) -> None:
    """Let `callback`, already registered, run at EPOCH_COMPLETED before the handlers that read the metrics."""
    entries = _entries(engine, Events.EPOCH_COMPLETED)
    metrics = [i for i, entry in enumerate(entries) if isinstance(_owner(entry), Metric)]
    if metrics:
        _move(engine, Events.EPOCH_COMPLETED, callback, metrics[-1] + 1)
