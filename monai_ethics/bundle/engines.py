# SPDX-License-Identifier: Apache-2.0
"""Find every engine in a merged bundle config without building anything.

Works on plain dicts and lists, after macros and relative ids were resolved. Ids are joined with ``::`` as MONAI does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from monai_ethics.bundle.expressions import ENGINE_NAME, EngineCall, engine_calls

__all__ = ["EngineRef", "find_engines", "is_generative", "is_rank_dependent", "reachable", "references", "walk"]

HANDLER_KEYS = ("train_handlers", "val_handlers", "handlers")
METRIC_KEYS = ("key_train_metric", "key_val_metric", "key_metric")
NULLS = (None, "$None", "None")
REFERENCE = re.compile(r"@(\w+(?:::\w+)*)")
GENERATIVE = re.compile(r"Diffusion|AutoencoderKL|VQVAE|VarAutoEncoder|Generator$|GAN|schedulers\.|LDM|Sampler$")
# MONAI's own engines: their signature is known, a handler key may be added where the bundle has none
HOST_ENGINES = frozenset(
    {"SupervisedTrainer", "GanTrainer", "AdversarialTrainer", "SupervisedEvaluator", "EnsembleEvaluator"}
)
SKIPPED = frozenset({"_meta_", "ethics"})

Kind = Literal["train", "validate", "evaluate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRef:
    """One engine of a config.

    Args:
        id: its config id, such as ``"train::trainer"``.
        kind: ``train``, ``validate`` (run by a training engine) or ``evaluate`` (run on its own).
        target: the class as the config names it.
        form: ``component`` for a ``_target_`` dict, ``expression`` for a call within a ``$`` string.
        handlers_key: argument that takes its handlers; ``None`` if that cannot be known without importing the class.
        handlers: the config's value of that argument, unevaluated.
        key_metric: whether the config gives it a key metric, without which MONAI ignores additional metrics.
        disabled: whether ``_disabled_`` is literally true.
    """

    id: str
    kind: Kind
    target: str
    form: Literal["component", "expression"]
    handlers_key: str | None
    handlers: Any
    key_metric: bool
    disabled: bool = False

    @property
    def rewritable(self) -> bool:
        """Whether ours can be put into the config; otherwise they are attached when the engine starts."""
        return self.handlers_key is not None and not self.disabled


def walk(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ``(id, node)`` for every node of a config, outermost first; metadata and our own section are left out."""
    yield path, node
    if isinstance(node, dict):
        for key, value in node.items():
            if path or key not in SKIPPED:
                yield from walk(value, f"{path}::{key}" if path else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, f"{path}::{index}" if path else str(index))


def references(node: Any) -> set[str]:
    """Ids that a node refers to with ``@``, anywhere below it."""
    found: set[str] = set()
    for _, value in walk(node, "_"):
        if isinstance(value, str) and value.startswith(("$", "@")):
            found.update(REFERENCE.findall(value.replace("#", "::")))
    return found


def find_engines(config: Any, *, run_id: str = "run") -> list[EngineRef]:
    """Find the engines of a config; nothing is imported or evaluated.

    Args:
        config: merged config as nested dicts and lists, macros and relative ids resolved.
        run_id: id of the expression that will be run; it tells evaluation from validation.

    Returns:
        The engines in the order of the config.
    """
    started = _started(config.get(run_id)) if isinstance(config, dict) else set()
    found = list(_candidates(config))
    trains = any(ref.kind == "train" and ref.id in started for ref in found)
    return [replace(ref, kind="validate") if _is_validated(ref, started, trains) else ref for ref in found]


def is_generative(config: Any, *, run_id: str = "run") -> bool:
    """Whether what a run builds holds a network or scheduler that only a generator of images has."""
    nodes = (_find(config, item) for item in reachable(config, run_id))
    below = (value for node in nodes for _, value in walk(node, "_"))
    return any(isinstance(node, dict) and bool(GENERATIVE.search(str(node.get("_target_")))) for node in below)


def reachable(config: Any, start: str) -> set[str]:
    """Ids that are built when the item `start` is evaluated: what it refers to, directly or through other items."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        item = waiting.pop()
        node = _find(config, item)
        if item in seen or node is None:
            continue
        seen.add(item)
        waiting.extend(references(node))
    return seen


def is_rank_dependent(handlers: Any) -> bool:
    """Whether a handler expression differs between ranks, so that a handler appended to its list misses some."""
    return isinstance(handlers, str) and handlers.startswith("$") and "rank" in handlers.lower()


def _find(config: Any, item: str) -> Any:
    for part in item.split("::"):
        try:
            config = config[int(part) if isinstance(config, list) else part]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return config


def _candidates(config: Any) -> Iterator[EngineRef]:
    for path, node in walk(config):
        if isinstance(node, dict) and isinstance(node.get("_target_"), str):
            name = node["_target_"].lstrip("$").rsplit(".", 1)[-1]
            if ENGINE_NAME.search(name):
                yield _component(path, node, name)
        elif isinstance(node, str) and node.startswith("$"):
            for number, call in enumerate(engine_calls(node)):
                yield _expression(path, node, call=call, number=number)


def _component(path: str, node: dict[str, Any], name: str) -> EngineRef:
    key = _handlers_key(name, node)
    return EngineRef(
        id=path,
        kind="train" if "Trainer" in name else "evaluate",
        target=node["_target_"],
        form="component",
        handlers_key=key,
        handlers=node.get(key) if key else None,
        key_metric=any(node.get(item) not in NULLS for item in METRIC_KEYS),
        disabled=str(node.get("_disabled_", False)).strip().lower() == "true",
    )


def _expression(path: str, text: str, *, call: EngineCall, number: int) -> EngineRef:
    key = _handlers_key(call.name, call.keywords)
    span = call.keywords.get(key or "")
    return EngineRef(
        id=path if number == 0 else f"{path}({number})",
        kind="train" if "Trainer" in call.name else "evaluate",
        target=call.target,
        form="expression",
        handlers_key=key if span or not call.spread else None,
        handlers="$" + text[slice(*span)] if span else None,
        key_metric=any(
            key in call.keywords and text[slice(*call.keywords[key])].strip() != "None" for key in METRIC_KEYS
        ),
    )


def _handlers_key(name: str, arguments: Any) -> str | None:
    first = "train_handlers" if "Trainer" in name else "val_handlers"
    for key in (first, *HANDLER_KEYS):
        if key in arguments:
            return key
    return first if name in HOST_ENGINES else None


def _started(run: Any) -> set[str]:
    lines = run if isinstance(run, list) else [run]
    pattern = re.compile(r"@(\w+(?:::\w+)*)\.run\b")
    return {found for line in lines if isinstance(line, str) for found in pattern.findall(line.replace("#", "::"))}


def _is_validated(ref: EngineRef, started: set[str], trains: bool) -> bool:
    return ref.kind == "evaluate" and trains and ref.id not in started
