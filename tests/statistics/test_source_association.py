# SPDX-License-Identifier: Apache-2.0
"""How often the interval of Cramer's V holds the truth, and what a network does in cells without training items."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from monai_ethics.synthesis.data.source_table import SourceTable
from monai_ethics.synthesis.methods.association import cramers_v
from monai_ethics.synthesis.source_association import SourceAssociation

pytestmark = pytest.mark.slow
RUNS = 600


@pytest.mark.parametrize("per_unit", [1, 4])
@pytest.mark.parametrize(
    ("n", "margins", "truth"),
    [
        (80, (0.5, 0.5), 0.0),
        (80, (0.5, 0.5), 0.3),
        (80, (0.5, 0.5), 0.8),
        (200, (0.2, 0.2), 0.3),
        (200, (0.1, 0.5), 0.1),
    ],
)
def test_the_interval_of_v_holds_the_truth(n, margins, truth, per_unit):
    rng, hits = np.random.default_rng(n + per_unit), 0
    p, q = margins
    both = p * q + truth * np.sqrt(p * q * (1 - p) * (1 - q))
    cells = (both, p - both, q - both, 1 - p - q + both)
    for _ in range(RUNS):
        drawn = rng.choice(4, n // per_unit, p=cells).repeat(per_unit)
        found = cramers_v((drawn < 2).astype(str), (drawn % 2).astype(str), (np.arange(n) // per_unit).astype(str))
        hits += found is not None and found.low <= truth <= found.high
    print(f"V {truth}, {n} items, {per_unit} a unit: {hits / RUNS:.3f}")
    assert hits >= stats.binom.ppf(0.005, RUNS, 0.95) - 0.02 * RUNS


def images(rng, kinds, *, blurred):
    """Ellipses, wide (1) or tall (0), with noise; `blurred` ones are smoothed, as made by a poor generator."""
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    long, short = rng.uniform(0.55, 0.7, len(kinds)), rng.uniform(0.45, 0.55, len(kinds))
    a, b = np.where(kinds, long, short)[:, None, None], np.where(kinds, short, long)[:, None, None]
    made = ((x / a) ** 2 + (y / b) ** 2 < 1).astype(np.float64) + rng.normal(0, 0.3, (len(kinds), 16, 16))
    smooth = sum(np.roll(made, (i, j), (1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9
    return torch.from_numpy(np.where(np.asarray(blurred)[:, None, None], smooth, made)).float()[:, None]


def trained(rng, confounding, *, each=200):
    kinds = np.repeat([0, 1], each)
    few = round(each * (1 - confounding))
    made = np.concatenate([np.arange(each) < few, np.arange(each) >= few])
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(3))
    net = nn.Sequential(net, nn.Flatten(), nn.Linear(72, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    x, y = images(rng, kinds, blurred=made), torch.from_numpy(kinds)
    for _ in range(80):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    return net.eval(), made, kinds


@pytest.mark.parametrize("confounding", [0.5, 1.0])
def test_accuracy_in_unsupported_cells_falls_to_nothing_and_the_mean_does_not_show_it(confounding):
    rng = np.random.default_rng(1)
    net, made, kinds = trained(rng, confounding)
    flags, labels = np.tile([False, True], 100).repeat(2), np.tile([0, 1], 200)
    with torch.no_grad():
        right = net(images(rng, labels, blurred=flags)).argmax(1).numpy() == labels
    finding = SourceAssociation()(
        SourceTable(
            synthetic=made.tolist(),
            labels=[f"C{kind}" for kind in kinds],
            tested_synthetic=flags.tolist(),
            tested_labels=[f"C{kind}" for kind in labels],
            tested_correct=right.tolist(),
        )
    )
    number = {row.name: row.value for row in finding.estimates if not row.group}
    cells = {
        (row.group["source"], row.group["class"]): row.value for row in finding.estimates if row.name == "cell_accuracy"
    }
    same = right[(flags == (labels == 1))].mean()  # a test with the association of the training list
    print(
        f"confounding {confounding}: V {number['source_label_association']:.2f}, cells {cells}, same design {same:.2f}"
    )
    if confounding == 1.0:
        assert cells["real", "C1"] < 0.1
        assert cells["synthetic", "C0"] < 0.1
        assert same > 0.95
    else:
        assert number["worst_cell_accuracy"] > 0.6
