# SPDX-License-Identifier: Apache-2.0
"""Private payloads of a run: per-case scores, the table to fill with attributes, the case map, the list of items."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monai_ethics.handlers._ledger import Ledger
    from monai_ethics.handlers._sweep import OutputFile
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["case_template", "store_cases", "store_items", "store_scores"]

JSON = "application/json"
TSV = "text/tab-separated-values"


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, sort_keys=True).encode()


def store_scores(log: EvidenceLog, ledger: Ledger) -> None:
    """Keep every table of scores and of labels, so that groups can be compared later without inference."""
    for kind, tables in (("scores", ledger.tables()), ("labels", ledger.labels())):
        if tables:
            log.put_private(kind, _json([table.to_dict() for table in tables]), media_type=JSON)


def store_cases(log: EvidenceLog, ledger: Ledger) -> None:
    """Keep the table that a user fills with attributes, and the pseudonym of each case."""
    patients: dict[str, str] = {}
    attributes: dict[str, dict[str, str | None]] = {}
    for notes in ledger.engines.values():
        if notes.scores is None or notes.training:
            continue
        patients.update(zip(notes.scores.cases, notes.scores.patients, strict=True))
        for name, labels in notes.scores.attributes.items():
            attributes.setdefault(name, {}).update(zip(notes.scores.cases, labels, strict=True))
    if patients:
        log.put_private("cases", case_template(patients, attributes), media_type=TSV)
        names = {log.pseudonym("case", case): case for case in patients}
        log.put_private("case_map", _json(names), media_type=JSON)


def case_template(patients: Mapping[str, str], attributes: Mapping[str, Mapping[str, str | None]]) -> bytes:
    """A TSV with `case`, `patient` and the attributes known so far; empty where a label is not recorded."""
    names = sorted(attributes)
    lines = ["\t".join(["case", "patient", *names])]
    for case in sorted(patients):
        labels = [attributes[name].get(case) or "" for name in names]
        lines.append("\t".join(_cell(text) for text in (case, patients[case], *labels)))
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")  # file names may be of broken UTF-8


def _cell(text: str) -> str:
    return " ".join(text.split()) if any(c in text for c in "\t\r\n") else text


def store_items(log: EvidenceLog, items: Sequence[Mapping[str, Any]], files: Sequence[OutputFile]) -> None:
    """Keep names and digests of the files that were read and written."""
    if items or files:
        read = [{**item, "item": log.pseudonym("file", str(item["path"]))} for item in items]
        written = [
            {"path": str(f.path), "role": f.role, "size": f.size, "sha256": f.sha256, "item": _file_pseudonym(log, f)}
            for f in files
        ]
        log.put_private("items", _json({"read": read, "written": written}), media_type=JSON)


def _file_pseudonym(log: EvidenceLog, file: OutputFile) -> str:
    return log.pseudonym("file", str(file.path))
