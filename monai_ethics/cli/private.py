# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics private`: what the private part of an evidence folder holds, and one of its payloads to read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from monai_ethics.errors import InputError

__all__ = ["command"]

READ_BY_OWNER = 0o600


def command(
    evidence: Annotated[Path, typer.Argument(help="Evidence folder of a run.")],
    kind: Annotated[str | None, typer.Argument(help="Kind to write out, such as cases; a list if absent.")] = None,
    run_id: Annotated[
        str | None, typer.Option(help="Only this run; of several payloads the newest is written.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="New file for the payload; standard output if absent.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON for machines.")] = False,
) -> None:
    """List the private part of evidence, or write a payload out: the table to fill, per-case scores, file names."""
    from monai_ethics.provenance.log.files.storage import write_atomically
    from monai_ethics.provenance.log.reading.entries import read_private
    from monai_ethics.provenance.log.verifying.verify import as_signed
    from monai_ethics.provenance.log.writing.relied import relied_on

    if kind is None:
        _list(evidence, run_id, as_json=as_json)
        return
    found = read_private(evidence, kind, run_id, under=relied_on(evidence, as_signed(evidence)))
    if not found:
        raise InputError(
            "Expected a private payload of this kind: got none, or it is absent. List them without a kind."
        )
    payload = found[-1][1]
    if out is None:
        _show(payload.decode("utf-8", "backslashreplace"))
        return
    try:
        write_atomically(out, payload, mode=READ_BY_OWNER, replace=False)
    except FileExistsError as error:
        raise InputError("Expected a new file for `--out`: got one that exists. Name another one.") from error


def _show(text: str) -> None:
    """As it is to a file or another program; to a terminal without what it would obey."""
    from monai_ethics.reporting.escape import for_terminal

    if sys.stdout.isatty():
        text = "\n".join("\t".join(map(for_terminal, line.split("\t"))) for line in text.split("\n"))
    sys.stdout.write(text)


def _list(evidence: Path, run_id: str | None, *, as_json: bool) -> None:
    from monai_ethics.provenance.log.files.payload import read_payload
    from monai_ethics.provenance.log.reading.entries import iter_entries
    from monai_ethics.reporting.escape import for_terminal

    rows = []
    for entry in iter_entries(evidence):
        if entry.kind == "payload" and run_id in (None, entry.run_id):
            kept = read_payload(evidence, str(entry.body.get("commitment"))) is not None
            rows.append({"run": entry.run_id, "kind": str(entry.body.get("kind")), "kept": kept})
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(for_terminal(f"{row['kind']:14} {'kept' if row['kept'] else 'absent':8} {row['run']}"))
    if not rows:
        print("The evidence has no private payloads.")
