# SPDX-License-Identifier: Apache-2.0
"""Write a report: HTML for people, Markdown for text tools, JSON for programs, all of the same content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ethics.errors import MissingDependencyError
from monai_ethics.evidence import UNJUDGED, EvidenceReport, Finding
from monai_ethics.provenance.log.files.storage import write_atomically
from monai_ethics.reporting.html import render_html
from monai_ethics.reporting.markdown import render_markdown
from monai_ethics.reporting.names import as_told
from monai_ethics.reporting.plots import Picture, pictures
from monai_ethics.reporting.shortened import shortened
from monai_ethics.reporting.view import View, view_of
from monai_ethics.reporting.words import ATTENTION

if TYPE_CHECKING:
    from monai_ethics.provenance.lineage.sketch import Sketch
    from monai_ethics.provenance.log.reading.trail import Trail

__all__ = ["NO_PLOTS", "arrange", "render", "write_report"]

FEW, MOST = 60, 300  # findings whose figures are all drawn; figures of a report that has more of them
MANY = (
    "{n} results have an answer: of each, up to {each} figures are drawn, {most} in all at the most. "
    "Every number stands in the tables."
)
DRAWN = 300  # numbers of one finding that figures show
LARGEST = 2_200_000  # characters of figures on one page; a browser is handed a third more
FULL = "Figures of some results were left out, or the page would open slowly: their numbers stand in the tables."
ENDS = "Figures of results with very many groups show the worst and the best of them."
NO_PLOTS = (
    'There are no figures because matplotlib is not installed; run `pip install "monai_ethics[report]"` and '
    "`monai-ethics report` to add them. Every number stands in the tables."
)


def write_report(
    report: EvidenceReport,
    folder: Path,
    *,
    integrity: Mapping[str, Any] | None = None,
    lineage: Sketch | None = None,
    trail: Trail | None = None,
) -> dict[str, str]:
    """Render a report into a folder; equal reports give equal bytes.

    Args:
        report: the evidence; nothing but this is read.
        folder: an existing folder; files of the same names are replaced, all or each as a whole.
        integrity: what a verification of the log found (``status``, ``text``, ``head``, ...), if one was made.
        lineage: what the log says was made of what, see `sketch_of`.
        trail: what else the log holds, see `trail_of`.

    Returns:
        File name to the SHA-256 of its bytes, in hex.
    """
    contents = render(report, integrity=integrity, lineage=lineage, trail=trail)
    for name, content in contents.items():
        write_atomically(Path(folder) / name, content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def render(
    report: EvidenceReport,
    *,
    integrity: Mapping[str, Any] | None = None,
    lineage: Sketch | None = None,
    trail: Trail | None = None,
) -> dict[str, bytes]:
    """The bytes of every file, by name."""
    view = arrange(report, integrity=integrity, lineage=lineage, trail=trail)
    texts = {
        "report.html": render_html(view),
        "report.json": report.to_json() + "\n",
        "report.md": render_markdown(view),
    }
    return {name: text.encode("utf-8", "backslashreplace") for name, text in texts.items()}


def arrange(
    report: EvidenceReport,
    *,
    integrity: Mapping[str, Any] | None = None,
    lineage: Sketch | None = None,
    trail: Trail | None = None,
) -> View:
    """Draw the figures, where matplotlib is installed, and put everything in order."""
    drawn: dict[int, tuple[Picture, ...]] = {}
    answered = [number for number, finding in enumerate(report.findings) if finding.verdict not in UNJUDGED]
    each = None if len(answered) <= FEW else max(MOST // len(answered), 1)
    note = None if each is None else MANY.format(n=len(answered), each=each, most=MOST)
    urgent = sorted(answered, key=lambda number: report.findings[number].verdict not in ATTENTION)
    size = 0
    try:
        for number in urgent[:MOST]:
            if size > LARGEST:
                note = " ".join(filter(None, (note, FULL)))
                break
            finding = as_told(_drawable(report.findings[number]))
            drawn[number] = pictures(finding, salt=f"finding-{number + 1}", most=each)
            size += sum(len(picture.svg) for picture in drawn[number])
    except MissingDependencyError:
        drawn, note = {}, NO_PLOTS
    if drawn and any(len(report.findings[number].estimates) > DRAWN for number in drawn):
        note = " ".join(filter(None, (note, ENDS)))
    return view_of(report, integrity=integrity, pictures=drawn, plots_note=note, lineage=lineage, trail=trail)


def _drawable(finding: Finding) -> Finding:
    """The finding; of very many numbers the worst and the best groups, which a figure has room for."""
    if len(finding.estimates) <= DRAWN:
        return finding
    return replace(finding, estimates=shortened(finding, DRAWN))
