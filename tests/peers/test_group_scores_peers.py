# SPDX-License-Identifier: Apache-2.0
"""Where other packages agree with our numbers, and where they do not and why ours stand."""

import numpy as np
import pytest
from scipy import stats

from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.statistics.auc import area_under_curve
from monai_ethics.statistics.differences import newcombe
from monai_ethics.statistics.intervals import wilson
from monai_ethics.statistics.permutation import mean_omnibus

pytestmark = pytest.mark.peers


def table(values, labels):
    keys = tuple(str(i) for i in range(len(values)))
    return ScoreTable(
        metric="mean_dice",
        unit="1",
        higher_is_better=True,
        cases=keys,
        patients=keys,
        values=tuple(None if np.isnan(value) else float(value) for value in values),
        outcomes=tuple("undefined" if np.isnan(value) else "scored" for value in values),
        groups={"g": tuple(labels)},
    )


def test_group_means_and_medians_are_fairlearns():
    metrics = pytest.importorskip("fairlearn.metrics")
    rng = np.random.default_rng(0)
    values, labels = rng.beta(8, 2, 80), np.array(["A", "B", "C", "D"])[rng.integers(0, 4, 80)]
    frame = metrics.MetricFrame(
        metrics={"mean": lambda y, p: np.mean(p), "median": lambda y, p: np.median(p)},
        y_true=np.zeros(80),
        y_pred=values,
        sensitive_features=labels,
    )
    for item in GroupScores()(table(values, labels)).estimates:
        if item.group and item.name in ("mean", "median"):
            assert item.value == pytest.approx(frame.by_group.loc[item.group["g"], item.name])


def test_a_group_without_a_score_is_undefined_here_and_hidden_by_fairlearn():
    metrics = pytest.importorskip("fairlearn.metrics")
    values = np.array([0.9] * 12 + [np.nan] * 12)
    labels = ["A"] * 12 + ["B"] * 12
    frame = metrics.MetricFrame(
        metrics=lambda y, p: np.mean(p), y_true=np.zeros(24), y_pred=values, sensitive_features=labels
    )
    assert frame.difference() == 0  # one group is left, so there seems to be no gap
    found = [item for item in GroupScores()(table(values, labels)).estimates if item.group == {"g": "B"}]
    assert all(item.value is None and item.reason for item in found)


def test_rates_and_their_differences_are_statsmodels():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    assert wilson(7, 23) == pytest.approx(proportion.proportion_confint(7, 23, method="wilson"))
    peer = proportion.confint_proportions_2indep(7, 23, 20, 31, method="newcomb", compare="diff")
    assert newcombe((7, 20), (23, 31)) == pytest.approx(peer, abs=1e-6)


def test_the_area_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    truth, scores = rng.random(90) < 0.4, np.round(rng.normal(size=90), 1)
    found = area_under_curve(truth, scores, [str(i) for i in range(90)])
    assert found.value == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-12)


def test_the_permutation_test_is_scipys_with_the_same_statistic():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=15), rng.normal(0.6, 2, 40)

    def welch(x, y, axis=-1):
        spread = x.var(axis=axis, ddof=1) / x.shape[axis] + y.var(axis=axis, ddof=1) / y.shape[axis]
        return (x.mean(axis=axis) - y.mean(axis=axis)) ** 2 / spread

    peer = stats.permutation_test(
        (first, second), welch, n_resamples=9999, alternative="greater", vectorized=True, rng=0
    )
    found = mean_omnibus([first, second], n_permutations=9999, rng=np.random.default_rng(0))
    assert found.p == pytest.approx(peer.pvalue, abs=0.02)
