# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics overlay`: the same reach for launchers other than ours."""

from __future__ import annotations

from pathlib import Path

import typer

from monai_ethics.errors import InputError

__all__ = ["command"]

CONFIGS = typer.Argument(..., help="Config files of one bundle, the bundle's own first.")
OUT = typer.Option(..., "--out", help="File to write: .json or .yaml.")
TRACKING = typer.Option(False, "--tracking", help="Write settings for MONAI's own --tracking instead.")
RUN_ID = typer.Option(None, "--run-id", help="Id that will be run, where it is not `run`.")
ATTRIBUTES = typer.Option(None, "--attributes", help="Side table with the attributes of cases.")
STRATA = typer.Option(None, "--strata", help="Attributes and intersections, such as sex,site,sex*site.")
POLICY = typer.Option(None, "--policy", help="File with limits.")
SITE = typer.Option(None, "--site", help="Site log that witnesses the run; MONAI_ETHICS_SITE by default.")
EVIDENCE = typer.Option(None, "--evidence", help="Evidence folder; the bundle's output folder by default.")


def command(
    configs: list[Path] = CONFIGS,
    out: Path = OUT,
    tracking: bool = TRACKING,
    run_id: str | None = RUN_ID,
    attributes: str | None = ATTRIBUTES,
    strata: str | None = STRATA,
    policy: str | None = POLICY,
    evidence: str | None = EVIDENCE,
    site: str | None = SITE,
) -> None:
    """Write an overlay file, or settings for MONAI's --tracking, that lets another launcher leave evidence."""
    from monai_ethics.bundle.overlay import write_overlay

    if out.exists() and any(config.exists() and out.samefile(config) for config in configs):
        raise InputError(
            "Expected `--out` to be a file of its own: got one of the configs, which would be lost. Give another name."
        )
    settings = {"attributes": attributes, "strata": strata, "policy": policy, "out": evidence, "site": site}
    write_overlay(configs, out, tracking=tracking, run_id=run_id, settings=settings)
    kind = "--tracking" if tracking else "a further --config_file"
    print(f"Written; give it to MONAI's launcher as {kind}. It is code: only use one that you made or read.")
