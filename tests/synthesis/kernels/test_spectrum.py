# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
import torch

from monai_ethics.errors import InputError, NotAssessableError
from monai_ethics.synthesis.kernels.spectrum import effective_rank, truncated_entropy, vendi_score


def normal(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def entropy(values):
    values = values[values > 1e-14]
    return math.exp(-(values * np.log(values)).sum())


@pytest.mark.parametrize(("n", "d"), [(20, 50), (50, 20)])
def test_vendi_is_that_of_all_similarities_on_either_side(n, d):
    x = normal(n, d) + 0.5
    unit = x.numpy() / np.linalg.norm(x.numpy(), axis=1, keepdims=True)
    values = np.linalg.eigvalsh(unit @ unit.T / n)
    assert vendi_score(x) == pytest.approx(entropy(values), rel=1e-11)
    assert vendi_score(3 * x) == pytest.approx(vendi_score(x), rel=1e-12)
    assert vendi_score(x, order=2) == pytest.approx(1 / np.square(values).sum(), rel=1e-11)
    assert vendi_score(x, order=math.inf) == pytest.approx(1 / values.max(), rel=1e-11)


def test_vendi_counts_what_differs():
    assert vendi_score(torch.eye(7)) == pytest.approx(7)
    assert vendi_score(torch.ones(7, 3)) == pytest.approx(1)
    assert vendi_score(torch.eye(4).repeat(5, 1)) == pytest.approx(4)


def test_a_row_of_zeros_and_an_order_of_zero_are_refused():
    with pytest.raises(InputError, match="no row of zeros"):
        vendi_score(torch.zeros(3, 2))
    with pytest.raises(InputError, match="must be positive"):
        vendi_score(torch.eye(3), order=0)


@pytest.mark.parametrize(("n", "d"), [(20, 50), (50, 20)])
def test_effective_rank_is_that_of_the_covariance_on_either_side(n, d):
    x = normal(n, d) * torch.arange(1, d + 1) ** -0.5 + 3
    values = np.linalg.eigvalsh(np.cov(x.numpy().T))
    assert effective_rank(x) == pytest.approx(entropy(values / values.sum()), rel=1e-9)
    assert effective_rank(10 * x - 5) == pytest.approx(effective_rank(x), rel=1e-9)


def test_rows_on_a_line_have_rank_one_and_equal_rows_none():
    assert effective_rank(torch.arange(5.0)[:, None] * torch.ones(5, 4) + 1) == pytest.approx(1)
    for value in (0.0, 0.1, 1e6):
        with pytest.raises(NotAssessableError, match="span no direction"):
            effective_rank(torch.full((5, 4), value))
        with pytest.raises(NotAssessableError, match="span no direction"):
            effective_rank(torch.full((7, 300), value, dtype=torch.float64) / 3)


@pytest.mark.parametrize(("n", "d"), [(40, 60), (60, 30)])
def test_truncated_entropy_is_that_of_the_largest_eigenvalues(n, d):
    x = normal(n, d)
    values = np.linalg.eigvalsh(np.cov(x.numpy().T))[-20:]
    expected = 10 * math.log(2 * math.pi * math.e) + 0.5 * np.log(values).sum()
    assert truncated_entropy(x) == pytest.approx(expected, rel=1e-10)
    assert truncated_entropy(10 * x) == pytest.approx(expected + 20 * math.log(10), rel=1e-10)


def test_truncated_entropy_has_no_value_where_too_few_directions_are_left():
    x = normal(10, 30).repeat(6, 1)
    assert truncated_entropy(x, 9) is not None
    assert truncated_entropy(x, 10) is None  # ten different rows vary in nine directions about their mean
    assert truncated_entropy(normal(20, 30), 20) is None
    assert truncated_entropy(normal(50, 19), 20) is None
    assert truncated_entropy(torch.ones(30, 40), 1) is None
    assert truncated_entropy(torch.ones(30, 40) / 3, 1) is None
    with pytest.raises(InputError, match="must be 1 or more"):
        truncated_entropy(x, 0)


def test_truncated_entropy_rises_as_images_are_copied_while_vendi_and_rank_fall():
    rng = np.random.default_rng(0)
    pool = normal(400, 128)
    drawn = {size: pool[:size][torch.from_numpy(rng.integers(0, size, 400))] for size in (400, 100, 40, 22)}
    entropies = [truncated_entropy(x) for x in drawn.values()]
    assert entropies == sorted(entropies)
    for score in (vendi_score, effective_rank):
        scores = [score(x) for x in drawn.values()]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("function", [vendi_score, effective_rank, truncated_entropy])
def test_the_order_of_the_rows_does_not_matter(function):
    x = normal(30, 40)
    assert function(x.flip(0)) == pytest.approx(function(x), rel=1e-12)
