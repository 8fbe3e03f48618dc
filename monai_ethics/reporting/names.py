# SPDX-License-Identifier: Apache-2.0
"""Names that programs give to scores, in words: ``val_mean_dice`` is told as "Dice overlap".

Words stand wherever a result is told; the name itself stays in the details of each result, in `report.json` and in the
log. A name without words here is shown as code, and the first page says that the run gave it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from monai_ethics.evidence import Finding
from monai_ethics.reporting.telling import BRIEF, RATES, SCORES, spoken
from monai_ethics.reporting.texts import retold
from monai_ethics.reporting.weighty import weighed

__all__ = ["METRICS", "MISSED", "as_told", "in_words", "is_code", "name_told", "score_names", "scores"]

#: names of scores as MONAI and its bundles give them, without `val_`, `test_` or `mean_`
METRICS: Mapping[str, str] = {
    "dice": "Dice overlap",
    "hd95": "HD95 outline distance",
    "hausdorff": "Hausdorff outline distance",
    "hausdorff_distance": "Hausdorff outline distance",
    "iou": "IoU overlap",
    "surface_dice": "surface Dice overlap",
    "nsd": "surface Dice overlap (NSD)",
    "surface_distance": "surface distance",
    "asd": "surface distance (ASD)",
    "assd": "surface distance (ASSD)",
    "auc": "area under the ROC curve (AUC)",
    "rocauc": "area under the ROC curve (AUC)",
    "roc_auc": "area under the ROC curve (AUC)",
    "ap": "average precision",
    "average_precision": "average precision",
    "f1": "F1 score",
    "accuracy": "accuracy",
    "acc": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "loss": "loss",
    "mae": "mean absolute error",
    "mse": "mean squared error",
    "rmse": "root mean squared error",
    "psnr": "signal to noise (PSNR)",
    "ssim": "image similarity (SSIM)",
    "froc": "FROC score",
    "panoptic_quality": "panoptic quality",
}
#: what a comparison of a target measures, beside the rates and scores of `telling`
MEASURES: Mapping[str, str] = {
    "abroca": "area between the ROC curves (ABROCA)",
    "equalized_odds": "equalized odds",
    "differential_fairness": "ratio of rates (differential fairness)",
}
MISSED = "_missed"
PHASE = re.compile(r"^(?:(?:val|valid|validation|test|eval)_)?(?:mean_)?")
TRAINING = "train_"
CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]*(?:_[A-Za-z0-9.]+)+")
_ENDS = sorted((*RATES, *SCORES, *MEASURES), key=len, reverse=True)


def in_words(name: str) -> str:
    """The name of a score in words; the name itself where no words are known."""
    if name.endswith(MISSED):
        score = name.removesuffix(MISSED)
        return f"missed cases ({in_words(score)})" if in_words(score) != score or is_code(score) else name
    if name.startswith(TRAINING):
        return f"{found} in training" if (found := _of_metric(name.removeprefix(TRAINING))) else name
    return _of_metric(name) or _of_target(name) or name


def is_code(name: str) -> bool:
    """Whether it is a name for programs of which no words are known."""
    return CODE.fullmatch(name) is not None and in_words(name) == name


def name_told(name: str) -> str:
    """A name as the details have it: as code, with its words, or with the note that the run gave it."""
    if is_code(name):
        return f"`{name}`, a name that the run gave"
    words = in_words(name)
    return f"{words} (`{name}`)" if words != name else name


def scores(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Each score of the findings as `name_told`; rates of a target tell themselves."""
    names = dict.fromkeys(name for finding in findings for name in score_names(finding))
    return tuple(name_told(name) for name in names if is_code(name) or (_of_metric(name) and MISSED not in name))


def _of_metric(name: str) -> str | None:
    """``val_mean_dice``, and a part of it as stored tables have it: ``val_mean_dice_liver``."""
    score = PHASE.sub("", name)
    if score in METRICS or score == name:
        return METRICS.get(score)
    stem = max((known for known in METRICS if score.startswith(f"{known}_")), key=len, default=None)
    if stem is None:
        return None
    part = score.removeprefix(f"{stem}_")
    return METRICS[stem] if part == "mean" else f"{METRICS[stem]}, {part}"


def _of_target(name: str) -> str | None:
    """``pneumonia_tpr``: what was looked for, and which rate or score of it."""
    for end in _ENDS:
        target = name.removesuffix(f"_{end}")
        if target and target != name:
            return f"{target}: {MEASURES.get(end) or BRIEF.get(end) or spoken(end)}"
    return None


def score_names(finding: Finding) -> tuple[str, ...]:
    """What a finding scores, as programs call it: its subjects but for the attribute and what is words already."""
    attribute = finding.parameters.get("attribute")
    names = [str(name) for name in finding.subjects if name != attribute]
    return tuple(name for name in names if in_words(name) != name or is_code(name))


def as_told(finding: Finding) -> Finding:
    """The finding as every rendering tells it: untested claims marked, names of scores in words.

    Its subjects keep the names.
    """
    return _named(weighed(finding))


def _named(finding: Finding) -> Finding:
    told: dict[str, str] = {}
    for name in score_names(finding):
        for one in (name.removesuffix(MISSED), name):
            told[one] = f"`{one}`" if is_code(one) else in_words(one)
    if not told:
        return finding
    names = "|".join(sorted(map(re.escape, told), key=len, reverse=True))
    found = re.compile(rf"(?<![\w`])(?:{names})(?![\w`])")

    def said(text: str) -> str:
        out = found.sub(lambda match: told[match[0]], text)
        return out if out == text or not found.match(text) else out[:1].upper() + out[1:]

    return retold(finding, said)
