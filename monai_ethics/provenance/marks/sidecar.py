# SPDX-License-Identifier: Apache-2.0
"""Marking files as synthetic, in the file where its format allows it and in a signed sidecar; reading it again."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_ethics.errors import GateError, InputError, SchemaError
from monai_ethics.provenance.images.digest import FileDigests, digest_file
from monai_ethics.provenance.images.read import Marks, is_dicom
from monai_ethics.provenance.keys.key import Signer
from monai_ethics.provenance.log.files.storage import write_atomically
from monai_ethics.provenance.log.tree.canonical import MAX_BYTES, canonical, file_sha256, sha256_hex, strict_loads
from monai_ethics.provenance.marks.statement import source_type, subjects_of
from monai_ethics.provenance.marks.taint import carries_synthetic
from monai_ethics.provenance.signed.envelope import Statement, read_statement, signed_statement

__all__ = [
    "SIDECAR",
    "SIDECAR_SCHEMA",
    "clear_part",
    "read_sidecar",
    "sidecar_marks",
    "sidecar_path",
    "write_least",
    "write_marks",
    "write_sidecar",
]

SIDECAR = ".prov.json"
SIDECAR_SCHEMA = "monai_ethics.sidecar/2"
_EARLIER = "monai_ethics.sidecar/1"
_UNSIGNED = "nobody signed this: it was written without a key"
_MOST_SLICES = 1024


def sidecar_path(path: Path) -> Path:
    """``<file>.prov.json`` beside the file."""
    return path.with_name(path.name + SIDECAR)


def write_marks(
    path: Path,
    record: Mapping[str, Any],
    *,
    voxel_v1: str | None,
    header: bool = True,
    key: Signer | None = None,
    slices: Sequence[str] = (),
) -> tuple[str, ...]:
    """Mark a file and write its sidecar, as far as the folder lets itself be written.

    Args:
        path: the file; it is replaced atomically, its values untouched.
        record: the record with its id.
        voxel_v1: digest of the image.
        header: whether the file itself may be changed; otherwise only the sidecar says it.
        key: signs the statement in the sidecar; without one the sidecar says that nobody signed it.
        slices: `slice_v1` of its slices, so that a verification can tell how many remain of a changed image.

    Returns:
        The layers that now carry the mark: of ``"header"`` and ``"sidecar"``; empty where nothing may be written.
    """
    layers = []
    target = path.resolve()
    try:
        if header and carries_synthetic(str(record["synthetic"])) and _mark_header(target, record, voxel_v1, key):
            layers.append("header")
    except OSError:
        pass
    try:
        digests = replace(digest_file(target, slices=False), slices=tuple(slices))
    except InputError:  # a format that is written, and not read
        digests = FileDigests(file_sha256=file_sha256(target), voxel_v1=voxel_v1, geometry_v1="")
    try:
        write_sidecar(path, record, digests=digests, marks=[*layers, "sidecar"], key=key)
        layers.append("sidecar")
    except OSError:
        pass
    return tuple(layers)


def _mark_header(path: Path, record: Mapping[str, Any], voxel_v1: str | None, key: Signer | None) -> bool:
    """Mark the file itself; ``False`` for a format that holds no mark."""
    name = path.name.lower()
    said = {"synthetic": str(record["synthetic"]), "record": str(record["id"])}
    if name.endswith((".nii", ".nii.gz")):
        from monai_ethics.provenance.marks.nifti import mark_nifti

        return mark_nifti(path, **said, voxel_v1=voxel_v1)
    if name.endswith(".png"):
        from monai_ethics.provenance.marks.png import mark_png

        return mark_png(path, **said, voxel_v1=voxel_v1)
    if name.endswith((".jpg", ".jpeg")):
        from monai_ethics.provenance.marks.jpeg import mark_jpeg

        return mark_jpeg(path, **said, voxel_v1=voxel_v1)
    if name.endswith((".dcm", ".dicom")) or is_dicom(path):
        from monai_ethics.provenance.marks.dicom import mark_dicom

        try:
            mark_dicom(path, record, voxel_v1=voxel_v1, key=key)
        except GateError:  # it says SyntheticData NO: that stays for the guard to see, as a conflict
            return False
        return True
    return False


def write_sidecar(
    path: Path, record: Mapping[str, Any], *, digests: FileDigests, marks: Sequence[str], key: Signer | None
) -> None:
    """Write the sidecar of a file as it is now.

    Args:
        path: the file.
        record: the record with its id.
        digests: of the marked file.
        marks: layers that carry the mark.
        key: signs the statement.

    Raises:
        OSError: if the folder cannot be written.
    """
    subjects = subjects_of(digests, file=True)
    stated: dict[str, Any] = {"marks": list(marks), "digital_source_type": source_type(str(record.get("synthetic")))}
    if digests.marks.layers:
        stated["layers"] = {name: dict(said) for name, said in digests.marks.layers.items()}
    if digests.marks.statement is not None:
        stated["embedded"] = sha256_hex(digests.marks.statement.encode())
    if 0 < len(digests.slices) <= _MOST_SLICES:
        stated["slices"] = list(digests.slices)
    sidecar = _clear(record, subjects=subjects, stated=stated)
    if key is None:
        sidecar |= {"statement": None, "unsigned": _UNSIGNED}
    else:
        stated["key"] = key.storage
        sidecar["statement"] = signed_statement(record, subjects=subjects, key=key, stated=stated)
    write_atomically(sidecar_path(path), canonical(sidecar) + b"\n")


def write_least(path: Path, synthetic: str) -> None:
    """Say the least that can be said of a file of any format: its state and its bytes, signed by nobody.

    Raises:
        OSError: if the folder cannot be written.
    """
    said = {"synthetic": synthetic, "sha256": file_sha256(path), "marks": ["sidecar"], "unsigned": _UNSIGNED}
    write_atomically(sidecar_path(path), canonical({"schema": SIDECAR_SCHEMA, "statement": None, **said}) + b"\n")


def _clear(
    record: Mapping[str, Any], *, subjects: Mapping[str, Mapping[str, str]], stated: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "schema": SIDECAR_SCHEMA,
        "synthetic": record.get("synthetic"),
        "digital_source_type": stated.get("digital_source_type"),
        "voxel_v1": subjects.get("image", {}).get("voxel_v1"),
        "sha256": subjects.get("file", {}).get("sha256"),
        "marks": stated.get("marks"),
        "record": dict(record),
    }


def clear_part(statement: Statement) -> dict[str, Any]:
    """What the sidecar says in the clear, as its signed statement has it."""
    return _clear(statement.record, subjects=statement.subjects, stated=statement.stated)


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """The sidecar of a file; ``None`` where there is none.

    Raises:
        SchemaError: if it is no sidecar of a version that is known.
    """
    try:
        data = strict_loads(_bytes_of(sidecar_path(path)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SchemaError("Expected a sidecar that can be read: got a folder, or no permission.") from error
    if not isinstance(data, dict) or data.get("schema") not in (SIDECAR_SCHEMA, _EARLIER):
        raise SchemaError("Expected a sidecar of a known version: got another document. It was edited.")
    return data


def _bytes_of(path: Path) -> bytes:
    """The bytes of a plain file, of a longer one as many as show that it is none; a pipe or a device is not read."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise SchemaError("Expected a sidecar that is a plain file: got a pipe or a device. Remove it.")
        return file.read(MAX_BYTES + 1)


def sidecar_marks(path: Path, digests: FileDigests) -> Marks:
    """What the sidecar says of a file; the file's own marks come first where they say that it is synthetic.

    A sidecar that belongs to other bytes and other voxels says that the file was derived from what it describes.
    """
    if carries_synthetic(digests.marks.synthetic):
        return digests.marks
    try:
        data = read_sidecar(path)
    except SchemaError:
        return digests.marks
    said = _said(data or {})
    if data is None or said is None:
        return digests.marks
    same = data.get("sha256") == digests.file_sha256 or data.get("voxel_v1") == (digests.voxel_v1 or "")
    record = data.get("record")
    identity = record.get("id") if isinstance(record, dict) else None
    denied = digests.marks.synthetic == "no"
    return replace(
        digests.marks,
        synthetic=said,
        record=identity if isinstance(identity, str) else None,
        voxel_v1=digests.voxel_v1 if same else "of another image",
        contradiction="says that it is not synthetic, but its sidecar does" if denied and same else "",
    )


def _said(data: Mapping[str, Any]) -> str | None:
    """``"yes"`` or ``"partial"`` if the sidecar says so in the clear or, where that was edited, in its statement."""
    words = [data.get("synthetic")]
    with contextlib.suppress(KeyError, SchemaError):
        words.append(read_statement(data["statement"]).record.get("synthetic"))
    known = {True: "yes", "yes": "yes", "partial": "partial"}
    return next((known[word] for word in words if isinstance(word, (str, bool)) and word in known), None)
