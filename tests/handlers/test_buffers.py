# SPDX-License-Identifier: Apache-2.0
import copy
import math

import numpy as np
import pytest
import torch
from monai.metrics import (
    AbsoluteVolumeDifferenceMetric,
    AveragePrecisionMetric,
    CalibrationErrorMetric,
    ConfusionMatrixMetric,
    DiceMetric,
    FBetaScore,
    GeneralizedDiceScore,
    HausdorffDistanceMetric,
    LossMetric,
    MeanIoU,
    MSEMetric,
    PSNRMetric,
    ROCAUCMetric,
    SSIMMetric,
    SurfaceDiceMetric,
    SurfaceDistanceMetric,
)

from monai_ethics.handlers._buffers import aggregate_rows, case_values, first_number, read_buffers
from monai_ethics.handlers._traits import traits_of

N = 12
METRICS = {
    "dice": lambda: DiceMetric(),
    "dice by class": lambda: DiceMetric(reduction="mean_batch", get_not_nans=True),
    "generalized dice": lambda: GeneralizedDiceScore(),
    "iou": lambda: MeanIoU(),
    "hd95": lambda: HausdorffDistanceMetric(percentile=95),
    "surface distance": lambda: SurfaceDistanceMetric(),
    "surface dice": lambda: SurfaceDiceMetric(class_thresholds=[1.0, 1.0], include_background=True),
    "sensitivity, pooled": lambda: ConfusionMatrixMetric(metric_name="sensitivity"),
    "fpr, by case": lambda: ConfusionMatrixMetric(metric_name="fpr", compute_sample=True),
    "f-beta": lambda: FBetaScore(beta=2.0),
    "volume difference": lambda: AbsoluteVolumeDifferenceMetric(),
    "calibration": lambda: CalibrationErrorMetric(num_bins=5),
    "mse": lambda: MSEMetric(),
    "psnr": lambda: PSNRMetric(max_val=1.0),
    "ssim": lambda: SSIMMetric(spatial_dims=2, win_size=7),
    "loss": lambda: LossMetric(torch.nn.L1Loss(reduction="none"), reduction="mean"),
    "roc auc": lambda: ROCAUCMetric(),
    "average precision": lambda: AveragePrecisionMetric(),
}
SETS = {"roc auc", "average precision"}
IMAGES = {"mse", "psnr", "ssim", "loss", "calibration"}


def pairs(name):
    rng = np.random.default_rng(7)
    if name in SETS:
        scores = torch.tensor(rng.random((N, 1)))
        truth = torch.tensor((rng.random((N, 1)) < 0.3 + 0.4 * scores.numpy()).astype(int))
        return list(scores), list(truth)
    size = (2, 16, 16)
    if name in IMAGES:
        y = [torch.tensor(rng.random(size) > 0.5, dtype=torch.float32) for _ in range(N)]
        return [torch.tensor(rng.random(size), dtype=torch.float32) for _ in range(N)], y
    y = [torch.tensor(rng.random(size) > 0.7, dtype=torch.float32) for _ in range(N)]
    y_pred = [((t + torch.tensor(rng.random(size) > 0.9)) > 0).float() for t in y]
    y[3][1] = 0  # an empty reference: undefined for overlap and distance
    return y_pred, y


def fill(metric, y_pred, y, index):
    metric.reset()
    for i in index:
        metric(y_pred=[y_pred[i]], y=[y[i]])
    return metric


@pytest.mark.parametrize("name", METRICS)
def test_a_subset_of_rows_gives_what_the_metric_gives_on_the_subset_alone(name):
    y_pred, y = pairs(name)
    metric = fill(METRICS[name](), y_pred, y, range(N))
    before = copy.deepcopy(metric._buffers)
    buffers = read_buffers(metric)
    for subset in ([0, 2, 5, 7, 11], [1, 3, 4, 6, 8, 9, 10], list(range(N))):
        ours = aggregate_rows(metric, buffers, torch.tensor(subset))
        alone = fill(METRICS[name](), y_pred, y, subset).aggregate()
        while isinstance(alone, (list, tuple)):
            alone = alone[0]
        assert torch.equal(torch.as_tensor(ours), torch.as_tensor(alone))
    for one, two in zip(before, metric._buffers, strict=True):
        torch.testing.assert_close(torch.stack(one), torch.stack(two), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", sorted(set(METRICS) - SETS))
def test_the_value_of_a_case_is_the_metric_of_that_case_alone(name):
    y_pred, y = pairs(name)
    metric = fill(METRICS[name](), y_pred, y, range(N))
    values = case_values(metric, read_buffers(metric))
    assert values.shape[0] == N
    for i in (0, 3, 8):
        alone = fill(METRICS[name](), y_pred, y, [i])
        kwargs = {"reduction": "none"} if name != "f-beta" else {"compute_sample": True, "reduction": "none"}
        if "sensitivity" in name:
            kwargs["compute_sample"] = True
        expected = alone.aggregate(**kwargs)
        while isinstance(expected, (list, tuple)):
            expected = expected[0]
        expected = torch.where(torch.isfinite(expected), expected, torch.nan).double().reshape(-1)
        torch.testing.assert_close(values[i], expected, rtol=0, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("name", sorted(SETS))
def test_metrics_of_sets_are_known_as_such(name):
    assert traits_of(METRICS[name]()).set_level


def test_direction_is_known_by_class_and_rate():
    assert traits_of(METRICS["dice"]()).higher_is_better is True
    assert traits_of(METRICS["hd95"]()).higher_is_better is False
    assert traits_of(METRICS["hd95"]()).unit == "voxels"
    assert traits_of(METRICS["fpr, by case"]()).higher_is_better is False
    assert traits_of(METRICS["sensitivity, pooled"]()).higher_is_better is True
    assert traits_of(ConfusionMatrixMetric(metric_name="prevalence threshold")).higher_is_better is None

    class Better(DiceMetric):
        pass

    class Foreign:
        pass

    assert traits_of(Better()).higher_is_better is True
    assert traits_of(Foreign()).higher_is_better is None


def test_only_a_defined_scalar_is_a_number():
    assert first_number(torch.tensor([[0.5]])) == first_number(np.float32(0.5)) == 0.5
    assert first_number(torch.tensor([0.5, 0.6])) is None
    assert first_number(math.nan) is None
    assert first_number({"label_1": 0.5}) is None


@pytest.mark.parametrize("reduction", ["none", "mean", "sum", "mean_batch", "sum_batch", "mean_channel", "sum_channel"])
@pytest.mark.parametrize("name", ["dice", "hd95", "surface dice", "volume difference", "psnr"])
def test_every_reduction_and_every_class_of_a_subset_is_the_metrics_own(name, reduction):
    y_pred, y = pairs(name)
    made = METRICS[name]()
    made.reduction = reduction
    metric = fill(made, y_pred, y, range(N))
    buffers = read_buffers(metric)
    subset = [0, 3, 5, 7, 11]
    alone = fill(METRICS[name](), y_pred, y, subset)
    alone.reduction = reduction
    expected = alone.aggregate()
    expected = expected[0] if isinstance(expected, (list, tuple)) else expected
    torch.testing.assert_close(
        aggregate_rows(metric, buffers, torch.tensor(subset)), expected, rtol=0, atol=0, equal_nan=True
    )
    values = case_values(metric, buffers)
    own = torch.stack([t.double() for t in (alone.get_buffer(),)])[0].reshape(len(subset), -1)
    own = torch.where(torch.isfinite(own), own, torch.nan)
    torch.testing.assert_close(values[subset], own, rtol=0, atol=1e-12, equal_nan=True)
