# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from monai_ethics.errors import InputError, NotAssessableError
from monai_ethics.synthesis.kernels import rows
from monai_ethics.synthesis.kernels.discrepancy import kid, median_bandwidths, mmd


def sets(n=30, m=40, d=6, *, seed=0, shift=0.3, scale=1.0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal((n, d))), torch.from_numpy(scale * rng.standard_normal((m, d)) + shift)


def by_loops(x, y, kernel):
    x, y = x.numpy(), y.numpy()
    within = [np.mean([kernel(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j]) for z in (x, y)]
    return sum(within) - 2 * np.mean([kernel(a, b) for a in x for b in y])


@pytest.fixture(params=[2**22, 100])
def small_blocks(request, monkeypatch):
    monkeypatch.setattr(rows.blocks, "__kwdefaults__", {"entries": request.param})


@pytest.mark.usefixtures("small_blocks")
def test_kid_is_its_definition_whatever_the_blocks():
    x, y = sets()
    assert kid(x, y) == pytest.approx(by_loops(x, y, lambda a, b: (a @ b / 6 + 1) ** 3), rel=1e-11)


@pytest.mark.usefixtures("small_blocks")
def test_mmd_is_its_definition_whatever_the_blocks():
    x, y = sets()

    def kernel(a, b):
        return np.mean([np.exp(-np.square(a - b).sum() / (2 * s * s)) for s in (0.7, 2.0)])

    assert mmd(x + 100, y + 100, [0.7, 2.0]) == pytest.approx(by_loops(x, y, kernel), rel=1e-9)


def test_the_bandwidths_are_the_real_sides_and_no_other():
    x, y = sets()
    distances = [np.linalg.norm(a - b) for i, a in enumerate(x.numpy()) for b in x.numpy()[:i]]
    widths = median_bandwidths(x)
    assert widths[2] == pytest.approx(np.sort(distances)[(len(distances) - 1) // 2], rel=1e-12)
    assert widths == pytest.approx(tuple(widths[2] * s for s in (0.25, 0.5, 1, 2, 4)))
    assert mmd(x, y) == pytest.approx(mmd(x, y, widths), rel=1e-12)
    assert median_bandwidths(3 * y) != pytest.approx(widths, rel=0.1)
    assert mmd(x, 3 * y) == pytest.approx(mmd(x, 3 * y, widths), rel=1e-12)


def test_equal_distributions_average_zero_and_half_of_them_lie_below():
    found = [(kid(*sets(20, 25, shift=0, seed=s)), mmd(*sets(20, 25, shift=0, seed=s))) for s in range(200)]
    means, errors = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(200)
    assert (np.abs(means) < 3.3 * errors).all()
    assert ((np.array(found) < 0).mean(axis=0) > 0.4).all()  # clamping would throw these away


def test_a_change_of_spread_alone_is_seen():
    x, y = sets(200, 200, shift=0, scale=3)
    same, other = sets(200, 200, shift=0)
    assert mmd(x, y) > 20 * abs(mmd(same, other))
    assert kid(x, y) > 20 * abs(kid(same, other))


def test_equal_real_rows_set_no_scale():
    with pytest.raises(NotAssessableError, match="set no scale"):
        mmd(torch.ones(5, 2), torch.rand(5, 2))


@pytest.mark.parametrize("function", [kid, mmd])
def test_one_row_or_another_width_is_refused(function):
    with pytest.raises(InputError, match="2 or more rows"):
        function(torch.rand(1, 3), torch.rand(5, 3))
    with pytest.raises(InputError, match="equally many features"):
        function(torch.rand(5, 3), torch.rand(5, 4))


def test_many_real_rows_are_thinned_for_their_median():
    x, _ = sets(2500, 2, 3)
    assert median_bandwidths(x)[2] == pytest.approx(median_bandwidths(x[:2000])[2], rel=0.02)
