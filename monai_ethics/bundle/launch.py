# SPDX-License-Identifier: Apache-2.0
"""`python -m monai_ethics run`: `python -m monai.bundle run` with the module changed.

The words are read by Fire against MONAI's own signature, so positionals, literals and overrides mean the same.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from pydoc import locate
from typing import Any

import fire
import monai.bundle
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.bundle import scripts as host

from monai_ethics.bundle.injector import Injector
from monai_ethics.bundle.settings import KEYS, SECTION, claim_flags, pop_settings
from monai_ethics.bundle.workflow import ethics_workflow, new_session, tell
from monai_ethics.transforms.keeping import keep_marks
from monai_ethics.transforms.writers import Written

__all__ = ["launch", "run_bundle"]


def launch(argv: list[str]) -> int:
    """Run a bundle as `python -m monai.bundle run` does, and leave evidence.

    Args:
        argv: the words after `run`.

    Returns:
        0; 1 if the policy given refused; 2 if the config leads to engines and none was seen to run.

    Raises:
        Exception: whatever the bundle raises, after evidence was written that says so.
        SystemExit: Fire's own, for `--help` and for words it cannot read.
    """
    _import_as_the_host_does()
    codes: list[int] = []

    @functools.wraps(host.run)
    def command(*args: Any, **kwargs: Any) -> None:
        codes.append(run_bundle(*args, **kwargs))

    words = list(argv)
    if argv in (["--help"], ["-h"]):
        tell(
            "beside MONAI's own words: --attributes TABLE, --strata sex,site, --policy FILE, --evidence DIR, "
            f"--site DIR; --{SECTION}#KEY VALUE sets {', '.join(KEYS)}."
        )
        words = ["--", "--help"]  # Fire takes a bare one for an override
    fire.Fire(command, command=words, name="monai-ethics run")
    return codes[-1] if codes else 0


def run_bundle(*args: Any, **kwargs: Any) -> int:
    """`monai.bundle.run` with evidence; the arguments are its own.

    Returns:
        The exit code of `launch`.
    """
    words = inspect.signature(host.run).bind(*args, **kwargs).arguments
    overrides: dict[str, Any] = words.pop("override", {})
    preset = host.update_kwargs(words["args_file"]) if words.get("args_file") else {}
    for flag in claim_flags(overrides, {**_config({**preset, **words}), **preset}):
        tell(f"`--{flag}` is an item of this bundle and is left to it; write `--ethics#...` for the evidence.")
    base = _workflow_class(overrides.pop("workflow_name", None) or preset.get("workflow_name") or ConfigWorkflow)
    if isinstance(base, type) and not issubclass(base, ConfigWorkflow):
        return _record_only(base, host.update_kwargs(dict(preset), **{**words, **overrides}))
    base = ethics_workflow(base) if isinstance(base, type) else base  # an unknown name gets MONAI's own message
    given: dict[str, Any] = {**words, **overrides, "workflow_name": base}
    workflow = host.create_workflow(**given)
    workflow.run()
    workflow.finalize()
    return int(workflow.ethics_exit_code)


def _record_only(base: type, words: dict[str, Any]) -> int:
    """Run a workflow that has no config of engines: what can be seen from outside is recorded."""
    words = {key: value for key, value in words.items() if key not in ("args_file", "workflow_name")}
    settings = {"out": Path("evidence"), **pop_settings(words)}
    tell("this workflow class builds its own engines: the run is recorded, and scores only where Ignite engines run.")
    config: dict[str, Any] = {
        "files": {},
        "run_id": None,
        "workflow": f"{base.__module__}.{base.__name__}",
        "engines": {},
    }
    session = new_session(settings, config=config)
    injector = Injector(lambda: session)
    session.start()
    error: BaseException | None = None
    try:
        with (
            injector.watch(),
            keep_marks(Written(key=lambda: getattr(session.evidence, "key", None), told=session.output_file)),
        ):
            workflow = host.create_workflow(**{**words, "workflow_name": base})
            workflow.run()
            workflow.finalize()
    except BaseException as caught:
        error = caught
        raise
    finally:
        session.finish(error)
    return int(session.exit_code)


def _workflow_class(name: Any) -> Any:
    """The class that MONAI would take for a workflow's name, or the name itself if there is none."""
    if not isinstance(name, str):
        return name
    built_in = getattr(monai.bundle, name, None)
    return built_in if isinstance(built_in, type) else locate(name) or name


def _config(words: Mapping[str, Any]) -> dict[str, Any]:
    """The bundle's merged config before overrides; unreadable files are left to MONAI's own message."""
    try:
        return ConfigParser.load_config_files(words.get("config_file") or {})
    except (OSError, ValueError, KeyError):
        return {}


def _import_as_the_host_does() -> None:
    """`python -m` puts the current directory on the path, an installed script does not: bundles need it for scripts."""
    here = os.getcwd()
    if "" not in sys.path and here not in sys.path:
        sys.path.insert(0, here)
