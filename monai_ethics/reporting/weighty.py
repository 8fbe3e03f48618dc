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

from monai_ethics.evidence import Finding
from monai_ethics.reporting.texts import retold, texts

__all__ = ["UNTESTED", "holds_result", "is_p_value", "marked", "weighed"]

CLAIMS = re.compile(
    r"\b(?:(?:statistically|highly|clearly|much)\s+)?(?:(?:in)?significan\w+\s+)?"
    r"(?:(?:in)?significant\w*|(?<!\bof )significance(?! levels?\b)"
    r"|better\w*|worse\w*|improv\w*|outperform\w*|superior\w*|inferior\w*)(?!\w)",
    re.IGNORECASE,
)
TEST = re.compile(r"(?:^|_)p(?:_value|_adjusted)?(?:_|$)")
UNTESTED = "[untested: “{}”]"
_MARKED = re.compile(r"\[untested: “[^”]*”\]")


def is_p_value(name: str) -> bool:
    """Whether a number of that name is a p-value."""
    return TEST.search(name) is not None


def holds_result(finding: Finding) -> bool:
    """Whether the finding holds a test or an interval, with a number."""
    return any(row.value is not None and (row.low is not None or is_p_value(row.name)) for row in finding.estimates)


def marked(text: str) -> str:
    """The text with every claim quoted and marked as untested; what is marked already stays as it is."""
    kept = _MARKED.findall(text)
    parts = [CLAIMS.sub(lambda match: UNTESTED.format(match[0]), part) for part in _MARKED.split(text)]
    return "".join(part + mark for part, mark in zip(parts, [*kept, ""], strict=True))


def weighed(finding: Finding) -> Finding:
    """The finding as it may be shown: itself, or with its untested claims marked."""
    if holds_result(finding) or not any(map(CLAIMS.search, texts(finding))):
        return finding
    return retold(finding, marked)
