# SPDX-License-Identifier: Apache-2.0
"""Corrections and the spread between groups beside statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from monai_ethics.fairness.methods.corrections import adjust
from monai_ethics.fairness.methods.shrunk import between_group_variance

pytestmark = pytest.mark.peers


@pytest.mark.parametrize(("ours", "theirs"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_adjusted_p_values_are_those_of_statsmodels(ours, theirs):
    rng = np.random.default_rng(0)
    for m in (1, 2, 7, 40):
        p = rng.random(m) ** 3
        assert adjust(list(p), ours) == pytest.approx(multipletests(p, method=theirs)[1], abs=1e-12)


def test_the_variance_between_groups_is_that_of_the_meta_analysis():
    rng = np.random.default_rng(1)
    for k in (2, 5, 12):
        means, errors = rng.normal(0, 0.4, k), rng.uniform(0.01, 0.2, k)
        theirs = max(float(combine_effects(means, errors, method_re="chi2").tau2), 0.0)
        assert float(between_group_variance(means, errors)) == pytest.approx(theirs, abs=1e-9)
