# SPDX-License-Identifier: Apache-2.0
"""The words of a report: verdicts, statuses, headings and a glossary, in plain language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monai_ethics.evidence import Verdict

__all__ = ["ATTENTION", "CONCERNS", "GLOSSARY", "INTEGRITY", "ORDER", "STAGE_NOTE", "STATUSES", "VERDICTS", "Words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How a verdict is said.

    Args:
        word: one or two words beside the icon.
        plain: what it means, one sentence.
        mark: a character for text-only renderings; each verdict has its own.
    """

    word: str
    plain: str
    mark: str


VERDICTS: Mapping[Verdict, Words] = {
    Verdict.FAILED: Words(
        word="Outside the limit", plain="A number lies outside a limit that a policy sets.", mark="✕"
    ),
    Verdict.WARNED: Words(word="Needs a look", plain="Something was found that a person has to look at.", mark="▲"),
    Verdict.NOT_ASSESSABLE: Words(
        word="Could not be judged",
        plain="The data do not allow an answer; the reason is given. This is not a good result.",
        mark="?",
    ),
    Verdict.MEASURED: Words(
        word="Measured", plain="A number without a judgement: no policy sets a limit for it.", mark="◆"
    ),
    Verdict.PASSED: Words(
        word="Within the limit", plain="The number lies within a limit that a policy sets.", mark="✓"
    ),
    Verdict.ATTESTED: Words(
        word="Stated by a person",
        plain="Somebody declared this; it was not measured and does not count as passed.",
        mark="✎",
    ),
    Verdict.NOT_APPLICABLE: Words(word="Does not apply", plain="The question does not arise here.", mark="-"),
}
ORDER: tuple[Verdict, ...] = tuple(VERDICTS)
ATTENTION = (Verdict.FAILED, Verdict.WARNED)

CONCERNS: Mapping[str, str] = {
    "fairness": "Who does it work for, and how well?",
    "synthesis": "What are the synthetic images, and what are they not?",
    "provenance": "Where did everything come from?",
    "privacy": "Can people be recognized?",
    "robustness": "What happens when the input changes?",
    "explanation": "What did the model look at?",
    "monitoring": "Does it still hold?",
    "lifecycle": "Was the work itself complete?",
}
STAGE_NOTE = (
    "What follows was measured by software on stored data. It says nothing about how people use the results, about "
    "other hospitals, or about patients who are not in these data."
)

STATUSES: Mapping[str, tuple[str, str]] = {
    "trusted": (
        "Unchanged, signer trusted",
        "The log has not been changed since it was signed, by a key that the reader named as trusted.",
    ),
    "intact-signer-unknown": (
        "Unchanged, signer not known",
        "The log fits its signature, but nobody said whose key it is: anyone could have signed again with another.",
    ),
    "stale": ("Not the newest", "The log is consistent but older than the head that was expected."),
    "redacted": (
        "Unchanged, parts deleted",
        "The log has not been changed; some private parts it refers to were deleted on request.",
    ),
    "torn": ("Incomplete", "The last write was interrupted: the end of the log is missing."),
    "altered": ("Changed afterwards", "The log does not fit its signature: do not rely on this report."),
    "wrong-key": ("Signed by another key", "The signature is not by any key the reader named as trusted."),
}

INTEGRITY: Mapping[str, str] = {
    "head": "Fingerprint of the signed log",
    "signer": "Fingerprint of the signer's key",
    "key": "Kind of key",
    "expected_head": "Head that was expected",
    "entries": "Entries",
    "sealed": "Entries signed",
    "runs": "Runs",
    "redacted": "Private parts deleted",
}

GLOSSARY: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("dice",), "Dice", "How well a drawn outline overlaps the reference: 0 is no overlap, 1 is a perfect match."),
    (
        ("hd95", "hausdorff"),
        "HD95",
        "How far the outline strays from the reference, leaving out the worst twentieth of its points: smaller is "
        "better. The unit stands beside the number; voxels are not millimeters.",
    ),
    (("missed",), "Missed", "There was something to find and nothing was found; it counts as the worst result."),
    (
        ("false_positive_rate",),
        "False positive rate",
        "Of those in whom there was nothing to find, the share in whom something was found.",
    ),
    (("median",), "Median", "The middle value: half of the patients lie above it and half below."),
    (
        ("interval", "level"),
        "Interval",
        "The range the true value plausibly lies in; a wide one means: not known well.",
    ),
    (("gap",), "Gap", "The difference between the group with the highest and the group with the lowest value."),
    (
        ("null", "permut"),
        "Chance alone",
        "The gap that appears when group labels are shuffled: groups never come out exactly equal.",
    ),
    (
        ("p_value", "p-value", "permut"),
        "p-value",
        "How often shuffled labels give a difference at least this large. A large p-value does not show equality.",
    ),
    (("holm",), "Holm", "A correction for asking many questions at once."),
    (("wilson",), "Wilson", "A method for the interval of a share that also holds for small groups."),
    (
        ("synthes", "membership", "training patients"),
        "Held-out patients",
        "Patients whose images were kept away from the generator, to compare with those it learned from.",
    ),
    (("digest",), "Digest", "A fingerprint of a file or an image: the same content always gives the same digest."),
)
