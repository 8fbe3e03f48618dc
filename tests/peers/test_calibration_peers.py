# SPDX-License-Identifier: Apache-2.0
"""Calibration beside scikit-learn, torchmetrics, statsmodels and scipy; and what edges per group do to an ECE."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from monai_ethics.fairness.calibration import ratio_group
from monai_ethics.fairness.data.probabilities import Forecasts
from monai_ethics.statistics.calibration import bin_of, ece, equal_width_edges
from monai_ethics.statistics.calibration_slope import calibration_slope
from monai_ethics.statistics.goodness import goodness_of_fit

pytestmark = pytest.mark.peers


@pytest.fixture
def cases():
    rng = np.random.default_rng(0)
    p = np.sort(rng.beta(1, 2, 240))
    return p, (rng.random(240) < p**1.3).astype(float), np.array([f"p{i % 80}" for i in range(240)])


def test_the_error_is_that_of_scikit_learns_calibration_curve(cases):
    calibration = pytest.importorskip("sklearn.calibration")
    p, y, _ = cases
    share, mean = calibration.calibration_curve(y, p, n_bins=10)
    sizes = np.bincount(bin_of(p, equal_width_edges(10)), minlength=10)
    theirs = (sizes[sizes > 0] / len(p) * np.abs(share - mean)).sum()
    assert ece(p, y, equal_width_edges(10)) == pytest.approx(theirs, abs=1e-9)


def test_the_error_is_torchmetrics_with_fifteen_bins(cases):
    classification = pytest.importorskip("torchmetrics.classification")
    torch = pytest.importorskip("torch")
    p, y, _ = cases
    p = np.unique(np.round(p, 4)).astype(np.float32).astype(np.float64)
    y = y[: len(p)]
    peer = classification.BinaryCalibrationError(n_bins=15, norm="l1")
    theirs = peer(torch.tensor(p), torch.tensor(y, dtype=torch.long)).item()
    assert ece(p, y, equal_width_edges(15)) == pytest.approx(theirs, abs=1e-6)  # the peer works in single precision


def test_the_brier_score_is_scikit_learns(cases):
    metrics = pytest.importorskip("sklearn.metrics")
    p, y, patients = cases
    group = Forecasts(label=None, p=p, y=y, patients=tuple(patients))
    assert ratio_group(group, (p - y) ** 2).value == pytest.approx(metrics.brier_score_loss(y, p), abs=1e-9)


def test_the_slope_and_its_clustered_error_are_statsmodels(cases):
    api = pytest.importorskip("statsmodels.api")
    p, y, patients = cases
    _, codes = np.unique(patients, return_inverse=True)
    model = api.Logit(y, api.add_constant(special.logit(p)))
    peer = model.fit(disp=0, tol=1e-12, cov_type="cluster", cov_kwds={"groups": codes, "use_correction": False})
    found = calibration_slope(p, y, tuple(patients))
    assert found.value == pytest.approx(peer.params[1], abs=1e-9)
    assert found.error == pytest.approx(peer.bse[1] * np.sqrt(80 / 79), abs=1e-9)


def test_the_goodness_of_fit_is_scipys_and_its_simulation_that_of_the_exact_test():
    counts, shares = np.array([40.0, 35.0, 25.0]), np.array([0.5, 0.3, 0.2])
    peer = stats.chisquare(counts, 100 * shares)
    found = goodness_of_fit(counts, shares, draws=99, seed=0)
    assert (found.statistic, found.p) == pytest.approx((peer.statistic, peer.pvalue), abs=1e-9)
    few, rare = np.array([9.0, 1.0]), np.array([0.75, 0.25])
    expected = 10 * rare
    distances = ((np.arange(11) - expected[0]) ** 2) * (1 / expected).sum()
    exact = stats.binom.pmf(np.arange(11), 10, 0.75)[distances >= ((few - expected) ** 2 / expected).sum() - 1e-9].sum()
    assert goodness_of_fit(few, rare, draws=19_999, seed=0).p == pytest.approx(exact, abs=0.01)


def own_edges(p, y):
    """ECE with ten bins between the group's own lowest and highest probability, as `pandas.cut` makes them."""
    frame = pd.DataFrame({"p": p, "y": y, "bin": pd.cut(p, 10)})
    means = frame.groupby("bin", observed=True).agg(p=("p", "mean"), y=("y", "mean"), n=("p", "size"))
    return float((means["n"] / len(p) * (means["p"] - means["y"]).abs()).sum())


def test_edges_of_each_group_make_errors_that_cannot_be_compared():
    rng = np.random.default_rng(0)
    gaps = {"own": [], "common": []}
    for _ in range(300):
        wide, narrow = rng.uniform(0, 1, 200), rng.uniform(0.4, 0.6, 200)  # both calibrated
        outcomes = [(rng.random(200) < p).astype(float) for p in (wide, narrow)]
        own = [own_edges(p, y) for p, y in zip((wide, narrow), outcomes, strict=True)]
        common = [ece(p, y, equal_width_edges(10)) for p, y in zip((wide, narrow), outcomes, strict=True)]
        gaps["own"].append(own)
        gaps["common"].append(common)
    own, common = (np.mean(gaps[name], axis=0) for name in ("own", "common"))
    # the narrow group has .088 with ten bins of its own, .039 with the common bins it lies in; the wide one .071
    assert own == pytest.approx([0.071, 0.088], abs=0.004)
    assert common == pytest.approx([0.071, 0.039], abs=0.004)
    assert own[1] > own[0]  # the groups change places, although both are calibrated
    assert common[1] < common[0]
    narrow_p = rng.uniform(0.4, 0.6, 200)
    shown = pd.cut(narrow_p, 10).categories
    assert shown[0].right < 0.45  # a bin of this group holds a fiftieth of the scale, of the other a tenth
