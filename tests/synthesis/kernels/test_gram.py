# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from monai_ethics.errors import InputError, NotAssessableError
from monai_ethics.synthesis.kernels.discrepancy import kid, median_bandwidths, mmd
from monai_ethics.synthesis.kernels.frechet import frechet_distance
from monai_ethics.synthesis.kernels.gram import MOST_ROWS, Gram
from monai_ethics.synthesis.kernels.manifold import manifold
from monai_ethics.synthesis.kernels.spectrum import effective_rank, truncated_entropy, vendi_score
from monai_ethics.synthesis.kernels.two_sample import nearest_neighbor_accuracy


@pytest.fixture(params=[(60, 200), (60, 10)], ids=["wide", "tall"])
def drawn(request):
    """Pool, its Gram, and two disjoint selections that are neither ordered nor of one size."""
    n, d = request.param
    rng = np.random.default_rng(0)
    pool = torch.from_numpy(rng.standard_normal((2 * n, d)) * rng.uniform(0.5, 1.5, d) + 2)
    order = rng.permutation(2 * n)
    return pool, Gram(pool), order[:40], order[45:]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("frechet", frechet_distance),
        ("kid", kid),
        ("mmd", mmd),
        ("nearest_neighbor_accuracy", nearest_neighbor_accuracy),
    ],
)
def test_two_selections_give_what_their_rows_give(drawn, name, function):
    pool, gram, a, b = drawn
    assert getattr(gram, name)(a, b) == pytest.approx(function(pool[a], pool[b]), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "function"),
    [("vendi", vendi_score), ("effective_rank", effective_rank), ("truncated_entropy", truncated_entropy)],
)
def test_one_selection_gives_what_its_rows_give(drawn, name, function):
    pool, gram, a, _ = drawn
    expected = function(pool[a])
    assert getattr(gram, name)(a) == (expected if expected is None else pytest.approx(expected, rel=1e-9))


def test_indicators_are_those_of_the_rows_with_ties_and_copies():
    rng = np.random.default_rng(0)
    pool = torch.from_numpy(rng.integers(0, 3, (80, 3)) / 7)
    gram = Gram(pool)
    for k in (1, 5):
        ours, rows = gram.manifold(range(40), range(40, 80), k), manifold(pool[:40], pool[40:], k)
        for name in ("memberships", "recalled", "covered"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(rows, name))


def test_indicators_are_those_of_the_rows(drawn):
    pool, gram, a, b = drawn
    ours, rows = gram.manifold(a, b), manifold(pool[a], pool[b])
    for name in ("memberships", "recalled", "covered", "k"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(rows, name))


def test_distances_are_exact_where_rows_repeat(drawn):
    pool, _, a, b = drawn
    pool = torch.cat([pool, pool[:5] + 1e-9, pool[:5]])
    found = Gram(pool).distances(range(5), range(len(pool) - 10, len(pool)))
    assert not found[:, 5:].diagonal().any()
    expected = (pool[:5] - pool[-10:-5]).norm(dim=1)
    torch.testing.assert_close(found[:, :5].diagonal(), expected, rtol=1e-12, atol=0)
    across = Gram(pool).distances(a, b)
    torch.testing.assert_close(across, torch.cdist(pool[a], pool[b]), rtol=1e-9, atol=1e-9)


def test_bandwidths_of_a_selection_are_those_of_its_rows_and_can_be_kept(drawn):
    pool, gram, a, b = drawn
    widths = gram.bandwidths(a)
    assert widths == pytest.approx(median_bandwidths(pool[a]), rel=1e-10)
    assert gram.mmd(a[:20], b, widths) == pytest.approx(mmd(pool[a[:20]], pool[b], widths), rel=1e-9)
    assert gram.mmd(a, b, [1.0]) == pytest.approx(mmd(pool[a], pool[b], [1.0]), rel=1e-9)


def test_rows_are_selected_by_lists_arrays_and_tensors(drawn):
    _, gram, a, b = drawn
    assert gram.kid(a, b) == gram.kid(list(a), torch.from_numpy(b))


def test_a_pool_too_large_for_all_pairs_and_selections_too_small_are_refused(drawn):
    _, gram, a, b = drawn
    with pytest.raises(InputError, match=str(MOST_ROWS)):
        Gram(torch.ones(MOST_ROWS + 1, 1))
    with pytest.raises(InputError, match="two rows or more"):
        gram.kid(a[:1], b)
    with pytest.raises(InputError, match="`k` must be"):
        gram.manifold(a[:5], b)
    with pytest.raises(InputError, match="2 or more rows"):
        gram.frechet(a[:1], b)
    with pytest.raises(InputError, match="not be zero"):
        Gram(torch.zeros(4, 2)).vendi([0, 1])


def test_equal_rows_have_no_effective_rank_nor_entropy():
    pool = torch.cat([torch.full((4, 30), 1 / 3), torch.rand(4, 30)])
    with pytest.raises(NotAssessableError):
        Gram(pool).effective_rank(range(4))
    assert Gram(pool).truncated_entropy(range(4), 1) is None


def test_the_pool_knows_its_size(drawn):
    pool, gram, _, _ = drawn
    assert len(gram) == len(pool)
