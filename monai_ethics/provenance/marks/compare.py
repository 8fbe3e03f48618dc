# SPDX-License-Identifier: Apache-2.0
"""A file, its marks and its sidecar compared, field by field, with the signed statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monai_ethics.provenance.images.digest import FileDigests, compare_attrs
from monai_ethics.provenance.log.tree.canonical import canonical, sha256_hex
from monai_ethics.provenance.marks.sidecar import clear_part
from monai_ethics.provenance.signed.envelope import Statement

__all__ = ["CHANGED", "compare_clear", "compare_file", "compare_layers"]

KEPT, ALTERED, REMOVED, ADDED = "kept", "changed", "removed", "added"
UNKNOWN = "not comparable"
CHANGED = (ALTERED, REMOVED, ADDED)
_ABSENT = object()


def compare_file(digests: FileDigests, statement: Statement) -> dict[str, str]:
    """``file``, ``values``, ``geometry``, ``attribute.<keyword>`` and ``mark.<place>...``: what became of each.

    Args:
        digests: of the file as it is now.
        statement: the signed statement.

    Returns:
        For each field ``"kept"``, ``"changed"``, ``"removed"``, ``"added"``, or ``"not comparable"`` for the values
        of a constant image, which has no digest.
    """
    image, file = (statement.subjects.get(name, {}) for name in ("image", "file"))
    found = {}
    if "sha256" in file:
        found["file"] = _same(file["sha256"], digests.file_sha256)
    if image or "sha256" not in file:
        found["values"] = _values(image.get("voxel_v1"), digests.voxel_v1, found.get("file"))
    if "geometry_v1" in image:
        found["geometry"] = _same(image["geometry_v1"], digests.geometry_v1)
    if "attributes" in statement.subjects:
        now = {name: digest for name, digest in digests.attrs_v1.items() if name != "PatientIdentity"}
        compared = compare_attrs(statement.subjects["attributes"], now)
        found |= {f"attribute.{name}": state for name, state in compared.items()}
    if "embedded" in statement.stated:
        now_inside = digests.marks.statement
        inside = None if now_inside is None else sha256_hex(now_inside.encode())
        found["mark.statement"] = REMOVED if inside is None else _same(str(statement.stated["embedded"]), inside)
    return found | compare_layers(_expected(statement, digests), digests.marks.layers)


def _same(before: str, after: str) -> str:
    return KEPT if before == after else ALTERED


def _values(before: str | None, after: str | None, file: str | None) -> str:
    if before is None and after is None:
        return KEPT if file == KEPT else UNKNOWN
    return _same(str(before), str(after))


def _expected(statement: Statement, digests: FileDigests) -> Mapping[str, Mapping[str, str]]:
    """What each place of the file said when it was signed."""
    stated = statement.stated.get("layers")
    if isinstance(stated, Mapping) or "file" in statement.subjects:
        return stated if isinstance(stated, Mapping) else {}
    # a statement that lies in the file itself was signed before the mark beside it was written
    record = statement.record
    said = {"synthetic": record.get("synthetic"), "record": record.get("id")}
    said["voxel_v1"] = statement.subjects.get("image", {}).get("voxel_v1")
    return {name: {part: text for part, text in said.items() if text} for name in digests.marks.layers}


def compare_layers(before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Each field of each place; a place that is gone, or is new, as a whole."""
    found = {}
    for place in sorted({*before, *after}):
        if place not in after or place not in before:
            found[f"mark.{place}"] = REMOVED if place in before else ADDED
            continue
        said = before[place] if isinstance(before[place], Mapping) else {"form": before[place]}  # anybody can sign that
        fields = {name: str(text) for name, text in said.items()}
        found |= {f"mark.{place}.{name}": state for name, state in compare_attrs(fields, after[place]).items()}
    return found


def compare_clear(sidecar: Mapping[str, Any], statement: Statement) -> dict[str, str]:
    """``sidecar.<field>``: what the sidecar says in the clear, against its statement."""
    signed = {**clear_part(statement), "statement": None}

    def judge(name: str) -> str:
        before, after = signed.get(name, _ABSENT), sidecar.get(name, _ABSENT)
        if before is _ABSENT or after is _ABSENT:
            return ADDED if before is _ABSENT else REMOVED
        return KEPT if name == "statement" or canonical(before) == canonical(after) else ALTERED

    return {f"sidecar.{name}": judge(name) for name in sorted({*signed, *sidecar}) if name != "statement"}
