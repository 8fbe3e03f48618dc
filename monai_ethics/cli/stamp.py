# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics stamp`: register images as synthetic, or as acquired, and mark the synthetic files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ethics.cli._positions import HINT, Names, check_names, write_names
from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from monai_ethics.provenance.registry.stamp import StampResult

__all__ = ["command"]


def command(
    paths: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Evidence folder that registers them.")],
    synthetic: Annotated[
        bool | None, typer.Option("--synthetic/--real", help="What the images are: generated, or acquired.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="JSON with fields of their record: model, activity ...")] = None,
    site: Annotated[
        Path | None, typer.Option(envvar="MONAI_ETHICS_SITE", help="Site log: asked as well, and witness.")
    ] = None,
    names: Names = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> int:
    """Register images by their digests and mark synthetic files; exits with 1 if one is registered as the contrary."""
    if synthetic is None:
        raise InputError("Expected `--synthetic` or `--real`: got neither. Say what the images are.")
    from monai_ethics.provenance.images.listing import digests_of, image_files
    from monai_ethics.provenance.log.reading.entries import raw_lines
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.provenance.registry.stamp import check_template, stamp_files

    check_names(names)
    default = "yes" if synthetic else "no"
    template = _template(record, synthetic)
    check_template(template, str(template.get("synthetic", default)))
    files = image_files(paths)
    found = digests_of(files)  # all is read before the folder is created
    if site is not None:
        next(raw_lines(site), None)  # what is no log is not made one by its first witness
    with EvidenceLog.open(out, run_id="stamp", site=site) as log:
        result = stamp_files(files, log, record=template, synthetic=default, site=site, digests=found)
        head = log.seal().fingerprint
    write_names(names, paths)
    if as_json:
        rows = [{"item": i.item, "record": i.record, "marks": i.marks, "already": i.already} for i in result.items]
        print(json.dumps({"items": rows, "refused": result.refused, "head": head}, indent=1))
    elif result.refused:
        print(f"refused: {result.finding.statement if result.finding else ''}")
        print(f"positions: {', '.join(map(str, result.refused))}\n{HINT}")
        print(f"Nothing was stamped; the log holds the refusal.\nhead {head}")
    else:
        _tell(result, synthetic=synthetic, head=head)
    return 1 if result.refused else 0


def _tell(result: StampResult, *, synthetic: bool, head: str) -> None:
    headers = sum("header" in item.marks for item in result.items)
    sidecars = sum("sidecar" in item.marks for item in result.items)
    known = sum(item.already for item in result.items)
    said = "synthetic" if synthetic else "acquired"
    print(f"{len(result.items)} images registered as {said}, {known} of them before")
    if synthetic:
        print(f"marked: {headers} headers, {sidecars} sidecars; marks that were there already are left")
    else:
        print("acquired images are registered and not changed: their digests stay in the private part")
    print(f"This is what you said of the images; nothing here looked whether it is so.\nhead {head}")


def _template(path: Path | None, synthetic: bool) -> dict[str, Any]:
    if path is None:
        return {}
    from monai_ethics.provenance.log.tree.canonical import strict_loads

    template = strict_loads(path.read_bytes())
    if not isinstance(template, dict):
        raise InputError("Expected `--record` to be a JSON object: got another value. Give the fields of a record.")
    allowed = ("yes", "partial") if synthetic else ("no",)
    if template.get("synthetic", allowed[0]) not in allowed:
        raise InputError(
            "Expected the record to say the same as the command: `synthetic` differs. Correct one of them."
        )
    return template
