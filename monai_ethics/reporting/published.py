# SPDX-License-Identifier: Apache-2.0
"""A copy for the public: what it leaves out and why, so that what is hidden does not read as what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monai_ethics.provenance.log.reading.trail import Trail

__all__ = [
    "ANSWERED",
    "CONSENT",
    "DATA",
    "DIFFERENCES",
    "FAILED",
    "GROUPS",
    "INTENDED",
    "NOT_DONE",
    "RECORDS",
    "WEAKEST",
    "is_public",
    "notice",
    "of_the_whole",
]

ONE_RESULT = "Public copy: "
DATA = "not told in a copy for the public"
DIFFERENCES = (
    "Comparisons that rest on hidden numbers are left out of this copy for the public: "
    "the full evidence may tell a difference that does not stand here."
)
GROUPS = "Groups of few people are left out of this copy without their names: it cannot say who is missing."
CONSENT = "This copy for the public does not tell whether anybody's consent or withdrawal was recorded."
FAILED = (
    "No result is shown as outside a limit. Judgements that rest on hidden numbers are left out of this copy for the "
    "public: that none is shown does not mean that there was none."
)
WEAKEST = "Of the groups that are shown. Others are left out of this copy for the public, and one of them may do worse."
NOT_DONE = (
    "Here, “not done” may also mean that the numbers are left out of this copy for the public, and a worse number "
    "than the one that is shown may be among those."
)
ANSWERED = "Everything that is shown in this copy for the public has an answer."
RECORDS = "Not told in a copy for the public, whether there were any or not."
INTENDED = "This copy for the public holds no records: what they say of the intended use is not told here."


def of_the_whole(limits: Sequence[str], trail: Trail | None) -> tuple[str, ...]:
    """The limits that the opening lists: how many numbers of one result are hidden stands below that result."""
    return tuple(text for text in limits if not (is_public(trail) and text.startswith(ONE_RESULT)))


def is_public(trail: Trail | None) -> bool:
    """Whether the log says that it is a copy for the public."""
    return trail is not None and trail.published is not None


def notice(trail: Trail | None) -> tuple[str, ...]:
    """What a reader has to know of a copy for the public before anything else; nothing of other evidence."""
    if trail is None or trail.published is None:
        return ()
    known = trail.published
    counts = f"every count of 1 to {known.least - 1:,} people or cases" if known.least > 2 else "every small count"
    source = f" It was made from the evidence with the head {known.source[:16]}…." if known.source else ""
    return (
        f"Left out, to make it harder to recognize somebody as one of few: {counts}, and every number from which one "
        f"could be worked out: {known.hidden:,} numbers in all, and the groups of which nothing else could be told. "
        "Sets of images, models, consents and all that is known of single cases are not told either. "
        "That is no promise: whoever knows all others of a group may still learn of the last one.",
        "What is left out is neither good nor bad news. A group that is not named here may be served worst, and a "
        "difference that is not shown here may have been found.",
        f"Whoever signed this copy has the full evidence; ask them for what you miss.{source}",
    )
