# SPDX-License-Identifier: Apache-2.0
"""The formats by name, and the entry that an export leaves in the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.provenance.exports.bids import bids_description
from monai_ethics.provenance.exports.croissant import croissant
from monai_ethics.provenance.exports.cyclonedx import cyclonedx
from monai_ethics.provenance.exports.material import Material, Told
from monai_ethics.provenance.exports.prov_json import prov_json
from monai_ethics.provenance.exports.ro_crate import ro_crate
from monai_ethics.provenance.log.tree.canonical import sha256_hex
from monai_ethics.provenance.log.writing.site import open_site

__all__ = ["FORMATS", "log_export", "target_of"]

#: format to what makes it and the name that its readers look for
FORMATS: Mapping[str, tuple[Callable[[Material, Told], dict[str, Any]], str]] = {
    "prov-json": (prov_json, "prov.json"),
    "ro-crate": (ro_crate, "ro-crate-metadata.json"),
    "croissant": (croissant, "croissant.json"),
    "cyclonedx": (cyclonedx, "bom.cdx.json"),
    "bids": (bids_description, "dataset_description.json"),
}


def target_of(out: Path, name: str) -> Path:
    """The file to write: `out`, or the usual name where `out` is a folder.

    Raises:
        InputError: if it exists, or its folder does not.
    """
    path = out / name if out.is_dir() else out
    if path.is_symlink() or path.exists():
        raise InputError("Expected `--out` to name a new file: got one that exists. Give another name, or remove it.")
    if not path.parent.is_dir():
        raise InputError("Expected `--out` in a folder that exists: got none. Make the folder first.")
    return path


def log_export(folder: Path, *, form: str, data: bytes) -> str:
    """Append an entry `export` with format, SHA-256 and size; returns the fingerprint of the new head.

    Args:
        folder: the evidence folder; another writer is waited for.
        form: name of the format.
        data: the exported bytes.

    Raises:
        InputError: if the folder cannot be written.
        ProvenanceError: if what it holds is not intact.
    """
    with open_site(folder, run_id="export", is_site=False) as log:
        log.append("export", {"format": form, "sha256": sha256_hex(data), "size": len(data)})
        return log.seal().fingerprint
