# SPDX-License-Identifier: Apache-2.0
"""Write the rewrite down as a config file, for launchers that take config files and no workflow class.

An overlay is code: MONAI evaluates it. Only use one you made or read.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ethics.bundle.engines import EngineRef, find_engines, is_rank_dependent, reachable
from monai_ethics.bundle.inspect import default_run_id, list_id
from monai_ethics.bundle.loading import load_config
from monai_ethics.bundle.names import INJECTOR, display_id
from monai_ethics.bundle.rewrite import item_at, rewrite, wrap_savers
from monai_ethics.errors import InputError

__all__ = ["overlay", "tracking_settings", "write_overlay"]

SESSION = "ethics_session"
MODULE = "ethics_bundle"


def overlay(
    config: Mapping[str, Any], raw: Mapping[str, Any], *, run_id: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Content of an overlay file that reaches every engine on every process.

    Args:
        config: merged config of `load_config`.
        raw: the same files merged with macros unresolved; an engine that is a macro there is written out whole.
        run_id: id that will be run.
        settings: `attributes`, `strata`, `policy`, `log`, `out` and `site`.

    Returns:
        Overlay keys to values.

    Raises:
        InputError: if there is nothing an overlay could reach.
    """
    after: dict[str, Any] = copy.deepcopy(dict(config))
    engines = find_engines(after, run_id=run_id)
    changed = rewrite(after, engines)
    if not any(not ref.disabled for ref in engines):
        changed = bool(wrap_savers(after, run_id=run_id))
    if not changed:
        raise InputError("An overlay needs an engine or a saver in the config: found none that it could reach.")
    content: dict[str, Any] = {}
    for path, value in _changes(config, after):
        key = _writable(path, raw)
        content[display_id(key)] = _for_overlay(value if key == path else item_at(after, key))
    return {**_session_items(config, engines, run_id=run_id, settings=settings), **content}


def tracking_settings(config: Mapping[str, Any], *, run_id: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings for MONAI's own ``--tracking``: for launchers that take no overlay.

    Args:
        config: merged config of `load_config`.
        run_id: id that will be run.
        settings: as for `overlay`.

    Returns:
        What the settings file holds.

    Raises:
        InputError: if an engine that will be built cannot be reached so on every process.
    """
    built = reachable(config, run_id)
    engines = [ref for ref in find_engines(config, run_id=run_id) if not ref.disabled and ref.id in built]
    handlers_id: dict[str, Any] = {}
    handlers: dict[str, Any] = {}
    for number, ref in enumerate(engines):
        place = list_id(ref)
        if place is None or is_rank_dependent(ref.handlers):
            raise InputError(
                f"Tracking appends to a list of handlers: engine {number + 1} has none that every process keeps. "
                "Write an overlay without `--tracking` instead."
            )
        name = f"ethics_engine_{number}"
        handlers_id[name] = {"id": display_id(ref.id), "handlers": place}
        handlers[name] = {
            "_target_": "monai_ethics.bundle.standalone.EngineEvidence",
            "session": f"@{SESSION}",
            "engine_id": ref.id,
        }
    if not handlers:
        raise InputError("Tracking needs an engine that the run leads to: found none. Name the `--run-id` to use.")
    items = _session_items(config, engines, run_id=run_id, settings=settings)
    del items["ethics_import"]
    return {"handlers_id": handlers_id, "configs": {**items, **handlers, "save_execute_config": False}}


def write_overlay(
    configs: Sequence[Path],
    out: Path,
    *,
    tracking: bool = False,
    run_id: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write an overlay file, or settings for ``--tracking``, whole or not at all.

    Args:
        configs: config files of one bundle.
        out: JSON or YAML file to write.
        tracking: whether to write settings for MONAI's ``--tracking``.
        run_id: id that will be run; ``None`` takes ``run`` or the only id that starts something.
        settings: as for `overlay`.

    Raises:
        InputError: if a config cannot be read, or the suffix of `out` is not JSON's or YAML's.
    """
    if out.suffix.lower() not in (".json", ".yaml", ".yml"):
        raise InputError("An overlay must end in .json, .yaml or .yml: got another suffix. Rename it.")
    config, given = load_config(configs), settings or {}
    chosen = run_id or default_run_id(config)
    if tracking:
        content = tracking_settings(config, run_id=chosen, settings=given)
    else:
        content = overlay(config, load_config(configs, resolve=False), run_id=chosen, settings=given)
    text = json.dumps(content, indent=4) + "\n" if out.suffix.lower() == ".json" else _yaml(content)
    partial = out.with_name(out.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, out)


def _yaml(content: Mapping[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(json.loads(json.dumps(content)), sort_keys=False))


def _session_items(
    config: Mapping[str, Any], engines: list[EngineRef], *, run_id: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    built = reachable(config, run_id)
    folder = next((key for key in ("output_dir", "bundle_root") if key in config), None)
    session: dict[str, Any] = {
        "_target_": "monai_ethics.bundle.standalone.overlay_session",
        "out": f"$str(@{folder}) + '/evidence'" if folder else "evidence",
        "engines": [ref.id for ref in engines if not ref.disabled and ref.id.partition("(")[0] in built],
    }
    if "bundle_root" in config:
        session["bundle_root"] = "@bundle_root"
    session["outputs"] = [f"@{key}" for key in ("output_dir", "ckpt_dir") if key in config]
    session.update({key: value for key, value in settings.items() if value is not None})
    return {"ethics_import": f"$import monai_ethics.bundle.standalone as {MODULE}", SESSION: session}


def _for_overlay(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _for_overlay(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_for_overlay(item) for item in value]
    if isinstance(value, str):
        for name in ("handlers", "saver"):
            value = value.replace(f"{INJECTOR}.{name}(", f"{MODULE}.overlay_{name}(@{SESSION}, ")
    return value


def _changes(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Smallest places at which two configs differ; nothing is ever removed by a rewrite."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key, value in after.items():
            below = f"{path}::{key}" if path else str(key)
            if key not in before:
                yield below, value
            else:
                yield from _changes(before[key], value, below)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _changes(one, other, f"{path}::{index}")
    elif before != after:
        yield path, after


def _writable(path: str, raw: Any) -> str:
    """The place itself, or the macro above it: a key below a macro would be lost."""
    parts = path.split("::")
    for depth, part in enumerate(parts[:-1]):
        try:
            raw = raw[int(part) if isinstance(raw, list) else part]
        except (KeyError, IndexError):
            return path
        if isinstance(raw, str):
            return "::".join(parts[: depth + 1])
    return path
