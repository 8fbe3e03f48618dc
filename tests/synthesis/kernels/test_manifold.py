# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from monai_ethics.errors import InputError
from monai_ethics.synthesis.kernels import manifold as module
from monai_ethics.synthesis.kernels.manifold import manifold


def by_definition(x, y, k):
    """All distances in float64 by subtraction; closed balls."""

    def distances(a, b):
        return np.sqrt(np.square(a[:, None, :] - b[None, :, :]).sum(-1))

    x, y = x.double().numpy(), y.double().numpy()
    radius_x, radius_y = (np.sort(distances(z, z), axis=1)[:, k] for z in (x, y))
    across = distances(x, y)
    inside = across <= radius_x[:, None]
    return inside.sum(axis=0), (across <= radius_y).any(axis=1), inside.any(axis=1)


def assert_exact(x, y, k=5):
    found = manifold(x, y, k)
    for ours, theirs in zip((found.memberships, found.recalled, found.covered), by_definition(x, y, k), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    return found


def normal(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize("tile", [2**20, 64])
def test_every_indicator_is_that_of_the_definition(monkeypatch, tile):
    monkeypatch.setattr(module, "TILE", tile)
    x, y = normal(70, 12), 0.9 * normal(50, 12, seed=1) + 0.2
    found = assert_exact(x, y)
    assert found.precision == found.precise.mean() == (found.memberships > 0).mean()
    assert (found.recall, found.coverage) == (found.recalled.mean(), found.covered.mean())
    assert found.density == pytest.approx(found.memberships.mean() / 5)


@pytest.mark.parametrize("k", [1, 3])
def test_ties_count_as_inside_without_a_tolerance(k):
    rng = np.random.default_rng(0)
    x, y = torch.from_numpy(rng.integers(0, 3, (2, 60, 3)).astype(float))
    assert_exact(x, y, k)
    assert_exact(x / 7, y / 7, k)


def test_copies_and_repeated_rows_are_told_exactly():
    x = normal(40, 20).float()
    y = torch.cat([x[:10], x[:10], normal(15, 20, seed=2).float()])
    assert_exact(x, y)
    assert_exact(x, y, k=1)


def test_rows_far_from_the_origin_or_of_any_size_are_told_exactly():
    x, y = normal(40, 10), normal(40, 10, seed=1)
    for scale, shift in ((1, 1e4), (1e-20, 0), (1e25, 0)):
        found = assert_exact(scale * x + shift, scale * y + shift)
    x[0] *= 1e6  # one row beside which all others round to nothing in single precision
    assert_exact(x, y)
    assert 0 < found.precision <= 1


def test_all_rows_equal_lie_in_each_others_balls():
    found = assert_exact(torch.ones(8, 3), torch.ones(9, 3))
    assert (found.precision, found.recall, found.coverage, found.density) == (1, 1, 1, 8 / 5)


def test_sets_apart_share_nothing():
    found = manifold(normal(30, 5), normal(30, 5) + 100)
    assert (found.precision, found.recall, found.coverage, found.density) == (0, 0, 0, 0)


def test_precision_and_recall_change_places_with_the_sets():
    x, y = normal(40, 8), 0.8 * normal(50, 8, seed=1)
    one, other = manifold(x, y), manifold(y, x)
    assert (one.precision, one.recall) == (other.recall, other.precision)


def test_the_value_of_a_perfect_generator_is_not_one():
    x, y = normal(300, 64), normal(300, 64, seed=1)
    found = manifold(x, y)
    assert found.precision < 0.97
    assert found.recall < 0.97


def test_too_few_rows_or_neighbors_are_refused():
    with pytest.raises(InputError, match="6 or more rows"):
        manifold(normal(5, 2), normal(9, 2))
    with pytest.raises(InputError, match="`k` must be 1 or more"):
        manifold(normal(9, 2), normal(9, 2), k=0)
