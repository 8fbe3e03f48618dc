# SPDX-License-Identifier: Apache-2.0
"""Nearest neighbors beside scikit-learn and torch.cdist, as paired ratios of wall time; nothing is asserted of time.

Run with ``python -m pytest tests/benchmarks/test_nearest_neighbors.py -m slow -s``.
"""

import time

import numpy as np
import pytest
import torch

from monai_ethics.synthesis.kernels.neighbors import nearest

pytestmark = pytest.mark.slow

SIZES = [(2000, 256), (2000, 2048), (5000, 512)]
REPEATS = 7
COPIES = 20


def by_cdist(x, y):
    found = torch.cdist(torch.from_numpy(x), torch.from_numpy(y)).min(dim=1)
    return found.values.numpy(), found.indices.numpy()


def by_scikit_learn(x, y):
    neighbors = pytest.importorskip("sklearn.neighbors")
    distance, index = neighbors.NearestNeighbors(n_neighbors=1, algorithm="brute").fit(y).kneighbors(x)
    return distance[:, 0], index[:, 0]


def by_us(x, y):
    found = nearest(x, y)
    return found.distance[:, 0], found.index[:, 0]


def seconds(function, *data):
    start = time.perf_counter()
    function(*data)
    return time.perf_counter() - start


@pytest.mark.parametrize(("n", "d"), SIZES)
@pytest.mark.parametrize("peer", [by_scikit_learn, by_cdist])
def test_cost_beside_a_peer_and_what_a_copy_measures(repeated, n, d, peer):
    x, y = np.random.default_rng(0).standard_normal((2, n, d)).astype(np.float32)
    y[:COPIES] = x[:COPIES]
    ours, theirs = by_us(x, y), peer(x, y)  # also the warm-up
    ratios = sorted(seconds(by_us, x, y) / seconds(peer, x, y) for _ in range(repeated(REPEATS)))
    low, median, high = ratios[0], ratios[len(ratios) // 2], ratios[-1]
    print(
        f"\n| {n} x {n}, d={d} | ours / {peer.__name__[3:]} | {median:.2f} ({low:.2f}-{high:.2f}) "
        f"| copy at 0 / {theirs[0][:COPIES].max():.1e} |"
    )
    assert not ours[0][:COPIES].any()
    np.testing.assert_array_equal(ours[1], theirs[1])
