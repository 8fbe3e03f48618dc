# SPDX-License-Identifier: Apache-2.0
"""What is known about metrics of MONAI and Ignite beyond their number: direction, unit, whether a case has a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Traits", "traits_of"]

HIGHER = frozenset(
    [
        "DiceMetric",
        "GeneralizedDiceScore",
        "MeanIoU",
        "SurfaceDiceMetric",
        "ROCAUCMetric",
        "AveragePrecisionMetric",
        "PSNRMetric",
        "SSIMMetric",
        "MultiScaleSSIMMetric",
        "FBetaScore",
        "PanopticQualityMetric",
        *("Accuracy", "Precision", "Recall", "TopKCategoricalAccuracy", "ROC_AUC", "AveragePrecision"),
        *("CohenKappa", "F1Score", "R2Score", "PSNR", "SSIM"),
    ]
)
LOWER = frozenset(
    [
        "HausdorffDistanceMetric",
        "SurfaceDistanceMetric",
        "MSEMetric",
        "MAEMetric",
        "RMSEMetric",
        "LossMetric",
        "CalibrationErrorMetric",
        *("MeanSquaredError", "MeanAbsoluteError", "RootMeanSquaredError", "MeanPairwiseDistance", "Loss"),
    ]
)
ERRORS = frozenset(
    [
        *("LossMetric", "MSEMetric", "MAEMetric", "RMSEMetric"),
        *("MeanSquaredError", "MeanAbsoluteError", "RootMeanSquaredError", "MeanPairwiseDistance", "Loss"),
    ]
)
DISTANCES = frozenset(("HausdorffDistanceMetric", "SurfaceDistanceMetric"))
SEGMENTATION = frozenset(
    [
        "DiceMetric",
        "GeneralizedDiceScore",
        "MeanIoU",
        "SurfaceDiceMetric",
        "HausdorffDistanceMetric",
        "SurfaceDistanceMetric",
        "ConfusionMatrixMetric",
        "FBetaScore",
        "PanopticQualityMetric",
        "AbsoluteVolumeDifferenceMetric",
        "MetricsReloadedBinary",
        "MetricsReloadedCategorical",
    ]
)
SET_LEVEL = frozenset(("ROCAUCMetric", "AveragePrecisionMetric"))
LOWER_RATES = frozenset(
    [
        "false_positive_rate",
        "fpr",
        "fall_out",
        "fall-out",
        "miss_rate",
        "fnr",
        "false_negative_rate",
        "false_discovery_rate",
        "fdr",
        "false_omission_rate",
        "for",
    ]
)
RATES = frozenset(
    [
        "DiceMetric",
        "GeneralizedDiceScore",
        "MeanIoU",
        "SurfaceDiceMetric",
        "ROCAUCMetric",
        "AveragePrecisionMetric",
        "FBetaScore",
        "PanopticQualityMetric",
        "CalibrationErrorMetric",
        *("Accuracy", "Precision", "Recall", "TopKCategoricalAccuracy", "ROC_AUC", "AveragePrecision", "F1Score"),
    ]
)
OTHER_RATES = frozenset(["prevalence_threshold", "pt"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a metric's class says about its values.

    Args:
        higher_is_better: ``None`` if not known.
        unit: ``"1"``, ``"voxels"`` for distances, or ``"unknown"`` for losses, errors and foreign metrics.
        segmentation: whether reference and prediction are masks, so that a miss can be told from a low score.
        set_level: whether the metric exists only for a set of cases (ROC AUC).
        rate: whether values lie between 0 and 1.
        include_background: whether channel 0 is part of the metric.
    """

    higher_is_better: bool | None
    unit: str
    segmentation: bool
    set_level: bool
    rate: bool
    include_background: bool


def traits_of(metric_fn: Any) -> Traits:
    """Traits of a metric by the class of MONAI or Ignite that it is or extends."""
    names = {cls.__name__ for cls in type(metric_fn).__mro__}
    if "ConfusionMatrixMetric" in names:
        better = _rate_direction(getattr(metric_fn, "metric_name", ()))
    else:
        better = True if names & HIGHER else False if names & LOWER else None
    return Traits(
        higher_is_better=better,
        unit=_unit(names, better),
        segmentation=bool(names & SEGMENTATION),
        set_level=bool(names & SET_LEVEL),
        rate=bool(names & RATES),
        include_background=bool(getattr(metric_fn, "include_background", True)),
    )


def _unit(names: set[str], better: bool | None) -> str:
    if names & DISTANCES:
        return "voxels"  # MONAI's handlers pass no spacing to the metric
    foreign = better is None or names & ERRORS
    return "unknown" if foreign else "1"


def _rate_direction(metric_name: Any) -> bool | None:
    names = (metric_name,) if isinstance(metric_name, str) else tuple(metric_name)
    first = str(names[0]).lower().replace(" ", "_") if names else ""
    if first in OTHER_RATES or not first:
        return None
    return first not in LOWER_RATES
