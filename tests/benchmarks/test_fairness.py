# SPDX-License-Identifier: Apache-2.0
"""Areas of many groups, with their variance, beside a package that computes them one by one and without."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from monai_ethics.statistics.auc import areas_by_group

pytestmark = pytest.mark.slow
GROUPS = 80


@pytest.mark.parametrize("n", [100_000, 1_000_000])
def test_areas_of_eighty_groups_with_interval_beside_scikit_learn_without(paired, row, n):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, GROUPS, n, dtype=np.uint8)
    truth = rng.random(n) < 0.3
    score = rng.normal(size=n) + truth

    def ours():
        return areas_by_group(codes, truth, score, np.arange(n), GROUPS)

    def theirs():
        return np.array([roc_auc_score(truth[codes == g], score[codes == g]) for g in range(GROUPS)])

    found = ours()
    assert np.allclose(found.values, theirs(), atol=1e-12)
    result = paired(ours, theirs, repeats=5)
    row(f"AUC and its variance, n = {n:.0e}, {GROUPS} groups", result, f"{result.ours:.2f} s / {result.theirs:.2f} s")
