# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics sign-model`: sign the folder of a model in the OpenSSF format, or check such a signature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from monai_ethics.errors import InputError

__all__ = ["command"]


def command(
    folder: Annotated[Path, typer.Argument(help="Folder of the model or bundle.")],
    out: Annotated[Path | None, typer.Option(help="Where to write the signature.")] = None,
    check: Annotated[Path | None, typer.Option(help="A signature to check instead.")] = None,
    key: Annotated[
        Path | None, typer.Option("--key", "--trust", help="With --check: the signer's public key (PEM).")
    ] = None,
    evidence: Annotated[Path | None, typer.Option(help="With --out: evidence that records the release.")] = None,
    site: Annotated[
        Path | None, typer.Option(envvar="MONAI_ETHICS_SITE", help="Site log: asked as well, and witness.")
    ] = None,
    intended_use: Annotated[str, typer.Option(help="With --evidence: what the model is meant for.")] = "",
    spdx: Annotated[str, typer.Option("--license", help="With --evidence: SPDX expression of the weights.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> int:
    """Sign a model's folder so that `model_signing verify key` accepts it; with --check, verify (exit 1 if changed)."""
    if (out is None) == (check is None):
        raise InputError("Expected one of --out and --check: got both or none. Give the file of the signature.")
    if out is None:
        return _check(folder, check, key, as_json=as_json)
    told = _sign(folder, out)
    if evidence is not None:
        told |= _release(folder, out, evidence, site=site, fields={"intended_use": intended_use, "spdx": spdx})
    if as_json:
        print(json.dumps(told))
        return 0
    print(f"Signed {told['files']} files, digest {told['sha256']}.")
    print("Give ecdsa-p256.pub.pem of your key home to whoever checks it.")
    if evidence is not None:
        wrote = ", ".join(told["trainings"]) or "none that a given log knows"
        print(f"Release recorded as {told['record']}; trainings that wrote its weights: {wrote}.")
    return 0


def _release(folder: Path, out: Path, evidence: Path, *, site: Path | None, fields: dict[str, str]) -> dict[str, Any]:
    from monai_ethics.provenance.log.reading.entries import raw_lines
    from monai_ethics.provenance.log.tree.canonical import file_sha256
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.provenance.registry.release import record_release
    from monai_ethics.provenance.signed.manifest import manifest_of

    for place in (evidence, *([site] if site is not None else [])):
        next(raw_lines(place), None)  # a folder that is no evidence is not made one
    with EvidenceLog.open(evidence, run_id="release", site=site) as log:
        released = record_release(
            manifest_of(folder, leave_out=[out]),
            log,
            signature_sha256=file_sha256(out),
            folders=[site] if site is not None else [],
            **fields,
        )
    return {"record": released.record, "trainings": list(released.trainings), "synthetic": released.synthetic}


def _sign(folder: Path, out: Path) -> dict[str, Any]:
    from monai_ethics.provenance.log.files.storage import write_atomically
    from monai_ethics.provenance.signed.manifest import load_or_create_ec_key, manifest_of, sign_manifest

    statement = manifest_of(folder, leave_out=[out])
    try:
        write_atomically(out, sign_manifest(statement, load_or_create_ec_key()))
    except OSError as error:
        raise InputError(
            f"Expected a place for the signature that can be written: got '{error.strerror}'. Choose another."
        ) from error
    return {"files": len(statement["predicate"]["resources"]), "sha256": statement["subject"][0]["digest"]["sha256"]}


def _check(folder: Path, signature: Path | None, key: Path | None, *, as_json: bool) -> int:
    from monai_ethics.provenance.signed.manifest import verify_manifest

    if key is None or signature is None:
        raise InputError("Expected --key with --check: got none. Get the public key from the signer.")
    try:
        result = verify_manifest(folder, signature, key.read_bytes())
    except OSError as error:
        raise InputError(
            f"Expected files that can be read: got '{error.strerror}'. Check --check and --key."
        ) from error
    told = {
        "intact": result.intact,
        "signed": result.signed,
        "files": result.files,
        "changed": list(result.changed),
        "missing": list(result.missing),
        "extra": result.extra,
        "sha256": result.digest,
    }
    if as_json:
        print(json.dumps(told))
    elif result.intact:
        print(f"The folder is what this key signed: {result.files} files, digest {result.digest}.")
    elif not result.signed:
        print("This key did not sign this signature file.")
    else:
        print(
            f"The folder is not what was signed: of {result.files} files {len(result.changed)} changed and "
            f"{len(result.missing)} missing (by position: {[*result.changed, *result.missing]}), {result.extra} extra. "
            "Positions count the files of the signature by path; `model_signing verify key` names them."
        )
    return 0 if result.intact else 1
