# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.statistics.shrunk import between_group_variance, pooled_errors, shrunk_means


def rates(rng, truth, n):
    return [(rng.random(n) < rate).astype(float) for rate in truth]


def test_pooling_hides_the_group_that_is_harmed():
    rng = np.random.default_rng(0)
    truth = [0.65, 0.85, 0.85, 0.85, 0.85]
    sets = [rates(rng, truth, 20) for _ in range(1500)]
    raw = np.mean([groups[0].mean() for groups in sets])
    shown = np.mean([shrunk_means(groups)[0] for groups in sets])
    print(f"harmed group: raw {raw:.3f}, shrunk {shown:.3f}, truth .65")
    assert raw == pytest.approx(0.65, abs=0.01)
    assert 0.71 < shown < 0.78


def test_fewer_than_five_groups_and_infinite_scores_are_not_pooled():
    rng = np.random.default_rng(1)
    groups = rates(rng, [0.5] * 5, 30)
    assert shrunk_means(groups[:4]) is None
    assert shrunk_means([*groups[:4], np.array([np.inf, 1.0])]) is None
    assert shrunk_means(groups) is not None


def test_groups_that_differ_by_chance_only_become_equal_and_far_ones_stay():
    values = np.array([0.0, 1.0, 2.0])
    assert shrunk_means([values] * 5) == pytest.approx([1.0] * 5)
    far = shrunk_means([values + 100 * k for k in range(5)])
    assert far == pytest.approx([1 + 100 * k for k in range(5)], abs=0.01)


def test_the_variance_between_groups_is_dersimonian_and_lairds():
    # worked by hand: weights 1, means 0, 2, 4: Q = 8, (8 - 2) / (3 - 1) = 3
    assert between_group_variance(np.array([0.0, 2, 4]), np.ones(3)) == pytest.approx(3)
    assert between_group_variance(np.array([0.0, 0.1, 0.2]), np.ones(3)) == 0
    many = between_group_variance(np.array([[0.0, 2, 4], [1, 1, 1]]), np.ones((2, 3)))
    assert many == pytest.approx([3, 0])


def test_the_variance_between_groups_is_right_on_average():
    rng = np.random.default_rng(2)
    found = []
    for _ in range(800):
        groups = [rng.normal(place, 1, 20) for place in rng.normal(0, 0.6, 8)]
        means = np.array([group.mean() for group in groups])
        found.append(float(between_group_variance(means, pooled_errors(groups))))
    assert np.mean(found) == pytest.approx(0.36, abs=0.03)


def test_scores_without_spread_are_left_as_they_are():
    assert shrunk_means([np.full(4, k / 10) for k in range(5)]) == pytest.approx([k / 10 for k in range(5)])
