# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics watermark`: a faint keyed pattern in synthetic images, and looking for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["group"]

group = typer.Typer(no_args_is_help=True, help="Put a faint keyed pattern into synthetic images, or look for it.")

Paths = Annotated[list[Path], typer.Argument(help="NIfTI or NumPy files, or folders of them.")]
Key = Annotated[Path | None, typer.Option(help="Watermark key; that of the key home if absent.")]
Device = Annotated[str, typer.Option(help="Where to compute, such as cuda.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def _key(path: Path | None) -> bytes:
    from monai_ethics.provenance.watermark.keys import read_key, watermark_key

    return watermark_key() if path is None else read_key(path)


@group.command("embed")
def embed(
    paths: Paths,
    out: Annotated[Path, typer.Option(help="New folder for the copies.")],
    evidence: Annotated[Path, typer.Option(help="Evidence that registers the copies.")],
    strength: Annotated[float, typer.Option(help="Amplitude over the noise of each image, at most 0.25.")] = 0.25,
    site: Annotated[
        Path | None, typer.Option(envvar="MONAI_ETHICS_SITE", help="Site log: asked as well, and witness.")
    ] = None,
    key: Key = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> int:
    """Write watermarked copies of images that are known to be synthetic. Audit before: the pattern weighs on audits."""
    from monai_ethics.provenance.log.reading.entries import raw_lines
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.provenance.watermark.files import watermark_files

    for place in (evidence, *([site] if site is not None else [])):
        next(raw_lines(place), None)  # a folder that is no evidence is not made one
    secret = _key(key)
    with EvidenceLog.open(evidence, run_id="watermark", site=site) as log:
        made = watermark_files(paths, out, log, key=secret, strength=strength, site=site, device=device)
    if as_json:
        rows = [{"record": one.record, "amplitude": one.amplitude, "noise": one.noise} for one in made]
        print(json.dumps(rows, indent=1))
    else:
        print(f"{len(made)} watermarked copies written, marked and registered")
    return 0


@group.command("detect")
def detect(
    paths: Paths,
    key: Key = None,
    significance: Annotated[float, typer.Option(help="Chance of a false alarm for each image.")] = 1e-3,
    device: Device = "cpu",
    as_json: Json = False,
) -> int:
    """Say for each image whether the key's pattern shows. One that does not show was never there, or was lost."""
    from monai_ethics.provenance.watermark.files import detect_in_files

    found = detect_in_files(paths, key=_key(key), device=device)
    rows = [
        {"position": place, "found": one.found(significance=significance), "z": one.z, "p_value": one.p_value}
        for place, one in enumerate(found, start=1)
    ]
    if as_json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        print(
            f"{row['position']}: {'found' if row['found'] else 'not found'} (z {row['z']:.1f}, p {row['p_value']:.1g})"
        )
    print(f"{sum(bool(row['found']) for row in rows)} of {len(rows)} show the pattern of this key")
    return 0
