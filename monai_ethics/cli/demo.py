# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics demo`: the whole loop on data that comes with the install."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    out: Annotated[Path, typer.Option(help="New folder for data, outputs and evidence (in OUT/evidence).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print where the evidence is, as JSON.")] = False,
) -> None:
    """Simulate cohorts, run a bundle on them, audit a generator, guard a training list, and report: two minutes."""
    from monai_ethics.cli._progress import Steps
    from monai_ethics.demo.loop import run_demo
    from monai_ethics.demo.plan import DemoPlan
    from monai_ethics.reporting.terminal import print_summary

    with Steps(quiet=as_json) as steps:
        result = run_demo(out.absolute(), plan=DemoPlan(), step=steps.step)
    evidence = out / "evidence"
    if as_json:
        print(json.dumps({"evidence": str(evidence), "head": result.head, "refused": result.refused}))
        return
    print()
    print_summary(result.report)
    print("\nOpen evidence/report.html of `--out` in a browser.")
    print(f"Head {result.head}: keep it elsewhere, then check with")
    print(f"  monai-ethics verify OUT/evidence --expect-head {result.head}")
