# SPDX-License-Identifier: Apache-2.0
"""Predict, from the config alone, what a run will reach; the run itself decides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monai_ethics.bundle.engines import EngineRef, find_engines, is_rank_dependent, reachable
from monai_ethics.bundle.names import SAVER_NAMES, display_id

__all__ = ["EnginePrediction", "Inspection", "default_run_id", "inspect_config", "list_id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePrediction:
    """What a run will do with one engine.

    Args:
        engine: its config id.
        kind: ``train``, ``validate`` or ``evaluate``.
        target: the class as the config names it.
        built: whether the run expression leads to it.
        reach: ``in the config``, ``when it starts`` or ``disabled``.
        scores: whether it has a key metric, so that there are scores to stratify.
        every_rank: whether a handler put into the bundle's own list would be on every process; ours is in any case.
        tracking: whether MONAI's own ``--tracking`` can reach it on every process.
    """

    engine: str
    kind: str
    target: str
    built: bool
    reach: str
    scores: bool
    every_rank: bool
    tracking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a config lets one predict.

    Args:
        engines: one entry per engine.
        savers: savers that the run names, for bundles without an engine.
        run_ids: ids of the config that start something.
        way: the command or function that fits.
    """

    engines: tuple[EnginePrediction, ...]
    savers: tuple[str, ...]
    run_ids: tuple[str, ...]
    way: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "engines": [{name: getattr(one, name) for name in one.__slots__} for one in self.engines],
            "savers": list(self.savers),
            "run_ids": list(self.run_ids),
            "way": self.way,
        }


def inspect_config(config: Mapping[str, Any], *, run_id: str | None = None) -> Inspection:
    """Predict what a run reaches; nothing is imported or evaluated.

    Args:
        config: merged config of `load_config`.
        run_id: id that will be run; ``None`` takes ``run`` or the only id that starts something.

    Returns:
        The prediction.
    """
    starts = _run_ids(config)
    chosen = run_id or default_run_id(config)
    built = reachable(config, chosen)
    engines = tuple(_prediction(ref, built) for ref in find_engines(config, run_id=chosen))
    savers = tuple(sorted(key for key in built if _is_saver(config.get(key))))
    return Inspection(engines=engines, savers=savers, run_ids=starts, way=_way(engines, savers, chosen, starts))


def default_run_id(config: Mapping[str, Any]) -> str:
    """``run``, or the only id that starts something where a bundle has no ``run``."""
    starts = _run_ids(config)
    return "run" if "run" in config or len(starts) != 1 else starts[0]


def _prediction(ref: EngineRef, built: set[str]) -> EnginePrediction:
    reach = "disabled" if ref.disabled else "in the config" if ref.rewritable else "when it starts"
    return EnginePrediction(
        engine=display_id(ref.id),
        kind=ref.kind,
        target=ref.target.lstrip("$"),
        built=ref.id.partition("(")[0] in built,
        reach=reach,
        scores=ref.key_metric,
        every_rank=not is_rank_dependent(ref.handlers),
        tracking=ref.form == "component" and list_id(ref) is not None,
    )


def list_id(ref: EngineRef) -> str | None:
    """Id of the list that MONAI's tracking could append to."""
    if isinstance(ref.handlers, str):
        return display_id(ref.handlers[1:]) if re.fullmatch(r"@\w+(::\w+)*", ref.handlers) else None
    return display_id(f"{ref.id}::{ref.handlers_key}") if isinstance(ref.handlers, list) else None


def _run_ids(config: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for key, value in config.items():
        lines = value if isinstance(value, list) else [value]
        if key not in ("initialize", "finalize") and any(
            isinstance(line, str) and line.startswith("$") and re.search(r"@[\w:#]+\.run\(", line) for line in lines
        ):
            found.append(key)
    return tuple(found)


def _is_saver(node: Any) -> bool:
    target = node.get("_target_") if isinstance(node, Mapping) else None
    return isinstance(target, str) and target.rsplit(".", 1)[-1] in SAVER_NAMES


def _way(engines: tuple[EnginePrediction, ...], savers: tuple[str, ...], chosen: str, starts: tuple[str, ...]) -> str:
    command = "python -m monai_ethics run" + ("" if chosen == "run" else f" {chosen}")
    if any(one.built and one.reach != "disabled" for one in engines):
        return command
    if engines and starts and chosen not in starts:
        return f"python -m monai_ethics run RUN_ID, with one of: {', '.join(starts)}"
    if savers:
        return f"{command} (no engine: the images it saves are recorded) or wrap_saver"
    return f"{command} (no engine found: the run is recorded; stored scores give the rest)"
