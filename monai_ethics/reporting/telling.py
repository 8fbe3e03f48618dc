# SPDX-License-Identifier: Apache-2.0
"""What is told first: names of rates and scores in the order of their weight, in words, and which way is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monai_ethics.evidence import Limit, Side
from monai_ethics.reporting.quantity import group_label, name_label

__all__ = [
    "BETTER",
    "BRIEF",
    "COUNTED",
    "RATES",
    "brief",
    "brief_with_name",
    "by_weight",
    "capital",
    "heading",
    "limit_label",
    "spoken",
]

RATES: Mapping[str, str] = {
    "tpr": "share found among those with the finding (sensitivity, TPR)",
    "fpr": "share called positive among those without the finding (false alarms, FPR)",
    "ppv": "share with the finding among those called positive (PPV)",
    "npv": "share without the finding among those called negative (NPV)",
    "selection_rate": "share called positive",
    "fnr": "share missed among those with the finding (FNR)",
    "tnr": "share called negative among those without the finding (specificity, TNR)",
    "accuracy": "share called rightly",
    "ppv_at_reference_prevalence": "PPV if the finding were as common as in the reference",
    "prevalence": "share with the finding",
    "missing_share": "share not recorded",
    "closer_patients": "training patients nearer than any held-out patient",
    "identical_images": "images that repeat a training image",
    "refused": "refused items",
    "completed": "completion of the run",
    "failure_rate": "share missed",
    "false_positive_rate": "share with something found among those with nothing to find",
    "correctness": "share of synthetic images in which what was requested is seen",
    "correctness_on_real_images": "share of real images in which the judge sees what is there",
    "share_of_alarms": "share of trials in which planted copies raised the alarm",
    "share_of_held_out_patients": "share of held-out patients",
    "share_of_synthetic_images": "share of synthetic images",
    "share_with_text": "share with text-like regions",
    "overlapping_share": "share of held-out patients who share an image with training",
    "cell_accuracy": "share called rightly in this cell of source and class",
}
SCORES: Mapping[str, str] = {
    "auc": "area under the ROC curve (AUC)",
    "calibration_in_the_large": "mean predicted minus observed share",
    "average_precision": "average precision",
    "ece": "calibration error (ECE)",
    "brier": "Brier score",
    "calibration_slope": "calibration slope",
    "auc_bpsn": "AUC of the others' positives against the group's negatives (BPSN)",
    "auc_bnsp": "AUC of the group's positives against the others' negatives (BNSP)",
    "ece_debiased": "calibration error, debiased",
    "ece_equal_mass": "calibration error, bins of equal size",
    "coverage": "share of real images with a synthetic image near them (coverage)",
    "precision": "share of synthetic images that lie where real ones do (precision)",
    "recall": "share of real images within reach of synthetic ones (recall)",
    "density": "how thickly real images surround the synthetic ones (density)",
    "mmd": "distance between the two sets (MMD)",
    "kid": "distance between the two sets (KID)",
    "frechet_distance": "distance between the two sets at this number (Frechet distance)",
    "frechet_distance_projected": "distance between the populations in a few directions (Frechet distance)",
    "classifier_auc": "how well a classifier tells the sets apart (AUC)",
    "nearest_neighbor_accuracy": "how often the nearest other image is of the same set",
    "effective_rank": "independent ways in which the images vary (effective rank)",
    "vendi_score": "images counted as if all were unlike (Vendi score)",
    "truncated_entropy": "truncated entropy, which rewards copies",
    "distinct_images": "images that are not repeated",
    "ms_ssim": "how alike two images of a set are (MS-SSIM)",
    "authenticity": "share not nearer to a training image than its own neighbor is (authenticity)",
    "copying_z": "score of copying (C_T), negative is near",
    "correlation_above_threshold": "share that resembles a training image more than real ones do (correlation)",
    "difference_recipe": "change against training on real images alone, for this recipe",
    "difference_models": "change against training on real images alone, for these models",
    "real_synthetic_gap": "score on real less score on synthetic test images",
}
_BRIEF_ENOUGH = ("missing_share", "closer_patients", "identical_images", "refused", "completed", "failure_rate")
BRIEF: Mapping[str, str] = {
    **{name: RATES[name] for name in _BRIEF_ENOUGH},
    "auc": SCORES["auc"],
    "max_min_gap": "largest gap",
    "gap_null_mean": "mean gap by chance",
    "gap_null_95th": "gap by chance, 95th percentile",
    "p_adjusted": "adjusted p-value",
    "p_value": "p-value",
    "false_positive_rate": "share of false positives",
    "tpr": "sensitivity (TPR)",
    "fpr": "false alarms (FPR)",
    "fnr": "missed (FNR)",
    "tnr": "specificity (TNR)",
    "ppv": "positive predictive value (PPV)",
    "npv": "negative predictive value (NPV)",
    "ece": "calibration error (ECE)",
    "frechet_distance": "Frechet distance",
    "frechet_distance_projected": "Frechet distance, projected",
    "kid": "KID",
    "mmd": "MMD",
    "classifier_auc": "classifier AUC",
    "vendi_score": "Vendi score",
    "ms_ssim": "MS-SSIM",
    "outlying_images": "suspiciously near images",
    "correlation_above_threshold": "strongly correlated images",
    "copying_z": "copying score (C_T)",
    "correctness": "requested and seen",
    "correctness_on_real_images": "seen in real images",
    "difference_recipe": "change for this recipe",
    "difference_models": "change for these models",
}
HEADINGS: Mapping[str, str] = {
    "copies": "kind of copy",
    "copied_patients": "patients copied",
    "real_fraction": "real share",
    "design": "design",
    "space": "features",
}
# counts that describe a group and are no score of it
COUNTED = ("patients", "cases", "positives", "negatives", "images", "design_effect", "missing_share")
BETTER: Mapping[str, bool] = {
    **dict.fromkeys(("tpr", "tnr", "ppv", "npv", "accuracy", "ppv_at_reference_prevalence"), True),
    **dict.fromkeys(("auc", "average_precision", "auc_bpsn", "auc_bnsp"), True),
    **dict.fromkeys(("coverage", "correctness", "correctness_on_real_images"), True),
    **dict.fromkeys(("mmd", "kid"), False),
    **dict.fromkeys(("fpr", "fnr", "failure_rate", "false_positive_rate"), False),
    **dict.fromkeys(("ece", "ece_debiased", "ece_equal_mass", "brier"), False),
}
_WEIGHT = {name: place for place, name in enumerate((*RATES, *SCORES))}


def by_weight(names: Iterable[str]) -> list[str]:
    """Names with the most telling first; those not known here keep their order at the end."""
    return sorted(names, key=lambda name: _WEIGHT.get(name, len(_WEIGHT)))


def capital(text: str) -> str:
    """A text that begins a sentence; the letters after the first stay as they are."""
    return text[:1].upper() + text[1:]


def brief(name: str) -> str:
    """A name in the few words that an axis has room for."""
    return BRIEF.get(name) or name_label(name)


def brief_with_name(name: str) -> str:
    """A name in a few words, and the name itself as code where the words are others."""
    return f"{BRIEF[name]} (`{name}`)" if name in BRIEF else name_label(name)


def limit_label(limit: Limit) -> str:
    """What a limit is on, and what it asks: ``adjusted p-value: at least 0.05``."""
    whom = "" if limit.group is None else f" ({group_label(limit.group)})"
    end = "" if limit.side is Side.VALUE else f", {limit.side} end of its interval"
    return f"{brief(limit.estimate)}{whom}{end}: {name_label(limit.direction)} {repr(limit.value).removesuffix('.0')}"


def heading(key: str) -> str:
    """What groups are told apart by, in words where it is no attribute of people."""
    return HEADINGS.get(key, key)


def spoken(name: str) -> str:
    """A name in words that stand alone."""
    return RATES.get(name) or SCORES.get(name) or name_label(name)
