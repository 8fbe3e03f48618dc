# SPDX-License-Identifier: Apache-2.0
"""Draws that end at one look hold their level, and change nothing for data of usual size."""

import numpy as np
import pytest

from monai_ethics.fairness.methods.ratios import RatioGroup, ratio_omnibus
from monai_ethics.statistics import exchange, permutation
from monai_ethics.statistics.permutation import FirstLook, mean_omnibus


def groups(seed, *, shift=0.0, n=40):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=n), rng.normal(size=n) + shift]


@pytest.fixture
def early(monkeypatch):
    """The look comes as early as with 400,000 patients."""
    monkeypatch.setattr(permutation, "FIRST_CELLS", 1_000)
    monkeypatch.setattr(permutation, "FEWEST_FIRST", 99)
    for module in (permutation, exchange):
        monkeypatch.setattr(module, "CELLS", 80 * 20)


def test_usual_data_are_drawn_to_the_end():
    assert mean_omnibus(groups(0), n_permutations=500, rng=np.random.default_rng(0)).draws == 500
    assert not FirstLook(20_000, 10_000).enough([np.zeros(1), np.ones(10_000)])


def test_nothing_rare_ends_at_the_look_and_a_rare_one_does_not(early):
    found = mean_omnibus(groups(1), n_permutations=1_999, rng=np.random.default_rng(0))
    assert found.draws == 100
    assert found.p > permutation.ENOUGH / 101
    assert mean_omnibus(groups(1, shift=2.0), n_permutations=1_999, rng=np.random.default_rng(0)).draws == 1_999


def test_the_look_happens_once(early):
    look = FirstLook(80, 1_000)
    assert not look.enough([np.ones(1)])
    assert not look.enough([np.ones(1), np.zeros(99)])
    assert not look.enough([np.ones(1), np.zeros(99), np.full(99, 2.0)])


def test_ratios_of_shuffled_patients_end_at_the_look_too(early):
    made = [
        RatioGroup(label=str(i), patients=tuple(f"{i}-{k}" for k in range(40)), tops=v, bottoms=np.ones(40))
        for i, v in enumerate(groups(1))
    ]
    assert ratio_omnibus(made, n_permutations=1_999, rng=np.random.default_rng(0)).draws < 300


@pytest.mark.slow
def test_p_values_with_a_look_hold_every_level(early):
    p = np.array(
        [
            mean_omnibus(groups(seed, n=20), n_permutations=999, rng=np.random.default_rng(seed)).p
            for seed in range(3_000)
        ]
    )
    for level in (0.01, 0.05, 0.1, 0.2, 0.25, 0.5):
        share = float(np.mean(p <= level))
        print(f"level {level}: {share:.4f} of 3,000")
        assert share <= level + 3 * np.sqrt(level * (1 - level) / 3_000)
