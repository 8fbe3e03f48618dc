# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics guard`: refuse synthetic images where acquired ones are meant."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monai_ethics.cli._positions import HINT, Names, check_names, write_names

if TYPE_CHECKING:
    from monai_ethics.provenance.registry.guard import GuardResult

__all__ = ["command"]

_SHOWN = 20


def command(
    paths: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    policy: Annotated[str, typer.Option(help="deny-list or allow-list.")],
    evidence: Annotated[Path | None, typer.Option(help="Evidence folder with registered digests.")] = None,
    site: Annotated[
        Path | None, typer.Option(envvar="MONAI_ETHICS_SITE", help="Site log with registered digests; or both.")
    ] = None,
    trust: Annotated[list[str] | None, typer.Option(help="Key that must have signed the registries.")] = None,
    names: Names = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> int:
    """Judge images by their marks and registered digests; exits with 1 if one is refused."""
    from monai_ethics.provenance.keys.trusted import read_trusted
    from monai_ethics.provenance.registry.guard import admit

    check_names(names)
    result = admit(paths, evidence, policy, site=site, trusted=read_trusted(trust or []))
    write_names(names, paths)
    if as_json:
        print(json.dumps(result.to_dict(), indent=1))
        return 0 if result.passed else 1
    _tell(result, policy)
    return 0 if result.passed else 1


def _tell(result: GuardResult, policy: str) -> None:
    counts = Counter(row.kind for row in result.rows)
    print(", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())))
    for position in result.refused[:_SHOWN]:
        row = result.rows[position - 1]
        print(f"refused {position} ({row.item}): {row.kind}: {row.why}")
    if len(result.refused) > _SHOWN:
        print(f"... and {len(result.refused) - _SHOWN} more; --json lists all")
    for position, row in [pair for pair in enumerate(result.rows, start=1) if pair[1].kind == "near-copy"][:_SHOWN]:
        if not row.refused:
            print(f"review {position} ({row.item}): {row.kind}: {row.why}")
    if result.refused or counts["near-copy"]:
        print(HINT)
    print("; ".join(result.notes))
    if any("intact-signer-unknown" in note for note in result.notes):
        print("Nothing says whose key signed what was asked: give --trust with the public key of who registers.")
    print(f"{'passed: ' if result.passed else ''}{len(result.refused)} of {len(result.rows)} refused under {policy}")
    if policy == "allow-list":
        print("Attested means that somebody registered the image as acquired: that it was is not visible here.")
    else:
        print("No match shows that an image is real: it shows that no registry asked here knows it as synthetic.")
