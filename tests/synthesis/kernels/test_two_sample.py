# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from monai_ethics.errors import InputError, NotAssessableError
from monai_ethics.synthesis.kernels.two_sample import classifier_auc, nearest_neighbor_accuracy


def normal(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def names(prefix, n, each=1):
    return [f"{prefix}{i // each}" for i in range(n)]


def auc(x, y, each=1, **kept):
    return classifier_auc(x, y, x_units=names("a", len(x), each), y_units=names("b", len(y), each), **kept)


@pytest.mark.parametrize("d", [4, 200])
def test_sets_of_one_distribution_have_an_area_of_one_half_on_average(d):
    found = [auc(*normal(2, 50, d, seed=seed)) for seed in range(40)]
    assert np.mean(found) == pytest.approx(0.5, abs=3.3 * np.std(found) / np.sqrt(40))


@pytest.mark.parametrize("d", [4, 200])
def test_sets_apart_have_an_area_of_one(d):
    assert auc(normal(40, d), normal(30, d, seed=1) + 3) > 0.99


def test_a_fold_holds_no_patient_that_was_fitted_to():
    centers = normal(40, 100)  # 8 near images of each of 20 + 20 patients of one population
    x, y = (part.repeat_interleave(8, dim=0) + 0.01 * normal(160, 100, seed=1) for part in centers.split(20))
    assert auc(x, y) > 0.99  # images dealt out one by one: the patient is recognized, not the set
    assert 0.2 < auc(x, y, each=8) < 0.8


def test_a_unit_of_both_sets_is_in_one_fold():
    x, shared = normal(60, 80), names("p", 60)
    y = -x + 0.01 * normal(60, 80, seed=1)
    assert 0.2 < classifier_auc(x, y, x_units=shared, y_units=shared) < 0.8


def test_the_area_is_that_of_scaled_and_ordered_features_whatever_the_order_of_rows():
    x, y = normal(40, 10), normal(30, 10, seed=1) + 0.5
    order = np.random.default_rng(2).permutation(40)
    units = names("a", 40)
    expected = auc(x, y)
    moved = classifier_auc(x[order], y, x_units=[units[i] for i in order], y_units=names("b", 30))
    assert moved == pytest.approx(expected, abs=1e-12)
    assert auc(x * torch.arange(1, 11), y * torch.arange(1, 11)) == pytest.approx(expected, abs=1e-12)
    assert len({auc(x, y, seed=seed) for seed in range(5)}) > 1


def test_a_constant_feature_changes_nothing_but_the_penalty():
    x, y = torch.ones(20, 3), torch.ones(20, 3)
    assert auc(x, y) == 0.5
    x[:, 0], y[:, 0] = torch.arange(20.0), torch.arange(20.0) + 100
    assert auc(x, y) == 1.0


def test_two_units_of_each_are_needed():
    with pytest.raises(NotAssessableError, match="two units in each"):
        auc(normal(8, 3), normal(8, 3), each=8)
    with pytest.raises(InputError, match="one entry for each"):
        classifier_auc(normal(8, 3), normal(8, 3), x_units=["a"], y_units=names("b", 8))


def brute(x, y):
    rows, label = np.concatenate([x, y]), np.arange(len(x) + len(y)) >= len(x)
    distance = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    same = label[distance.argmin(axis=1)] == label
    return (same[~label].mean() + same[label].mean()) / 2


def test_nearest_neighbors_are_those_of_all_distances():
    x, y = normal(50, 6), normal(40, 6, seed=1) + 0.4
    assert nearest_neighbor_accuracy(x, y) == pytest.approx(brute(x.numpy(), y.numpy()))


def test_nearest_neighbors_tell_a_perfect_a_far_and_a_copied_set_apart():
    found = [nearest_neighbor_accuracy(*normal(2, 40, 5, seed=seed)) for seed in range(100)]
    assert np.mean(found) == pytest.approx(78 / 158, abs=3.3 * np.std(found) / 10)
    x = normal(40, 5)
    assert nearest_neighbor_accuracy(x, x + 100) == 1
    assert nearest_neighbor_accuracy(x, x + 1e-6) == 0
    assert nearest_neighbor_accuracy(torch.ones(9, 2), torch.ones(9, 2)) == pytest.approx(8 / 17)


def test_other_images_of_a_patient_are_passed_over():
    patients = normal(80, 20).repeat_interleave(3, dim=0) + 0.01 * normal(240, 20, seed=1)
    x, y = patients.split(120)
    assert nearest_neighbor_accuracy(x, y) == 1  # each patient's own images
    units = {"x_units": names("a", 120, 3), "y_units": names("b", 120, 3)}
    assert 0.3 < nearest_neighbor_accuracy(x, y, **units) < 0.7
    with pytest.raises(NotAssessableError, match="nothing can be nearest"):
        nearest_neighbor_accuracy(x[:2], y[:2], x_units=["p", "p"], y_units=["p", "p"])
