# SPDX-License-Identifier: Apache-2.0
"""What is told first: names of rates and scores in the order of their weight, in words, and which way is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monai_ethics.reporting.quantity import name_label

__all__ = ["BETTER", "COUNTED", "RATES", "brief", "by_weight", "capital", "spoken"]

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
    "failure_rate": "share missed",
    "false_positive_rate": "share with something found among those with nothing to find",
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
}
BRIEF: Mapping[str, str] = {
    "tpr": "sensitivity (TPR)",
    "fpr": "false alarms (FPR)",
    "fnr": "missed (FNR)",
    "tnr": "specificity (TNR)",
    "ppv": "positive predictive value (PPV)",
    "npv": "negative predictive value (NPV)",
    "auc": "area under the ROC curve (AUC)",
    "ece": "calibration error (ECE)",
}
# counts that describe a group and are no score of it
COUNTED = ("patients", "cases", "positives", "negatives", "images", "design_effect", "missing_share")
BETTER: Mapping[str, bool] = {
    **dict.fromkeys(("tpr", "tnr", "ppv", "npv", "accuracy", "ppv_at_reference_prevalence"), True),
    **dict.fromkeys(("auc", "average_precision", "auc_bpsn", "auc_bnsp"), True),
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


def spoken(name: str) -> str:
    """A name in words that stand alone."""
    return RATES.get(name) or SCORES.get(name) or name_label(name)
