# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics checks`: what exists, and which requirement each check answers."""

from __future__ import annotations

import json

import typer

from monai_ethics.registry import load_check, registered

__all__ = ["command"]


def command(as_json: bool = typer.Option(False, "--json", help="Print JSON for machines.")) -> None:
    """List the installed checks with the requirements that each answers."""
    checks = [load_check(name) for name in registered()]
    if as_json:
        rows = [{"id": c.id, "title": c.title, "stage": c.stage, "requirements": c.requirements} for c in checks]
        print(json.dumps(rows, indent=1))
        return
    width = max((len(check.id) for check in checks), default=0)
    for check in checks:
        print(f"{check.id:{width}}  {check.title}  [{', '.join(check.requirements)}]")
