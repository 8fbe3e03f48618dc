# SPDX-License-Identifier: Apache-2.0
"""What `fairness` prints: differences first and in full, the rest by quantity; the report holds every sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monai_ethics.evidence import UNJUDGED, Finding, Verdict
from monai_ethics.reporting.names import as_told, in_words

__all__ = ["changes", "told"]

MOST = 12
LISTED = 8
#: descriptions that say nothing in one line and everything in their figures
FIGURES = ("fairness.threshold_sweep",)


def told(findings: Sequence[Finding]) -> list[str]:
    """Findings as lines of a terminal.

    Args:
        findings: comparisons, each with ``attribute`` in its parameters and an estimate ``p_adjusted``, and others.

    Returns:
        What was judged, and comparisons that differ, in full, planned ones and small p-values first; the other
        comparisons by what was compared; what could not be judged by its reason; the first descriptions in full.
    """
    findings = list(map(as_told, findings))
    gaps = {place: p for place, finding in enumerate(findings) if (p := _p(finding)) is not None}
    differ = [place for place, p in gaps.items() if p <= 1 - _level(findings[place])]
    differ.sort(key=lambda place: (_unplanned(findings[place]), gaps[place]))
    same = [findings[place] for place in gaps if place not in set(differ)]
    other = [item for place, item in enumerate(findings) if place not in gaps and item.check not in FIGURES]
    calm = (Verdict.MEASURED, *UNJUDGED)
    return [
        *_part("Judged", [f"{item.verdict.value}: {item.statement}" for item in findings if item.verdict not in calm]),
        *(["", f"Differs: {len(differ)} of {len(gaps)} comparisons"] if gaps else []),
        *(f"  {findings[place].statement}" for place in differ),
        *_part(f"Not shown to differ, which is not no gap: {len(same)} of {len(gaps)} comparisons", _by_quantity(same)),
        *_part("Could not be judged", _open([item for item in other if item.verdict in UNJUDGED])),
        *_part("Described", [item.statement for item in other if item.verdict is Verdict.MEASURED], most=MOST),
    ]


def changes(findings: Sequence[Finding]) -> list[str]:
    """Findings that all are of one kind: each with an answer in full, the others gathered by their reason."""
    findings = list(map(as_told, findings))
    answered = [f"{item.verdict.value}: {item.statement}" for item in findings if item.verdict not in UNJUDGED]
    left = _open([item for item in findings if item.verdict in UNJUDGED])
    return [*answered, *(f"{Verdict.NOT_ASSESSABLE.value}: {line}" for line in left)]


def _part(title: str, lines: Sequence[str], *, most: int | None = None) -> list[str]:
    if not lines:
        return []
    left = 0 if most is None else max(0, len(lines) - most)
    more = [f"  and {left} more in the report"] if left else []
    return ["", title, *(f"  {line}" for line in lines[:most]), *more]


def _p(finding: Finding) -> float | None:
    """The adjusted p-value of a comparison over all of its groups, if it is one."""
    if not finding.parameters.get("attribute"):
        return None
    return next((row.value for row in finding.estimates if row.name == "p_adjusted" and not row.group), None)


def _unplanned(finding: Finding) -> bool:
    """Whether it is secondary or exploratory, and comes after what was planned."""
    known = finding.parameters
    return "secondary" in str(known.get("family_name", "")) or "*" in str(known.get("attribute", ""))


def _level(finding: Finding) -> float:
    level = finding.parameters.get("level")
    return level if isinstance(level, float) else 0.95


def _subject(finding: Finding) -> str:
    return in_words(finding.subjects[0]) if finding.subjects else finding.title


def _by_quantity(findings: Iterable[Finding]) -> list[str]:
    """One line for each quantity: by which attributes it was compared."""
    found: dict[str, list[str]] = {}
    for finding in findings:
        found.setdefault(_subject(finding), []).append(str(finding.parameters["attribute"]))
    return [f"{subject}: by {_some(names)}" for subject, names in found.items()]


def _open(findings: Iterable[Finding]) -> list[str]:
    """One line for each reason: what it left open."""
    found: dict[str, list[str]] = {}
    for finding in findings:
        by = finding.parameters.get("attribute")
        what = f"{_subject(finding)} by {by}" if isinstance(by, str) and by else _subject(finding)
        found.setdefault(finding.reason or finding.statement, []).append(what)
    return [f"{_some(names)}: {reason}" for reason, names in found.items()]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
