# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics export`: the provenance of an evidence folder in a format that others read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from monai_ethics.provenance.exports.material import Material, Told

__all__ = ["command"]


def command(
    evidence: Annotated[Path, typer.Argument(help="Evidence folder.")],
    out: Annotated[Path, typer.Option(help="New file, or a folder for the usual name; with --public a new folder.")],
    format_: Annotated[str, typer.Option("--format", help="prov-json, ro-crate, croissant, cyclonedx or bids.")] = "",
    public: Annotated[
        bool, typer.Option("--public", help="Write a copy of the evidence that may be published.")
    ] = False,
    min_cell: Annotated[int, typer.Option(help="public: smallest count that is shown, but for 0.")] = 11,
    run_id: Annotated[str | None, typer.Option(help="public: findings of this run only.")] = None,
    name: Annotated[str, typer.Option(help="Name of the data set, model or collection.")] = "",
    license_: Annotated[str, typer.Option("--license", help="SPDX expression; that of the records if absent.")] = "",
    creator: Annotated[str, typer.Option(help="Who gives it out.")] = "",
    url: Annotated[str, typer.Option(help="Where it will be found.")] = "",
    version: Annotated[str, typer.Option(help="Version of what is described.")] = "",
    about: Annotated[str, typer.Option(help="croissant: synthetic or training.")] = "",
    files: Annotated[list[Path] | None, typer.Option(help="croissant: synthetic files that are handed on.")] = None,
    image: Annotated[Path | None, typer.Option(help="bids: the sidecar of this image instead.")] = None,
    trust: Annotated[list[str] | None, typer.Option(help="Key that must have signed the log.")] = None,
    log: Annotated[bool, typer.Option("--log/--no-log", help="Record the digest of the export in the log.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Write provenance for others; pseudonyms, names of files and private payloads stay. Altered evidence: exit 1."""
    from monai_ethics.provenance.exports.formats import FORMATS, log_export, target_of
    from monai_ethics.provenance.exports.material import Told, as_bytes, read_material
    from monai_ethics.provenance.exports.shared import shared_files
    from monai_ethics.provenance.keys.trusted import read_trusted
    from monai_ethics.provenance.log.tree.canonical import sha256_hex

    if public:
        _public(evidence, out, format_=format_, least=min_cell, run_id=run_id, trust=trust, as_json=as_json)
        return
    _check(format_, known=list(FORMATS), about=about, files=files, image=image)
    path = target_of(out, FORMATS[format_][1] if image is None else "image.json")
    material = read_material(evidence, trusted=read_trusted(trust or []))
    shared = shared_files(files, material) if files else ()
    told = Told(name=name, license=license_, creator=creator, url=url, version=version, files=shared)
    data = as_bytes(_document(format_, material, told, about=about, image=image))
    _write(path, data)
    head = log_export(evidence, form=format_, data=data) if log else None
    result = {"format": format_, "sha256": sha256_hex(data), "bytes": len(data), "left_out": dict(material.left_out),
              "marking_layers": material.layers, "head": head}  # fmt: skip
    if as_json:
        print(json.dumps(result, indent=1, sort_keys=True))
        return
    print(f"{format_}: {len(material.made)} records, {len(data):,} bytes, SHA-256 {result['sha256']}")
    for line in (*material.layers_told, material.left_out_told):
        if line:
            print(line)
    if head:
        print(f"Sealed; keep this fingerprint elsewhere: {head}")


def _check(format_: str, *, known: list[str], about: str, files: list[Path] | None, image: Path | None) -> None:
    if format_ not in known:
        got = "another" if format_ else "none"
        raise InputError(f"`--format` must be one of {', '.join(known)}: got {got}. Choose one, or give `--public`.")
    if (about or files) and format_ != "croissant":
        raise InputError("Expected `--about` and `--files` with croissant: got another format. Leave them out.")
    if image is not None and format_ != "bids":
        raise InputError("Expected `--image` with bids: got another format. Leave it out.")


def _public(
    evidence: Path,
    out: Path,
    *,
    format_: str,
    least: int,
    run_id: str | None,
    trust: list[str] | None,
    as_json: bool,
) -> None:
    from monai_ethics.cli._public import publish
    from monai_ethics.provenance.keys.trusted import read_trusted

    if format_:
        raise InputError("Expected `--public` without `--format`: got both. Run them one after the other.")
    result = publish(evidence, out, least=least, run_id=run_id, trusted=read_trusted(trust or []))
    if as_json:
        print(json.dumps(result, indent=1, sort_keys=True))
        return
    left = result["left_out"]
    shown, hidden = result["shown"], left["estimates"]
    print(
        f"Public copy: {shown} numbers are shown, {hidden} are hidden, because they tell, or help to work out, a count"
    )
    print(f"of 1 to {least - 1}.")
    print("Read the report before you give the folder to anybody: no rule knows what else is known of these people.")
    print(f"Sealed; keep this fingerprint elsewhere: {result['head']}")


def _document(format_: str, material: Material, told: Told, *, about: str, image: Path | None) -> dict[str, Any]:
    from monai_ethics.provenance.exports.bids import bids_sidecar
    from monai_ethics.provenance.exports.croissant import croissant
    from monai_ethics.provenance.exports.formats import FORMATS
    from monai_ethics.provenance.exports.shared import image_of

    if image is not None:
        return bids_sidecar(material, image_of(image, material))
    if format_ == "croissant":
        return croissant(material, told, about=about)
    return FORMATS[format_][0](material, told)


def _write(path: Path, data: bytes) -> None:
    from monai_ethics.provenance.log.files.storage import write_atomically

    try:
        write_atomically(path, data, replace=False)
    except FileExistsError as error:
        raise InputError("Expected `--out` to name a new file: got one that exists. Give another name.") from error
    except OSError as error:
        raise InputError(
            f"Expected a place for the export that can be written: got '{error.strerror}'. Choose another."
        ) from error
