# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.synthesis.data.pair_similarity import PairSimilarity
from monai_ethics.synthesis.methods.pair_means import pair_estimates

SETTINGS = {"groups": 20, "level": 0.95, "seed": 0}


def pairs(units):
    return [(f"{i:03d}", f"{(i + 1) % units:03d}") for i in range(units)]


def test_collapsed_images_are_more_alike_than_real_ones():
    rng = np.random.default_rng(0)
    given = PairSimilarity(
        synthetic=0.8 + 0.05 * rng.standard_normal(60),
        synthetic_pairs=pairs(60),
        real=0.4 + 0.05 * rng.standard_normal(80),
        real_pairs=pairs(80),
    )
    value, floor, excess = pair_estimates(given, **SETTINGS)
    assert [value.name, floor.name, excess.name] == ["ms_ssim", "ms_ssim_floor", "ms_ssim_excess"]
    assert excess.value == pytest.approx(value.value - floor.value)
    assert 0.3 < excess.low < 0.4 < excess.high < 0.5


def test_few_or_no_pairs_have_no_interval():
    few = PairSimilarity(synthetic=[0.5], synthetic_pairs=[("a", "b")], real=[], real_pairs=[])
    value, floor, excess = pair_estimates(few, **SETTINGS)
    assert (value.value, value.low) == (0.5, None)
    assert floor.value is None
    assert excess.reason == "There is no pair."
