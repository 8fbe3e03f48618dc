# SPDX-License-Identifier: Apache-2.0
"""Put ours into every engine of a config, on every rank, without touching the bundle's own items.

What an engine had for handlers moves, unevaluated, to an id of its own; the engine's own key becomes one ``$`` string
that asks the run's injector for `[metrics, *the bundle's handlers, recorder, writer]`. A bundle's rank slicing stays
inside the moved expression, so it cuts what it was meant to cut and never ours. Pure on nested dicts and lists.
"""

from __future__ import annotations

import copy
import re
import zlib
from collections.abc import Sequence
from typing import Any

from monai_ethics.bundle.engines import EngineRef, find_engines, is_generative, walk
from monai_ethics.bundle.expressions import engine_calls, set_argument
from monai_ethics.bundle.names import INJECTOR, SAVER_NAMES

__all__ = ["item_at", "own_id", "rewrite", "wrap_savers"]

OURS = re.compile(rf"\$?{INJECTOR}\.handlers\('[^@]*', (.*)\)", re.DOTALL)


def own_id(engine_id: str, *, prefix: str = "ethics_handlers") -> str:
    """Config id under which an engine's old handler expression is kept; depends on the engine's id only."""
    plain = re.sub(r"\W+", "_", engine_id).strip("_").replace("import", "imp_ort")
    return f"{prefix}_{plain}_{zlib.crc32(engine_id.encode()):08x}"


def _literal(engine_id: str) -> str:
    """An id as Python text; MONAI takes any expression with the word `import` for a statement."""
    return "'" + engine_id.replace("import", "imp''ort") + "'"


def rewrite(config: dict[str, Any], engines: Sequence[EngineRef] | None = None, *, run_id: str = "run") -> bool:
    """Rewrite a config in place; a second call changes nothing.

    Args:
        config: merged config, macros and relative ids resolved.
        engines: what to rewrite; ``None`` finds them.
        run_id: id of the expression that will be run.

    Returns:
        Whether anything was changed.
    """
    changed = _unshare(config)
    for ref in find_engines(config, run_id=run_id) if engines is None else engines:
        if not ref.rewritable:
            continue
        one = _rewrite_component if ref.form == "component" else _rewrite_expression
        changed = one(config, ref) or changed
    return changed


def wrap_savers(config: dict[str, Any], *, run_id: str = "run") -> list[str]:
    """Wrap the savers that the run expression names: the only way into generative inference without an engine.

    Args:
        config: merged config, changed in place.
        run_id: id of the expression that will be run.

    Returns:
        Ids of the wrapped savers.
    """
    synthetic = "yes" if is_generative(config, run_id=run_id) else "unknown"
    text = " ".join(value for _, value in walk(config.get(run_id), "_") if isinstance(value, str))
    done = []
    for key, value in list(config.items()):
        target = value.get("_target_") if isinstance(value, dict) else None
        named = re.search(rf"@{re.escape(key)}\b(?!::)", text.replace("#", "::"))
        if isinstance(target, str) and target.rsplit(".", 1)[-1] in SAVER_NAMES and named:
            own = own_id(key, prefix="ethics_saver")
            _redirect(config, key, own, below_only=True)
            config[own] = value
            config[key] = f"${INJECTOR}.saver(@{own}, '{synthetic}')"
            done.append(key)
    return done


def _rewrite_component(config: dict[str, Any], ref: EngineRef) -> bool:
    node = item_at(config, ref.id)
    key = ref.handlers_key or ""
    own = own_id(ref.id)
    ours = f"${INJECTOR}.handlers({_literal(ref.id)}, @{own})"
    old = node.get(key)
    match = OURS.fullmatch(old) if isinstance(old, str) else None
    if old == ours:
        return False
    if match:  # a copy of an engine that was rewritten before: it gets instances of its own
        old = copy.deepcopy(config.get(match.group(1).lstrip("@")))
    elif old is not None:
        _redirect(config, f"{ref.id}::{key}", own)
    config[own] = old
    node[key] = ours
    return True


def _rewrite_expression(config: dict[str, Any], ref: EngineRef) -> bool:
    path, _, number = ref.id.partition("(")
    text: str = item_at(config, path)
    call = engine_calls(text)[int(number.rstrip(")") or 0)]
    key = ref.handlers_key or ""
    span = call.keywords.get(key)
    if span and OURS.fullmatch(text[slice(*span)].strip()):
        return False
    new = set_argument(text, call, key, lambda old: f"{INJECTOR}.handlers({_literal(ref.id)}, {old.strip()})")
    _put(config, path, new)
    return True


def _redirect(config: dict[str, Any], old: str, new: str, *, below_only: bool = False) -> None:
    """Let references to a moved item follow it: another engine that borrows the list must not borrow ours."""
    after = r"(?=::)" if below_only else r"(?!\w)"
    pattern = re.compile(rf"@{re.escape(old)}{after}")
    for path, value in list(walk(config)):
        if isinstance(value, str) and value.startswith(("$", "@")):
            text = pattern.sub(f"@{new}", value.replace("#", "::")) if "@" in value else value
            if text != value.replace("#", "::"):
                _put(config, path, text)


def _unshare(config: dict[str, Any]) -> bool:
    """Give an engine that stands at two places (a YAML alias) one dict per place."""
    engines = [id(node) for path, node in walk(config) if path and isinstance(node, dict) and "_target_" in node]
    if len(engines) == len(set(engines)):
        return False
    _copy_repeats(config, set())
    return True


def _copy_repeats(node: Any, seen: set[int]) -> None:
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        if isinstance(value, (dict, list)):
            if id(value) in seen:
                value = node[key] = copy.copy(value)
            seen.add(id(value))
            _copy_repeats(value, seen)


def item_at(config: Any, path: str) -> Any:
    """The item of a config at a path such as ``train::handlers::0``."""
    for part in path.split("::"):
        config = config[int(part) if isinstance(config, list) else part]
    return config


def _put(config: Any, path: str, value: Any) -> None:
    head, _, last = path.rpartition("::")
    parent = item_at(config, head) if head else config
    parent[int(last) if isinstance(parent, list) else last] = value
