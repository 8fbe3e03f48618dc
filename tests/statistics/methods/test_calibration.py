# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.fairness.reliability import merged_bins
from monai_ethics.statistics.calibration import (
    bin_of,
    common_bins,
    debiased_squared_error,
    ece,
    equal_mass_edges,
    equal_width_edges,
    errors,
    null_errors,
)
from monai_ethics.statistics.calibration_slope import calibration_slope, slope_interval


def test_the_error_is_the_case_weighted_distance_of_each_bin():
    p, y = np.array([0.05, 0.15, 0.18, 1.0]), np.array([0.0, 1.0, 0.0, 1.0])
    by_hand = (1 * 0.05 + 2 * abs((0.15 + 0.18) / 2 - 0.5) + 0) / 4
    assert ece(p, y, equal_width_edges(10)) == pytest.approx(by_hand)


def test_an_edge_belongs_to_the_bin_above_and_one_to_the_last():
    assert bin_of(np.array([0.0, 0.1, 0.95, 1.0]), equal_width_edges(10)).tolist() == [0, 1, 9, 9]


def test_bins_of_equal_mass_hold_equal_numbers_and_merge_at_ties():
    pooled = np.sort(np.random.default_rng(0).random(1000))
    assert np.bincount(bin_of(pooled, equal_mass_edges(pooled, 10))).min() >= 99
    assert len(equal_mass_edges(np.full(50, 0.3), 10)) <= 3


def test_the_debiased_error_is_kumars_for_one_case_a_patient():
    rng = np.random.default_rng(0)
    p = np.sort(rng.random(200))
    y = (rng.random(200) < p).astype(float)
    codes = bin_of(p, equal_mass_edges(p, 10))
    by_hand = 0.0
    for b in np.unique(codes):
        own, said = y[codes == b], p[codes == b]
        n, share = len(own), own.mean()
        by_hand += n / 200 * ((said.mean() - share) ** 2 - share * (1 - share) / (n - 1))
    assert debiased_squared_error(p, y, codes) == pytest.approx(by_hand)
    assert debiased_squared_error(p, y, codes, np.arange(200)) == pytest.approx(by_hand)


def test_the_debiased_error_allows_for_repeated_patients():
    rng = np.random.default_rng(1)
    squares = []
    for _ in range(300):
        p = np.repeat(np.full(60, 0.5), 4)
        y = np.repeat((rng.random(60) < 0.5).astype(float), 4)  # all images of a patient alike
        codes, patients = np.zeros(240, dtype=int), np.repeat(np.arange(60), 4)
        squares.append([debiased_squared_error(p, y, codes, who) for who in (None, patients)])
    row_wise, clustered = np.mean(squares, axis=0)
    assert abs(clustered) < 0.0008
    assert row_wise > 0.002


def test_drawn_errors_are_those_of_drawn_outcomes():
    rng = np.random.default_rng(0)
    p = np.sort(rng.random(60))
    bins = common_bins(p, 10)
    found = null_errors(p, bins, draws=2000, rng=np.random.default_rng(1))
    direct = [errors(p, (rng.random(60) < p).astype(float), bins) for _ in range(2000)]
    assert found.mean(axis=0) == pytest.approx(np.mean(direct, axis=0), abs=0.006)


def test_certain_probabilities_are_drawn_as_certain():
    p = np.array([0.0] * 5 + [1.0] * 5)
    assert null_errors(p, common_bins(p, 10), draws=50, rng=np.random.default_rng(0))[:, 0].max() == 0


@pytest.mark.parametrize(
    ("p", "y", "reason"),
    [
        ([0.2, 0.4, 0.6], [1, 1, 1], "one of them is absent"),
        ([0.5, 0.5, 0.5], [0, 1, 1], "all probabilities are equal"),
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], "separated"),
        ([0.1, 0.5, 0.5, 0.9], [0, 0, 1, 1], "separated"),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], "separated"),
    ],
)
def test_a_slope_that_does_not_exist_has_its_reason(p, y, reason):
    found = calibration_slope(np.array(p), np.array(y, dtype=float), [str(i) for i in range(len(p))])
    assert found.value is None
    assert reason in found.reason
    assert slope_interval(found, level=0.95).reason == found.reason


def test_clipped_probabilities_are_counted_in_the_method():
    p, y = np.array([0.0, 0.2, 0.6, 0.7, 0.3, 1.0]), np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    found = slope_interval(calibration_slope(p, y, list("abcdef")), level=0.95)
    assert "2 probabilities clipped to [1e-06, 1 - 1e-06]" in found.method


def test_bins_merge_until_each_holds_enough_patients():
    codes = np.array([0, 0, 1, 1, 1, 1, 1, 2])
    found = merged_bins(codes, tuple("abcdefgh"), 3)
    assert [rows.tolist() for rows in found] == [[0, 1, 2, 3, 4, 5, 6, 7]]
    assert merged_bins(codes, ("a",) * 8, 3) == []
    assert len(merged_bins(codes, tuple("abcdefgh"), 2)) == 2
