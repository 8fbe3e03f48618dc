# SPDX-License-Identifier: Apache-2.0
"""The words of a report: verdicts, statuses, headings and a glossary, in plain language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monai_ethics.evidence import Direction, Finding, Verdict
from monai_ethics.reporting.synthetic_words import SYNTHETIC
from monai_ethics.reporting.weighty import is_p_value

__all__ = [
    "ATTENTION",
    "CONCERNS",
    "GLOSSARY",
    "INTEGRITY",
    "MET",
    "ORDER",
    "STAGE_NOTE",
    "STATUSES",
    "VERDICTS",
    "Words",
    "tally",
    "words_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How a verdict is said.

    Args:
        verdict: what is said; it chooses the icon.
        color: verdict in whose color it is said, if not in its own: nothing shown is not good news.
        word: one to four words beside the icon.
        plain: what it means, one sentence.
        mark: a character for text-only renderings; each verdict has its own.
    """

    verdict: Verdict
    word: str
    plain: str
    mark: str
    color: Verdict | None = None

    @property
    def tone(self) -> str:
        """Name of its color."""
        return (self.color or self.verdict).value

    @property
    def within(self) -> str:
        """The word within a sentence."""
        return self.word[:1].lower() + self.word[1:]


_SAID = (
    Words(
        verdict=Verdict.FAILED,
        word="Outside the limit",
        plain="A number lies outside a limit that a policy sets.",
        mark="✕",
    ),
    Words(
        verdict=Verdict.WARNED, word="Needs a look", plain="Something was found that a person has to look at.", mark="▲"
    ),
    Words(
        verdict=Verdict.NOT_ASSESSABLE,
        word="Could not be judged",
        plain="The data do not allow an answer; the reason is given. This is not a good result.",
        mark="?",
    ),
    Words(
        verdict=Verdict.MEASURED,
        word="Measured, not judged",
        plain="A number without a judgement, good or bad: no policy sets a limit for it.",
        mark="◆",
    ),
    Words(
        verdict=Verdict.PASSED,
        word="Within the limit",
        plain="The number lies within a limit that a policy sets.",
        mark="✓",
    ),
    Words(
        verdict=Verdict.ATTESTED,
        word="Stated by a person",
        plain="Somebody declared this; it was not measured and does not count as passed.",
        mark="✎",
    ),
    Words(verdict=Verdict.NOT_APPLICABLE, word="Does not apply", plain="The question does not arise here.", mark="-"),
)
VERDICTS: Mapping[Verdict, Words] = {words.verdict: words for words in _SAID}
#: whoever meets a limit that a p-value must reach has shown nothing, which is not to have shown that there is nothing
MET = Words(
    verdict=Verdict.PASSED,
    word="Limit on p met",
    plain="The limit is on a p-value. To meet it means that nothing was shown, not that there is nothing.",
    mark="✓",
    color=Verdict.MEASURED,
)
ORDER: tuple[Verdict, ...] = tuple(VERDICTS)
ATTENTION = (Verdict.FAILED, Verdict.WARNED)


def words_of(finding: Finding) -> Words:
    """How the verdict of one result is said: of a limit that a p-value meets, that it is one on a p-value."""
    limit = finding.limit
    if finding.verdict is not Verdict.PASSED or limit is None or not is_p_value(limit.estimate):
        return VERDICTS[finding.verdict]
    return MET if limit.direction is Direction.AT_LEAST else VERDICTS[finding.verdict]


def tally(findings: Iterable[Finding]) -> tuple[tuple[Words, int], ...]:
    """How many results are said in each way, those that need a look first."""
    found = Counter(map(words_of, findings))
    return tuple(sorted(found.items(), key=lambda pair: (ORDER.index(pair[0].verdict), pair[0] == MET)))


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
        "Unchanged, private parts absent",
        "The log has not been changed; some private parts it refers to are absent: deleted, or not handed on.",
    ),
    "torn": ("Incomplete", "The last write was interrupted: the end of the log is missing."),
    "altered": ("Changed afterwards", "The log does not fit its signature: do not rely on this report."),
    "wrong-key": ("Signed by another key", "The signature is not by any key the reader named as trusted."),
}

INTEGRITY: Mapping[str, str] = {
    "head": "Fingerprint of the signed log",
    "signer": "Fingerprint of the signer's key",
    "key": "Where the key is kept",
    "signer_revoked": "Key revoked before",
    "expected_head": "Head that was kept",
    "witness": "What the site log witnessed",
    "site_head": "Fingerprint of the site log",
    "log_id": "Id of the log",
    "entries": "Entries",
    "sealed": "Entries signed",
    "runs": "Runs",
    "repairs": "Ends that had to be mended",
    "redacted": "Private parts absent",
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
    (
        ("roi_size_band",),
        "roi_size_band",
        "Groups of cases by the size of what was to be found, in the unit that stands beside it. “No reference” is "
        "where there was nothing to find.",
    ),
    (
        ("exploratory",),
        "Exploratory, sex*site",
        "Two attributes looked at together: F*A is sex F at site A. It was not planned: confirm it on other data.",
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
    (
        ("tpr", "sensitivity", "roc"),
        "Sensitivity, TPR (true positive rate)",
        "Of those who have the finding, the share in whom it is found. The others are missed (FNR).",
    ),
    (
        ("fpr",),
        "FPR (false positive rate)",
        "Of those without the finding, the share called positive: false alarms. The others are the specificity (TNR).",
    ),
    (
        ("ppv",),
        "PPV (positive predictive value)",
        "Of those called positive, the share who have the finding. It falls where the finding is rare, whatever the "
        "model: so groups in which the finding is not equally common differ in it.",
    ),
    (("npv",), "NPV (negative predictive value)", "Of those called negative, the share who do not have the finding."),
    (
        ("ppv_at_reference_prevalence",),
        "PPV at a reference prevalence",
        "What the PPV would be if the finding were equally common in every group.",
    ),
    (("prevalence",), "Prevalence", "How common the finding is."),
    (
        ("auc", "roc curve"),
        "AUC (area under the ROC curve)",
        "How often a case with the finding gets a higher score than one without it: 0.5 is guessing, 1 is always.",
    ),
    (
        ("roc",),
        "ROC curve",
        "Every pair of sensitivity and false alarms that some threshold gives: raising one raises the other.",
    ),
    (
        ("auc_bpsn", "auc_bnsp"),
        "BPSN, BNSP",
        "AUC across groups: the others' positives against this group's negatives, and the reverse. They see that one "
        "group's scores lie higher than another's, which an AUC within groups cannot.",
    ),
    (
        ("abroca",),
        "ABROCA",
        "The area between the ROC curves of two groups: 0 only if they are one line. Chance alone makes it positive.",
    ),
    (
        ("average_precision",),
        "Average precision",
        "How clean the top of the ranking is. It is lower where the finding is rare.",
    ),
    (
        ("calibration", "reliability", "ece"),
        "Calibration",
        "Whether predicted probabilities are as high as they should be: of 100 cases given 30 %, about 30 have the "
        "finding.",
    ),
    (
        ("ece",),
        "ECE (expected calibration error)",
        "How far predicted probabilities lie from what was seen, on average. Chance alone makes it positive.",
    ),
    (("brier",), "Brier score", "The mean squared error of predicted probabilities: smaller is better."),
    (
        ("calibration_in_the_large",),
        "Calibration in the large",
        "The mean predicted probability minus the share that has the finding: above 0, the model expects it too often.",
    ),
    (
        ("selection_rate", "demographic parity"),
        "Demographic parity",
        "Equally many are called positive in each group. Where the finding is not equally common, it asks for errors.",
    ),
    (("tpr", "equal opportunity"), "Equal opportunity", "Equal sensitivity in each group."),
    (("equalized", "equalised"), "Equalized odds", "Equal sensitivity and equally many false alarms in each group."),
    (("average_odds",), "Average odds", "The mean of the differences in sensitivity and in false alarms."),
    (
        ("ppv", "predictive parity"),
        "Predictive parity",
        "Equal PPV in each group. Where the finding is not equally common, equalized odds, predictive parity and "
        "calibration cannot all hold: one has to be chosen, by somebody, for a reason.",
    ),
    (
        ("design_effect", "rao-scott"),
        "Design effect",
        "By how much several images of one patient say less than as many patients: at 2, 100 images are worth 50.",
    ),
    (
        ("smallest_parity_margin", "parity margin"),
        "Smallest parity margin",
        "The smallest difference within which these data would show all groups to lie. It is no verdict: a policy says "
        "which margin would be small enough.",
    ),
    (
        ("detectable_", "detectable gap"),
        "Minimum detectable gap",
        "The smallest difference that so many patients would show in 80 of 100 studies. Smaller ones often go unseen.",
    ),
    (
        ("max-t", "max_t", "maxt"),
        "Max-T",
        "A correction for asking many questions at once that uses how their answers hang together.",
    ),
    (
        ("benjamini", "false discovery", "_bh"),
        "Benjamini-Hochberg",
        "Of all differences called more than chance, at most a stated share is expected to be chance.",
    ),
    (
        ("shrunk",),
        "Shrunk",
        "Drawn toward the value of everyone, because a small group's own value strays. It hides a group for which the "
        "model does badly, so it enters no verdict.",
    ),
    (
        ("standardized", "standardised"),
        "Standardized",
        "As if every group had the same mix of cases: what remains is not explained by that mix.",
    ),
    (
        ("equity_scaled", "equity-scaled"),
        "Equity-scaled",
        "A score lowered by how much groups differ. Several definitions share the name: the one used is stated.",
    ),
    (
        ("differential_fairness",),
        "Differential fairness",
        "The largest ratio of rates between any two groups, on a log scale: 0 is equal rates.",
    ),
    (
        ("relative_effect",),
        "Relative effect",
        "How often a patient of one group has the higher value than one of the other: 0.5 is as often as not.",
    ),
    (
        ("newcombe",),
        "Newcombe",
        "A method for the interval of a difference of shares that also holds for small groups.",
    ),
    (("holm",), "Holm", "A correction for asking many questions at once."),
    (("wilson",), "Wilson", "A method for the interval of a share that also holds for small groups."),
    *SYNTHETIC,
    (("digest",), "Digest", "A fingerprint of a file or an image: the same content always gives the same digest."),
)
