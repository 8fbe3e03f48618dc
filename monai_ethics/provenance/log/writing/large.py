# SPDX-License-Identifier: Apache-2.0
"""A finding that no entry can hold: what stands in the log in its place, so that nothing else of a run is lost."""

from __future__ import annotations

from monai_ethics.evidence import Finding, Verdict
from monai_ethics.provenance.log.tree.canonical import MAX_BYTES, canonical

__all__ = ["in_place_of", "too_large"]

ROOM = 2_000  # bytes of an entry around its body
MOST_NAMES = 5


def too_large(finding: Finding) -> bytes | None:
    """Its canonical JSON if that is longer than an entry may be, ``None`` otherwise."""
    data = canonical(finding.to_dict())
    return data if len(data) > MAX_BYTES - ROOM else None


def in_place_of(finding: Finding, size: int, *, kept: bool) -> Finding:
    """The finding that says that one of `size` bytes could not be entered, and what its verdict was.

    Args:
        finding: the large one.
        size: its bytes.
        kept: whether it is kept whole in the private part.
    """
    where = "It is kept whole in the private part." if kept else "It was not kept."
    return Finding(
        check=finding.check,
        title=finding.title[:500],
        stage=finding.stage,
        verdict=Verdict.NOT_ASSESSABLE,
        statement="What was found does not fit into a log entry.",
        requirements=finding.requirements[:MOST_NAMES],
        subjects=[name[:200] for name in finding.subjects[:MOST_NAMES]],
        reason=f"A finding of {size} bytes, with verdict '{finding.verdict}', is larger than an entry of 1 MB. {where} "
        "Ask for fewer groups, or list fewer observations.",
        seed=finding.seed,
        phase=finding.phase,
    )
