# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics verify`: whether an evidence folder is what was signed, by whom, and what cannot be seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    evidence: Annotated[Path, typer.Argument(help="The evidence folder.")],
    trust: Annotated[list[str] | None, typer.Option(help="Public key file or fingerprint; may be repeated.")] = None,
    expect_head: Annotated[str | None, typer.Option(help="Fingerprint of a head that you kept.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> int:
    """Verify an evidence folder; exits with 1 if it is stale, torn, altered or signed by a wrong key."""
    from monai_ethics.provenance.log.keys import read_trusted
    from monai_ethics.provenance.log.verify import verify_evidence

    result = verify_evidence(evidence, trusted=read_trusted(trust or []), expect_head=expect_head)
    if as_json:
        print(json.dumps(result.to_dict(), indent=1))
    else:
        print(result.text)
        print(f"entries {result.entries}, sealed {result.sealed}, runs {result.runs}")
        print(f"head {result.head}\nsigner {result.signer}")
    return 0 if result.intact else 1
