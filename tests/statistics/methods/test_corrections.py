# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy import stats

from monai_ethics.errors import InputError
from monai_ethics.statistics.corrections import adjust, benjamini_hochberg, holm, max_t

P = [0.01, 0.04, 0.03, 0.005]


def test_holms_correction_is_that_of_the_textbook():
    assert holm(P) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1, 1]


def test_benjamini_and_hochbergs_correction_is_scipys():
    rng = np.random.default_rng(0)
    for _ in range(20):
        p = rng.random(9) ** 3
        assert benjamini_hochberg(list(p)) == pytest.approx(stats.false_discovery_control(p))
    assert adjust(P, "bh") == benjamini_hochberg(P)
    assert benjamini_hochberg([]) == []


def test_an_unknown_correction_is_refused():
    with pytest.raises(InputError, match="holm, bh"):
        adjust(P, "max_t")


def test_max_t_counts_draws_whose_largest_statistic_reaches_the_observed_one():
    null = np.array([[1.0, 5.0], [2.0, 0.5], [0.1, 0.2]])
    statistics = np.vstack([[3.0, 1.0], null])
    # the first: one draw of three reaches 3 anywhere; the second: among what is left, one draw reaches 1
    assert max_t(statistics) == [2 / 4, 2 / 4]
    assert max_t(np.vstack([[6.0, 0.3], null])) == [1 / 4, 3 / 4]


def test_max_t_of_one_statistic_repeated_corrects_nothing():
    rng = np.random.default_rng(1)
    one = np.abs(rng.standard_normal((500, 1)))
    one[0] = 2.5
    assert max_t(np.repeat(one, 5, axis=1)) == max_t(one) * 5


def test_max_t_lies_between_the_p_value_and_bonferronis():
    rng = np.random.default_rng(2)
    statistics = np.abs(rng.standard_normal((2000, 6)))
    statistics[0] = [3, 2.5, 2, 1, 0.5, 0.1]
    alone = [max_t(statistics[:, [i]])[0] for i in range(6)]
    together = max_t(statistics)
    assert together == sorted(together)
    assert all(p <= q <= 6 * p + 0.02 for p, q in zip(alone, together, strict=True))
