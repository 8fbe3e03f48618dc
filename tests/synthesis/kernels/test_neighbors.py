# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_ethics.synthesis.kernels.neighbors import nearest


def brute(x, y, k):
    distance = np.sqrt(np.square(x[:, None].astype(np.float64) - y[None]).sum(-1))
    order = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distance, order, axis=1), order


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 40),
    m=st.integers(1, 60),
    d=st.integers(1, 30),
    k=st.integers(1, 5),
    tile=st.sampled_from([1, 64, 2**22]),
    scale=st.sampled_from([1e-30, 1.0, 1e30]),
    seed=st.integers(0, 99),
)
def test_it_equals_brute_force_in_float64(n, m, d, k, tile, scale, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(-2, 3, (n, d)) * scale, rng.integers(-2, 3, (m, d)) * scale  # full of ties
    found = nearest(x, y, k=k, tile=tile)
    distance, index = brute(x, y, min(k, m))
    np.testing.assert_allclose(found.distance, distance, rtol=1e-12)
    assert found.distance.shape == index.shape
    np.testing.assert_array_equal(found.index, index)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 150),
    d=st.integers(1, 20),
    k=st.integers(1, 6),
    tile=st.sampled_from([1, 400, 4000]),
    order=st.sampled_from(["any", "ever nearer", "ever farther"]),
    seed=st.integers(0, 99),
)
def test_a_set_and_itself_equal_brute_force_whatever_the_order_of_the_rows(n, d, k, tile, order, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, (n, d)).astype(np.float32)  # full of ties
    if order != "any":  # each block holds nearer rows than all before it: nothing is left out by what was found
        spread = np.geomspace(1, 1e-3, n) if order == "ever nearer" else np.geomspace(1e-3, 1, n)
        x = x * spread[:, None].astype(np.float32)
    found = nearest(x, x, k=k, tile=tile)
    distance, index = brute(x, x, min(k, n))
    np.testing.assert_allclose(found.distance, distance, rtol=1e-12)
    np.testing.assert_array_equal(found.index, index)


def test_a_copy_has_distance_exactly_zero_far_from_the_origin():
    y = np.random.default_rng(0).standard_normal((300, 64)).astype(np.float32) + 1e4
    found = nearest(y[:50], y)
    assert not found.distance.any()
    assert found.index[:, 0].tolist() == list(range(50))


def test_what_float32_cannot_tell_apart_is_measured_in_full():
    rng = np.random.default_rng(1)
    center = rng.standard_normal(128) * 100
    y = center + 1e-7 * rng.standard_normal((500, 128))
    y[250:] += 1000  # so that the mean is far from the crowd
    found = nearest(y[:20] + 1e-8, y)
    assert found.checked_in_full > 0
    np.testing.assert_array_equal(found.index, brute(y[:20] + 1e-8, y, 1)[1])


def test_most_rows_of_ordinary_features_need_no_second_look():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((2, 400, 256)).astype(np.float32)
    assert nearest(x, y).checked_in_full == 0


def test_the_setting_for_matrix_products_is_left_as_it_was():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        nearest(np.eye(3), np.eye(3))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_no_query_gives_no_neighbor():
    assert nearest(np.zeros((0, 3)), np.zeros((2, 3))).distance.shape == (0, 1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_device_does_not_matter():
    x, y = np.random.default_rng(3).standard_normal((2, 500, 64)).astype(np.float32)
    np.testing.assert_array_equal(nearest(x, y, k=3).distance, nearest(x, y, k=3, device="cuda").distance)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((2, 3)), np.zeros((0, 3))),
        (np.zeros((2, 3)), np.zeros((2, 4))),
        (np.zeros(3), np.zeros((2, 3))),
        (np.zeros((2, 3), dtype=int), np.zeros((2, 3))),
        (np.full((2, 3), np.nan), np.zeros((2, 3))),
    ],
)
def test_unusable_features_are_refused(x, y):
    with pytest.raises(ValueError, match=r"must (be|have)"):
        nearest(x, y)


@pytest.mark.parametrize("tile", [2**22, 2000, 300])
def test_the_neighbors_of_a_set_within_itself_are_those_of_a_copy(tile):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((150, 9))
    rows[100:120] = rows[:20]
    within, across = nearest(rows, rows, k=6, tile=tile), nearest(rows, rows.copy(), k=6)
    np.testing.assert_array_equal(within.distance, across.distance)
    np.testing.assert_array_equal(within.index, across.index)
