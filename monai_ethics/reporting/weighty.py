# SPDX-License-Identifier: Apache-2.0
"""Words that claim a result, and the one place where they lose that claim if nothing was tested.

"Significant", "better", "worse" and "improved" may be said by a finding that holds a test or an interval. In the text
of any other finding, ours or that of an installed check, each such word is quoted and marked as untested, on every
rendering. `report.json` and the log keep the text as the check wrote it.

References:
    W. Jin et al. 2025, arXiv 2508.09293, requirement MIS-11: "significant" only with a statistical test.
"""

from __future__ import annotations

import re
from dataclasses import replace

from monai_ethics.evidence import Estimate, Finding, Observation

__all__ = ["UNTESTED", "holds_result", "marked", "weighed"]

CLAIMS = re.compile(
    r"\b(?:(?:statistically|highly|clearly|much)\s+)?(?:(?:in)?significan\w+\s+)?"
    r"(?:(?:in)?significant\w*|(?<!\bof )significance(?! levels?\b)"
    r"|better\w*|worse\w*|improv\w*|outperform\w*|superior\w*|inferior\w*)(?!\w)",
    re.IGNORECASE,
)
TEST = re.compile(r"(?:^|_)p(?:_value|_adjusted)?(?:_|$)")
UNTESTED = "[untested: “{}”]"
_MARKED = re.compile(r"\[untested: “[^”]*”\]")


def holds_result(finding: Finding) -> bool:
    """Whether the finding holds a test or an interval, with a number."""
    return any(
        row.value is not None and (row.low is not None or TEST.search(row.name) is not None)
        for row in finding.estimates
    )


def marked(text: str) -> str:
    """The text with every claim quoted and marked as untested; what is marked already stays as it is."""
    kept = _MARKED.findall(text)
    parts = [CLAIMS.sub(lambda match: UNTESTED.format(match[0]), part) for part in _MARKED.split(text)]
    return "".join(part + mark for part, mark in zip(parts, [*kept, ""], strict=True))


def weighed(finding: Finding) -> Finding:
    """The finding as it may be shown: itself, or with its untested claims marked."""
    if holds_result(finding) or not _claims(finding):
        return finding
    return replace(
        finding,
        title=marked(finding.title),
        statement=marked(finding.statement),
        reason=None if finding.reason is None else marked(finding.reason),
        limitations=tuple(map(marked, finding.limitations)),
        estimates=tuple(map(_number, finding.estimates)),
        observations=tuple(map(_listed, finding.observations)),
    )


def _claims(finding: Finding) -> bool:
    texts = [finding.title, finding.statement, finding.reason or "", *finding.limitations]
    texts += [text for row in finding.estimates for text in (row.estimand, row.method or "", row.reason or "")]
    texts += [text for row in finding.observations for text in (row.label, row.note)]
    return any(CLAIMS.search(text) for text in texts)


def _number(row: Estimate) -> Estimate:
    return replace(
        row,
        estimand=marked(row.estimand),
        method=None if row.method is None else marked(row.method),
        reason=None if row.reason is None else marked(row.reason),
    )


def _listed(row: Observation) -> Observation:
    return replace(row, label=marked(row.label), note=marked(row.note))
