# SPDX-License-Identifier: Apache-2.0
"""Corrections and the spread between groups beside statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from monai_ethics.statistics.corrections import adjust
from monai_ethics.statistics.shrunk import between_group_variance

pytestmark = pytest.mark.peers


@pytest.mark.parametrize(("ours", "theirs"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_adjusted_p_values_are_those_of_statsmodels(ours, theirs):
    rng = np.random.default_rng(0)
    for m in (1, 2, 7, 40):
        p = rng.random(m) ** 3
        assert adjust(list(p), ours) == pytest.approx(multipletests(p, method=theirs)[1], abs=1e-12)


def test_the_variance_between_groups_is_that_of_the_meta_analysis_and_never_below_0():
    rng = np.random.default_rng(1)
    below = 0
    for k in (2, 3, 5, 12, 20):
        means, errors = rng.normal(0, 0.4, k), rng.uniform(0.01, 0.2, k)
        with np.errstate(invalid="ignore"):  # theirs goes below 0 and takes a square root of it
            theirs = float(combine_effects(means, errors, method_re="chi2").tau2)
        below += theirs < 0
        assert float(between_group_variance(means, errors)) == pytest.approx(max(theirs, 0.0), abs=1e-9)
    assert below
