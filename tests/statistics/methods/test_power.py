# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy import stats

from monai_ethics.statistics.power import minimum_detectable_gap, minimum_detectable_relative_effect


def test_two_groups_of_64_find_half_a_deviation():
    assert minimum_detectable_gap([64, 64], 1.0) == pytest.approx(0.5, abs=0.002)  # Cohen 1988, table 2.4.1


def test_more_patients_and_fewer_tests_find_smaller_gaps():
    assert minimum_detectable_gap([100, 100], 1.0) < minimum_detectable_gap([100, 20], 1.0)
    assert minimum_detectable_gap([50, 50], 1.0, alpha=0.01) > minimum_detectable_gap([50, 50], 1.0)
    assert minimum_detectable_gap([50, 50], 2.0) == pytest.approx(2 * minimum_detectable_gap([50, 50], 1.0))


def test_the_stated_gap_is_found_in_four_of_five_trials():
    rng = np.random.default_rng(0)
    gap = minimum_detectable_gap([25, 40], 1.0)
    hits = [stats.ttest_ind(rng.normal(size=25), rng.normal(gap, 1, 40)).pvalue <= 0.05 for _ in range(1500)]
    assert np.mean(hits) == pytest.approx(0.8, abs=0.035)


def test_a_relative_effect_stays_a_probability():
    assert 0.5 < minimum_detectable_relative_effect([50, 50]) < 0.7
    assert minimum_detectable_relative_effect([3, 3]) == 1
