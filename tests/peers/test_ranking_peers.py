# SPDX-License-Identifier: Apache-2.0
"""Areas, average precision and ROC curves beside the packages that compute them."""

import numpy as np
import pytest
import torch
from monai.metrics import compute_average_precision, compute_roc_auc
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from torchmetrics.functional.classification import binary_auroc

from monai_ethics.fairness.methods.roc import roc_vertices
from monai_ethics.statistics.auc import area_between, areas_by_group
from monai_ethics.statistics.average_precision import precision_parts

pytestmark = pytest.mark.peers
CLOSE = {"rel": 0, "abs": 1e-9}


@pytest.fixture(params=[1, 12], ids=["ties", "no ties"])
def drawn(request):
    rng = np.random.default_rng(3)
    truth = rng.random(600) < 0.3
    return np.round(rng.normal(size=600) + truth, request.param), truth, rng.integers(0, 6, 600)


def test_areas_by_group_are_those_of_scikit_learn_torchmetrics_and_monai(drawn):
    scores, truth, codes = drawn
    found = areas_by_group(codes, truth, scores, np.arange(600), 6)
    for group in range(6):
        own = codes == group
        assert found.values[group] == pytest.approx(roc_auc_score(truth[own], scores[own]), **CLOSE)
        tensors = torch.tensor(scores[own]), torch.tensor(truth[own]).long()
        assert found.values[group] == pytest.approx(compute_roc_auc(*tensors), **CLOSE)
        logits = torch.sigmoid(tensors[0])  # it takes scores outside 0 to 1 for logits and keeps single precision
        assert found.values[group] == pytest.approx(float(binary_auroc(logits, tensors[1])), abs=1e-6)


def test_an_area_is_the_mann_whitney_statistic_of_scipy(drawn):
    scores, truth, _ = drawn
    statistic = stats.mannwhitneyu(scores[truth], scores[~truth]).statistic
    found = area_between(scores, np.arange(600), truth, ~truth)
    assert found.value == pytest.approx(statistic / truth.sum() / (~truth).sum(), **CLOSE)


def test_areas_across_groups_are_those_of_scikit_learn_on_their_union(drawn):
    scores, truth, codes = drawn
    rows = (truth & (codes != 2)) | (~truth & (codes == 2))
    found = area_between(scores, np.arange(600), truth & (codes != 2), ~truth & (codes == 2))
    assert found.value == pytest.approx(roc_auc_score(truth[rows], scores[rows]), **CLOSE)


def test_average_precision_is_that_of_scikit_learn(drawn):
    scores, truth, _ = drawn
    assert precision_parts(scores, truth)[0] == pytest.approx(average_precision_score(truth, scores), **CLOSE)


def test_average_precision_is_that_of_monai():
    rng = np.random.default_rng(5)
    truth = rng.random(300) < 0.3
    scores = rng.normal(size=300) + truth
    theirs = compute_average_precision(torch.tensor(scores), torch.tensor(truth).long())
    assert precision_parts(scores, truth)[0] == pytest.approx(float(theirs), **CLOSE)


def test_corners_of_a_curve_are_those_of_scikit_learn(drawn):
    scores, truth, _ = drawn
    theirs = roc_curve(truth, scores, drop_intermediate=False)
    for mine, own in zip(roc_vertices(scores, truth), theirs[:2], strict=True):
        assert mine == pytest.approx(own, **CLOSE)


def test_the_difference_of_a_pair_is_not_the_zero_that_skipping_a_group_gives(drawn):
    scores, truth, codes = drawn
    single = truth & (codes != 1)  # group 1 has no positive case left
    found = areas_by_group(codes, single, scores, np.arange(600), 6)
    assert np.isnan(found.values[1])
    with pytest.warns(UserWarning, match="Only one class"):
        assert np.isnan(roc_auc_score(single[codes == 1], scores[codes == 1]))
