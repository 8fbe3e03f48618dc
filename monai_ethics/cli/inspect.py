# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics inspect`: what a run of a bundle would reach; nothing of the bundle is evaluated."""

from __future__ import annotations

import json
from pathlib import Path

import typer

__all__ = ["command"]

CONFIGS = typer.Argument(..., help="Config files of one bundle, the bundle's own first.")
RUN_ID = typer.Option(None, "--run-id", help="Id that will be run, where it is not `run`.")
AS_JSON = typer.Option(False, "--json", help="Print JSON.")


def command(configs: list[Path] = CONFIGS, run_id: str | None = RUN_ID, as_json: bool = AS_JSON) -> None:
    """Predict which engines of a bundle a run reaches, and the command that fits; evaluates nothing."""
    from monai_ethics.bundle.inspect import inspect_config
    from monai_ethics.bundle.loading import load_config

    found = inspect_config(load_config(configs), run_id=run_id)
    if as_json:
        print(json.dumps(found.to_dict(), indent=1))
        return
    for one in found.engines:
        state = "built by this run" if one.built else "not built by this run"
        scores = "has a key metric" if one.scores else "no key metric"
        print(f"{one.engine}: {one.kind}, {one.target}, {state}; reached {one.reach}; {scores}")
    for name in found.savers:
        print(f"{name}: a saver that the run names")
    print(f"ids to run: {', '.join(found.run_ids) or 'none'}")
    print(f"way: {found.way}")
