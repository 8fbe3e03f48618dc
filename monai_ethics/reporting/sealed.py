# SPDX-License-Identifier: Apache-2.0
"""The report of an open log: rendered, its digests logged and sealed, and only then written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from monai_ethics.provenance.log.files.storage import write_atomically
from monai_ethics.provenance.log.reading.entries import read_report
from monai_ethics.provenance.log.tree.canonical import sha256_hex
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.folder import writable
from monai_ethics.reporting.render import render

if TYPE_CHECKING:
    from monai_ethics.evidence import EvidenceReport
    from monai_ethics.provenance.lineage.sketch import Sketch
    from monai_ethics.provenance.log.tree.head import Head
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["seal_report"]


def seal_report(log: EvidenceLog, report: EvidenceReport | None = None, *, lineage: Sketch | None = None) -> Head:
    """Render the report of a log into its folder, with digests that stand in the last entry under the head.

    The head is signed before a file is touched: a writer that is cut off leaves report files that are absent or those
    of an earlier report, which can be told from files that somebody edited.
    Where the files that the log lists were lost or edited before, the report is made a second time, once they are
    replaced: the page then says what holds of the folder as it is left.

    Args:
        log: the open log; everything appended so far is sealed.
        report: what to show; the whole log by default.
        lineage: what was made of what; read from the log by default.

    Returns:
        The head over the log and the digests of the files.

    Raises:
        ProvenanceError: if the log is closed, or cannot be read or written.
        InputError: if the files cannot be written; the log is sealed then, and a later call writes them.
    """
    from monai_ethics.provenance.lineage.show import sketch_of
    from monai_ethics.provenance.log.reading.trail import trail_of

    log.seal()
    found = verify_evidence(log.folder)
    shown = read_report(log.folder) if report is None else report
    drawn = sketch_of(log.folder) if lineage is None else lineage
    trail = trail_of(log.folder)
    head = _replace(log, render(shown, integrity=found.to_dict(), lineage=drawn, trail=trail))
    if found.log_intact and not found.intact:
        again = verify_evidence(log.folder).to_dict()
        head = _replace(log, render(shown, integrity=again, lineage=drawn, trail=trail))
    return head


def _replace(log: EvidenceLog, contents: Mapping[str, bytes]) -> Head:
    log.add_report({name: sha256_hex(content) for name, content in contents.items()})
    head = log.seal()
    with writable():
        for name, content in contents.items():
            write_atomically(log.folder / name, content)
    return head
