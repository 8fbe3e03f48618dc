# SPDX-License-Identifier: Apache-2.0
"""Scores and labels that `monai-ethics fairness` is given: in the private part of evidence, or in files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ethics.errors import GateError, InputError

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.fairness.data.binary import BinaryScores
    from monai_ethics.fairness.data.scores import ScoreTable
    from monai_ethics.provenance.log.reading.entries import Covered

RUN = "fairness"  # name of a run of this command in the log

__all__ = [
    "earlier_looks",
    "read_evidence",
    "read_files",
    "refuse_unheld",
    "require_room",
    "signed_part",
    "write_findings",
]


def read_evidence(
    evidence: Path, run_id: str | None, threshold: float | None
) -> tuple[list[ScoreTable], list[BinaryScores]]:
    """Scores and labels that a run stored.

    Args:
        evidence: the evidence folder.
        run_id: the run; ``None`` takes the last that stored any.
        threshold: decide positive from this score on.

    Raises:
        GateError: if the evidence is not as it was signed.
        InputError: if nothing is stored, or it cannot be read.
    """
    from monai_ethics.fairness.data.binary import BinaryScores
    from monai_ethics.fairness.data.scores import ScoreTable
    from monai_ethics.provenance.log.reading.entries import read_private

    under = signed_part(evidence)
    payloads = [(run, "scores", data) for run, data in read_private(evidence, "scores", run_id, under=under)]
    labeled = [(run, "labels", data) for run, data in read_private(evidence, "labels", run_id, under=under)]
    if not payloads and not labeled:
        raise InputError(
            "Expected stored scores in this evidence: got none. They were deleted, or the run had no per-case metric."
        )
    run = (payloads or labeled)[-1][0]
    tables = [ScoreTable.from_dict(item) for item in _last(payloads, run)]
    labels = [BinaryScores.from_dict(item) for item in _last(labeled, run)]
    if threshold is not None:
        labels = [data.decided(threshold, decided_by=f"scores from {threshold:g} on, as given") for data in labels]
    _refuse_idle(threshold, labels)
    return tables, labels


def signed_part(evidence: Path) -> Covered | None:
    """What of evidence may be read, as `iter_entries` takes it; asked once before anything of it is used.

    Raises:
        GateError: if the evidence is not as it was signed.
    """
    from monai_ethics.provenance.log.verifying.verify import verify_evidence
    from monai_ethics.provenance.log.writing.relied import relied_on

    found = verify_evidence(evidence)
    if found.status in ("altered", "wrong-key"):
        raise GateError(f"Expected evidence that is as it was signed: got '{found.status}'. See `monai-ethics verify`.")
    return relied_on(evidence, found)


def _refuse_idle(threshold: float | None, labels: Sequence[BinaryScores]) -> None:
    """Refuse a threshold that decides nothing: whoever gave it expects that it does."""
    if threshold is not None and all(data.threshold != threshold for data in labels):
        raise InputError(
            "Expected scores without decisions of their own with `--threshold`: got none. Leave it out, or give a file "
            "with y_true and y_score."
        )


def earlier_looks(evidence: Path) -> int:
    """How many runs of this command compared groups in the evidence before."""
    from monai_ethics.provenance.log.reading.entries import read_report

    runs = {finding.run or "" for finding in read_report(evidence).findings if "family" in finding.parameters}
    return sum(run.startswith(RUN) for run in runs)


def refuse_unheld(control: str, tables: Sequence[ScoreTable | BinaryScores]) -> None:
    """Refuse an attribute that is to be held fixed and cannot be: the comparison would be missing silently.

    Raises:
        InputError: if there is nothing it could be held fixed for, or no such grouping.
    """
    if not control:
        return
    if not any(getattr(table, "y_pred", True) for table in tables):  # scores of cases need no decision
        raise InputError(
            "Expected scores per case, such as Dice, or decisions with `--control`: got labels and scores alone. "
            "Give `--threshold`, or leave it out."
        )
    if all(control not in table.groups for table in tables):
        known = ", ".join(name for name in tables[0].groups if "*" not in name) or "none"
        raise InputError(f"`--control` must name a grouping: got another. Known: {known}.")


def require_room(findings: Sequence[Finding]) -> None:
    """Refuse findings that no log can hold before anything is written.

    Raises:
        InputError: if one is not canonical JSON, or longer than an entry may be.
    """
    from monai_ethics.provenance.log.tree.canonical import MAX_BYTES, canonical

    if any(len(canonical(finding.to_dict())) > MAX_BYTES - 1_000 for finding in findings):
        raise InputError("A finding must fit into a log entry of 1 MB: got a larger one. Ask for fewer groups.")


def _last(payloads: Sequence[tuple[str, str, bytes]], run: str) -> list[Any]:
    own = [data for name, _, data in payloads if name == run]
    if not own:
        return []
    try:
        return list(json.loads(own[-1]))
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError("Expected stored scores in JSON: got something else. Run the evaluation again.") from error


def read_files(
    paths: Sequence[Path], *, threshold: float | None, target: str
) -> tuple[list[ScoreTable], list[BinaryScores]]:
    """Per-case scores, and labels with scores and decisions; several classes as one against the others.

    Args:
        paths: MetricsSaver's files, or tables with ``y_true``.
        threshold: decide positive from this score on where the file has no decisions.
        target: name of the target of a plain ``y_true``.

    Raises:
        InputError: if a file cannot be read, or names repeat.
    """
    from monai_ethics.fairness.data.classes import ClassScores
    from monai_ethics.fairness.data.labels import read_labels
    from monai_ethics.fairness.data.stored import read_score_tables

    tables: list[ScoreTable] = []
    labels: list[BinaryScores] = []
    for path in paths:
        found = read_labels(path, threshold=threshold, target=target)
        if not found:
            tables += read_score_tables(path)
        for data in found:
            if isinstance(data, ClassScores):
                right = data.top_one()
                labels += [*data.one_vs_rest(), *([] if right is None else [right])]
            else:
                labels.append(data)
    _refuse_idle(threshold, labels)
    names = [*(table.metric for table in tables), *(data.target for data in labels)]
    if len(set(names)) != len(names):
        raise InputError(
            "Metrics and targets must have different names: got one in several files. Rename a column or a file."
        )
    return tables, labels


def write_findings(
    target: Path,
    findings: Sequence[Finding],
    *,
    inputs: dict[str, Path],
    store: tuple[Sequence[ScoreTable], Sequence[BinaryScores]] | None,
) -> str:
    """Append findings to an evidence folder, render its report and seal it.

    Args:
        target: the evidence folder.
        findings: what was found.
        inputs: name to file of what was read; kept in the private part, its digest public.
        store: scores and labels to keep; ``None`` if the folder has them.

    Returns:
        The fingerprint of the sealed log.
    """
    from hashlib import sha256

    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.reporting.sealed import seal_report

    given = {name: path.read_bytes() for name, path in inputs.items()}
    require_room(findings)
    with EvidenceLog.open(target, run_id=RUN) as log:
        if given:
            log.append("inputs", {name: sha256(data).hexdigest() for name, data in given.items()})
        for name, data in given.items():
            log.put_private(name, data, media_type="application/octet-stream")
        kept: tuple[Sequence[Any], ...] = store or ((), ())
        for kind, items in zip(("scores", "labels"), kept, strict=True):
            if items:
                payload = json.dumps([item.to_dict() for item in items], allow_nan=False, sort_keys=True).encode()
                log.put_private(kind, payload, media_type="application/json")
        log.add_findings(findings)
        return seal_report(log).fingerprint
