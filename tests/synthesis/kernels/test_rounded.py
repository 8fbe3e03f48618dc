# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from monai_ethics.synthesis.kernels import manifold as manifold_module
from monai_ethics.synthesis.kernels import neighbors as neighbors_module
from monai_ethics.synthesis.kernels import rounded as module
from monai_ethics.synthesis.kernels.manifold import manifold
from monai_ethics.synthesis.kernels.neighbors import nearest
from monai_ethics.synthesis.kernels.rounded import COARSE, FINE, Frame, full_precision, products, rounded


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def one_dominates(x, y):
    x[:, 0], y[:, 0] = 1e6 * x[:, 0], 1e6 * y[:, 0]
    return x, y


def one_row_dominates(x, y):
    x[0] *= 1e6
    return x, y


def repeated(x, y):
    x[20:40], y[:20], y[20:30] = x[:20], x[:20], y[30:40]
    return x, y


def below_float32(x, y):
    return 1 + 1e-9 * x, 1 + 1e-9 * y


def clustered(x, y):
    middle = 100 * normal(3, x.shape[1], seed=7)
    return middle[np.arange(len(x)) % 3] + 1e-2 * x, middle[np.arange(len(y)) % 3] + 1e-2 * y


def single(x, y):
    return x.astype(np.float32), y.astype(np.float32)


FEATURES = {
    "normal": lambda x, y: (x, y),
    "float32": single,
    "never negative": lambda x, y: (np.maximum(x, 0), np.maximum(y, 0)),
    "far away": lambda x, y: (x + 1e6, y + 1e6),
    "sets apart": lambda x, y: (x, y + 30),
    "integers": lambda x, y: (np.rint(x), np.rint(y)),
    "sevenths": lambda x, y: (np.rint(x) / 7, np.rint(y) / 7),
    "tiny": lambda x, y: (1e-20 * x, 1e-20 * y),
    "vanishing": lambda x, y: (1e-150 * x, 1e-150 * y),
    "huge": lambda x, y: (1e18 * x, 1e18 * y),
    "one feature dominates": one_dominates,
    "one row dominates": one_row_dominates,
    "repeated rows": repeated,
    "differences below float32": below_float32,
    "clusters": clustered,
    "all equal": lambda x, y: (np.ones_like(x), np.ones_like(y)),
}
TIERS = {  # whether bfloat16 is used, the share of failures from which it is not, multiplications for oneDNN
    "coarse": (True, 2.0, 2**26),
    "coarse, given up": (True, -1.0, 2**26),
    "fine": (False, 2.0, 2**60),
    "fine, by oneDNN": (False, 2.0, 0),
}


@pytest.fixture(params=FEATURES)
def sets(request):
    return FEATURES[request.param](normal(70, 40), 0.9 * normal(60, 40, seed=1) + 0.1)


def tier(monkeypatch, name):
    """Take this one whatever the machine and the size."""
    coarse, failed, large = TIERS[name]
    monkeypatch.setattr(module, "LARGE", large)
    monkeypatch.setattr(module, "coarse_pays", lambda *_: coarse)
    monkeypatch.setattr(neighbors_module, "FAILED", failed)
    monkeypatch.setattr(manifold_module, "UNSETTLED", failed)


def brute(x, y):
    return np.sqrt(np.square(x[:, None].astype(np.float64) - y[None]).sum(-1))


@pytest.mark.parametrize("dtype", [COARSE, FINE])
def test_no_squared_distance_errs_by_more_than_its_bound(sets, dtype):
    frame = Frame.of(*sets, device="cpu")
    a, b = (rounded(frame, rows, dtype) for rows in sets)
    with full_precision():
        less, more = (part.double().numpy() for part in products(a, b))
    error = (a.error(b)[:, None] + b.error(a)).double().numpy()
    norms = (a.norm[:, None] + b.norm).double().numpy()
    true = np.square(frame.scale * brute(*sets))
    assert (norms + less - error <= true).all()
    assert (true <= norms + more + error).all()
    assert float(a.norm.max()) <= 1.0


def test_the_bound_holds_where_all_that_rounding_takes_away_points_one_way():
    x = np.full((4, 4096), 1.0 + 2.0**-8)  # halfway between two numbers of bfloat16
    x[1::2] *= -1
    frame = Frame(center=np.zeros(4096), scale=2.0**-7, device="cpu")
    a = rounded(frame, x, COARSE)
    less, more = products(a, a)
    true = np.square(frame.scale * brute(x, x))
    error, norms = (a.error(a)[:, None] + a.error(a)).numpy(), (a.norm[:, None] + a.norm).numpy()
    assert (norms + less.numpy() - error <= true).all()
    assert (true <= norms + more.numpy() + error).all()
    assert a.lost == pytest.approx(2.0**-8, rel=0.01)


@pytest.mark.parametrize("large", [0, 2**60], ids=["oneDNN", "default"])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_float32_of_many_features_errs_by_far_less_than_its_bound(monkeypatch, large, shift):
    monkeypatch.setattr(module, "LARGE", large)
    a = rounded(Frame(center=np.zeros(4096), scale=2.0**-7, device="cpu"), normal(60, 4096) + shift, FINE)
    with full_precision():
        less, _ = products(a, a)
    exact = a.rows.double()
    error = (less.double() + 2.0 * exact @ exact.T).abs()
    assert float((error / (a.error(a)[:, None] + a.error(a))).max()) < 0.5


@pytest.mark.parametrize("name", TIERS)
def test_neighbors_are_those_of_float64_in_every_tier(monkeypatch, sets, name):
    tier(monkeypatch, name)
    x, y = sets
    for query, reference in ((x, y), (x, x)):
        for k in (1, 6):
            found = nearest(query, reference, k=k)
            distance = brute(query, reference)
            order = np.argsort(distance, axis=1, kind="stable")[:, :k]
            np.testing.assert_array_equal(found.index, order)
            np.testing.assert_array_equal(found.distance, np.take_along_axis(distance, order, axis=1))


@pytest.mark.parametrize("name", TIERS)
def test_balls_are_those_of_float64_in_every_tier(monkeypatch, sets, name):
    tier(monkeypatch, name)
    found = manifold(*map(torch.from_numpy, sets), k=5)
    x, y = sets
    radius_x, radius_y = (np.sort(brute(z, z), axis=1)[:, 5] for z in (x, y))
    inside = brute(x, y) <= radius_x[:, None]
    np.testing.assert_array_equal(found.memberships, inside.sum(axis=0))
    np.testing.assert_array_equal(found.covered, inside.any(axis=1))
    np.testing.assert_array_equal(found.recalled, (brute(x, y) <= radius_y).any(axis=1))


def test_bfloat16_settles_ordinary_features_and_is_given_up_for_crowded_ones(monkeypatch):
    tier(monkeypatch, "coarse")
    monkeypatch.setattr(neighbors_module, "FAILED", 0.25)
    used = []
    monkeypatch.setattr(
        neighbors_module, "rounded", lambda *args: used.append((args[2], len(args[1]))) or rounded(*args)
    )
    ordinary = normal(500, 256)
    nearest(ordinary, ordinary.copy())
    assert (FINE, 500) not in used
    used.clear()
    crowded = 30 + 1e-3 * ordinary
    crowded[:2] *= -1  # so that the mean is not among the crowd
    nearest(crowded, crowded.copy())
    assert (FINE, 500) in used
    assert used.count((COARSE, 500)) == 1  # the reference; of the queries, only the trial


def test_bfloat16_is_used_where_it_is_multiplied_in_hardware_and_nowhere_else(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert module.coarse_pays("cpu", 5000 * 5000, 2048)
    assert not module.coarse_pays("cpu", 100 * 100, 2048)
    assert not module.coarse_pays("cpu", 5000 * 5000, 16)
    assert not module.coarse_pays("cuda", 5000 * 5000, 2048)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert not module.coarse_pays("cpu", 5000 * 5000, 2048)
