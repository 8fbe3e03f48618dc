# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics verify`: whether evidence, or a marked file, is what was signed, by whom, and what cannot be seen."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from monai_ethics.cli._positions import HINT, Names, check_names, write_names
from monai_ethics.errors import InputError

__all__ = ["command"]


def command(
    paths: Annotated[list[Path], typer.Argument(help="The evidence folder; or marked images, or folders of them.")],
    trust: Annotated[list[str] | None, typer.Option(help="Public key file or fingerprint; may be repeated.")] = None,
    expect_head: Annotated[str | None, typer.Option(help="Fingerprint of a head that you kept.")] = None,
    site: Annotated[
        Path | None, typer.Option(envvar="MONAI_ETHICS_SITE", help="Site log, which witnessed heads and revoked keys.")
    ] = None,
    evidence: Annotated[Path | None, typer.Option(help="With images: the evidence they were stamped under.")] = None,
    names: Names = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> int:
    """Verify an evidence folder, or marked files with their sidecars; exits with 1 for every fault."""
    from monai_ethics.provenance.keys.trusted import read_trusted

    trusted = read_trusted(trust or [])
    _require_a_folder(paths)
    if len(paths) == 1 and not paths[0].exists():
        raise InputError("Expected evidence, or marked images: the path does not exist. Check its spelling.")
    if _is_evidence(paths):
        if evidence is not None:
            raise InputError("Expected images with --evidence: got an evidence folder. Leave the option out.")
        if names is not None:
            raise InputError("Expected images with --names: got an evidence folder. Leave the option out.")
        return _evidence(paths[0], trusted, expect_head=expect_head, site=site, as_json=as_json)
    if expect_head is not None:
        raise InputError("Expected one evidence folder with --expect-head: got images. Leave the option out.")
    from monai_ethics.provenance.log.reading.entries import LOG_NAME

    by_hand = site is not None and os.environ.get("MONAI_ETHICS_SITE") != str(site)
    if by_hand and evidence is None and len(paths) == 1 and paths[0].is_dir():  # evidence may have stood there
        raise InputError(
            "Expected one evidence folder with --site: got a folder of images. "
            "Name the images themselves, or give --evidence too."
        )
    check_names(names)
    if site is not None and not by_hand and not (site / LOG_NAME).exists():
        site = None  # what is always there may not have begun yet: it revoked nothing
    code = _files(paths, trusted, evidence=evidence, site=site, as_json=as_json)
    write_names(names, paths)
    return code


def _require_a_folder(paths: Sequence[Path]) -> None:
    """Evidence is verified one folder at a time, and as a whole."""
    from monai_ethics.provenance.log.reading.entries import LOG_NAME
    from monai_ethics.provenance.log.tree.head import HEAD_NAME
    from monai_ethics.provenance.log.verifying.contents import REPORT_NAMES

    if len(paths) > 1 and all((path / LOG_NAME).exists() for path in paths):
        raise InputError("Expected one evidence folder: got several. Verify them one by one.")
    if any(path.name in (LOG_NAME, HEAD_NAME, *REPORT_NAMES) and path.is_file() for path in paths):
        raise InputError("Expected an evidence folder: got a file of one. Give the folder.")


def _is_evidence(paths: Sequence[Path]) -> bool:
    """Whether the words name an evidence folder, or what may have been one: a folder without any image."""
    if len(paths) != 1 or paths[0].is_file():
        return False
    from monai_ethics.provenance.log.reading.entries import LOG_NAME
    from monai_ethics.provenance.log.tree.head import HEAD_NAME

    folder = paths[0]
    if (folder / LOG_NAME).exists() or (folder / HEAD_NAME).exists() or not folder.is_dir():
        return True
    from monai_ethics.provenance.images.listing import image_files

    try:
        return not image_files(paths)
    except InputError:
        return True


def _evidence(
    folder: Path, trusted: Sequence[bytes], *, expect_head: str | None, site: Path | None, as_json: bool
) -> int:
    from monai_ethics.provenance.log.verifying.verify import verify_evidence

    result = verify_evidence(folder, trusted=trusted, expect_head=expect_head, site=site)
    if as_json:
        print(json.dumps(result.to_dict(), indent=1))
    else:
        print(result.text)
        print(f"entries {result.entries}, sealed {result.sealed}, runs {result.runs}")
        signer = result.signer if result.sealed else "none: no signature holds"
        print(f"head {result.head or 'none'}\nsigner {signer}")
        if result.site_head is not None:
            print(f"site head {result.site_head}")
    return 0 if result.intact else 1


def _files(
    paths: Sequence[Path], trusted: Sequence[bytes], *, evidence: Path | None, site: Path | None, as_json: bool
) -> int:
    from monai_ethics.provenance.marks.verify import verify_marked

    found = verify_marked(paths, trusted=trusted, evidence=evidence, site=site)
    print(json.dumps(found.to_dict(), indent=1) if as_json else found.text)
    if not as_json and not found.intact:
        print(HINT)
    return 0 if found.intact else 1
