# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from monai_ethics.errors import InputError
from monai_ethics.synthesis.kernels.frechet import fixed_projection, frechet_distance


def sets(n, m, d, *, seed=0, decay=0.0):
    rng = np.random.default_rng(seed)
    scale = np.arange(1.0, d + 1) ** -decay
    return [torch.from_numpy(rng.standard_normal((size, d)) * scale * a + b) for size, a, b in ((n, 1, 0), (m, 1.2, 1))]


def oracle(x, y):
    """Roots of the symmetric matrix in numpy's float64, from singular values, which lose nothing by squaring."""
    a, b = ((z - z.mean(0)) / np.sqrt(len(z) - 1) for z in (x.numpy(), y.numpy()))
    shift = np.square(x.numpy().mean(0) - y.numpy().mean(0)).sum()
    return shift + np.square(a).sum() + np.square(b).sum() - 2 * np.linalg.norm(a @ b.T, "nuc")


@pytest.mark.parametrize(
    ("n", "m", "d", "decay"), [(30, 40, 100, 0), (100, 30, 50, 0), (60, 300, 20, 0), (300, 200, 40, 1), (90, 80, 60, 4)]
)
def test_the_distance_is_that_of_singular_values(n, m, d, decay):
    x, y = sets(n, m, d, decay=decay)
    assert frechet_distance(x, y) == pytest.approx(oracle(x, y), rel=1e-9)
    assert frechet_distance(y, x) == pytest.approx(oracle(x, y), rel=1e-9)


def test_known_gaussians_have_the_known_distance():
    rng = np.random.default_rng(0)
    whitened = rng.standard_normal((500, 3))
    whitened -= whitened.mean(0)
    whitened @= np.linalg.inv(np.linalg.cholesky(np.cov(whitened.T))).T
    x, y = torch.from_numpy(whitened), torch.from_numpy(whitened * [2, 1, 3] + [0, 5, 0])
    assert frechet_distance(x, y) == pytest.approx(25 + 1 + 0 + 4, rel=1e-9)


def test_a_set_is_at_no_distance_from_itself():
    for n, d in ((20, 50), (50, 20)):
        x, _ = sets(n, n, d)
        assert frechet_distance(x, x.flip(0)) == pytest.approx(0, abs=1e-8 * d)


def test_a_singular_covariance_is_no_obstacle():
    x, y = sets(200, 150, 20)
    x[:, 10:], y[:, 15:] = 3.0, 0.0
    assert frechet_distance(x, y) == pytest.approx(oracle(x, y), rel=1e-9)


def test_a_shift_or_single_precision_of_all_rows_changes_little():
    x, y = sets(50, 60, 30)
    far = frechet_distance(x + 1e3, y + 1e3)
    assert far == pytest.approx(frechet_distance(x, y), rel=1e-9)
    assert frechet_distance(x.float(), y.float()) == pytest.approx(frechet_distance(x, y), rel=1e-6)


def test_fewer_rows_give_a_greater_distance_between_equal_distributions():
    rng = np.random.default_rng(0)

    def mean(n):
        return np.mean([frechet_distance(*torch.from_numpy(rng.standard_normal((2, n, 16)))) for _ in range(20)])

    assert mean(25) > 1.8 * mean(50) > 3 * mean(100)  # a bias of about a constant over N


@pytest.mark.parametrize(
    "rows", [torch.ones(1, 3), torch.ones(3), torch.ones(4, 2), torch.full((4, 3), torch.nan), torch.ones(4, 0)]
)
def test_what_is_no_set_of_rows_is_refused(rows):
    with pytest.raises(InputError):
        frechet_distance(rows, torch.ones(4, 3))


@pytest.mark.parametrize(("n", "d"), [(200, 12), (20, 60)])
def test_a_projection_holds_the_directions_of_greatest_variance(n, d):
    x, _ = sets(n, n, d, decay=0.5)
    found = fixed_projection(x, 5)
    values, vectors = np.linalg.eigh(np.cov(x.numpy().T))
    assert found.shape == (d, 5)
    np.testing.assert_allclose((found.T @ found).numpy(), np.eye(5), atol=1e-10)
    np.testing.assert_allclose(np.abs(np.sum(vectors[:, ::-1][:, :5] * found.numpy(), axis=0)), 1, atol=1e-8)
    np.testing.assert_allclose((x @ found).numpy().var(axis=0, ddof=1), values[::-1][:5], rtol=1e-8)


@pytest.mark.parametrize(("n", "d"), [(200, 12), (20, 60)])
def test_a_projection_does_not_depend_on_the_order_of_the_rows_or_the_sign_of_nothing(n, d):
    x, _ = sets(n, n, d, decay=0.5)
    order = torch.from_numpy(np.random.default_rng(1).permutation(n))
    found = fixed_projection(x, 4)
    torch.testing.assert_close(fixed_projection(x[order], 4), found, atol=1e-8, rtol=0)
    assert bool((found.gather(0, found.abs().argmax(dim=0, keepdim=True)) > 0).all())


def test_more_directions_than_the_reference_varies_in_are_refused():
    x, _ = sets(6, 6, 20)
    assert fixed_projection(x, 5).shape == (20, 5)
    for p in (0, 6):
        with pytest.raises(InputError, match="between 1 and the 5 directions"):
            fixed_projection(x, p)
