# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy import stats

from monai_ethics.fairness.methods.odds import average_odds, odds_omnibus
from monai_ethics.fairness.methods.ratios import (
    RatioGroup,
    design_effect,
    ratio_detectable,
    ratio_difference,
    ratio_omnibus,
    ratio_value_interval,
)
from monai_ethics.fairness.methods.reference_ppv import reference_ppv
from monai_ethics.statistics.differences import newcombe
from monai_ethics.statistics.intervals import wilson
from monai_ethics.statistics.rate_power import detectable_rate_gap, rate_sample_size


def group(label, hits, bottoms=None, patients=None):
    tops = np.array(hits, dtype=np.float64)
    return RatioGroup(
        label=label,
        patients=tuple(f"{label}{i}" for i in range(len(tops))) if patients is None else tuple(patients),
        tops=tops,
        bottoms=np.ones(len(tops)) if bottoms is None else np.array(bottoms, dtype=np.float64),
    )


def rate(label, hits, n):
    return group(label, [1] * hits + [0] * (n - hits))


def omnibus(*groups, draws=9_999, seed=0):
    return ratio_omnibus(groups, n_permutations=draws, rng=np.random.default_rng(seed))


def test_one_case_a_patient_gives_wilson_and_newcombe():
    a, b = rate("a", 9, 12), rate("b", 3, 15)
    found = ratio_value_interval(a, counts=True)
    assert (found.low, found.high) == wilson(9, 12)
    difference, p = ratio_difference(a, b, counts=True)
    assert (difference.low, difference.high) == pytest.approx(newcombe((9, 3), (12, 15)))
    assert p < 0.05


def test_p_of_a_pair_is_the_level_at_which_its_interval_touches_zero():
    a, b = rate("a", 9, 12), rate("b", 3, 15)
    _, p = ratio_difference(a, b, counts=True)
    result, _ = ratio_difference(a, b, level=1 - p, counts=True)
    assert result.low == pytest.approx(0, abs=1e-5)
    assert ratio_difference(a, rate("c", 9, 12), counts=True)[1] == 1.0
    assert ratio_difference(rate("a", 400, 400), rate("b", 0, 400), counts=True)[1] == 1e-12


def test_permutation_agrees_with_fishers_exact_test():
    result = omnibus(rate("a", 17, 20), rate("b", 9, 20), draws=40_000)
    assert result.p == pytest.approx(stats.fisher_exact([[17, 3], [9, 11]]).pvalue, abs=0.003)
    assert result.gap == pytest.approx(0.4)


def test_statistic_of_one_case_a_patient_is_the_chi_square_of_a_table():
    table = np.array([[40, 10], [30, 20], [44, 6]])
    result = omnibus(*(rate(str(i), int(hits), int(hits + misses)) for i, (hits, misses) in enumerate(table)))
    assert result.p == pytest.approx(stats.chi2_contingency(table).pvalue, abs=0.004)


def test_shuffling_and_counting_patients_are_the_same_test():
    rng = np.random.default_rng(3)
    bottoms = [rng.integers(1, 9, 60) for _ in range(2)]
    tops = [rng.binomial(m, 0.7) for m in bottoms]
    groups = [group(label, t, m) for label, t, m in zip("ab", tops, bottoms, strict=True)]
    shuffled = omnibus(*groups, draws=20_000)
    repeated = [group(g.label, np.tile(g.tops, 40), np.tile(g.bottoms, 40)) for g in groups]
    counted = omnibus(*repeated, draws=20_000)
    assert counted.gap == pytest.approx(shuffled.gap)
    assert counted.gap_null_mean == pytest.approx(shuffled.gap_null_mean / np.sqrt(40), rel=0.03)


def test_names_and_order_change_no_byte():
    rng = np.random.default_rng(4)
    bottoms = [rng.integers(1, 5, n) for n in (30, 20, 25)]
    tops = [rng.binomial(m, 0.6) for m in bottoms]
    groups = [group(label, t, m) for label, t, m in zip("abc", tops, bottoms, strict=True)]
    other = [group(g.label * 2, g.tops[::-1], g.bottoms[::-1]) for g in reversed(groups)]
    assert omnibus(*groups) == omnibus(*other)


def test_groups_without_any_spread_do_not_differ():
    assert omnibus(rate("a", 10, 10), rate("b", 12, 12)).p == 1.0
    assert omnibus(group("a", [2.0] * 10), group("b", [2.0] * 12)).p == 1.0


def test_two_groups_that_do_not_overlap_are_as_rare_as_their_divisions():
    assert omnibus(rate("a", 10, 10), rate("b", 0, 10)).p < 0.001


def test_ratio_that_is_no_count_has_the_linearised_interval():
    values = np.array([0.1, -0.2, 0.4, 0.3, 0.05, 0.2])
    found = ratio_value_interval(group("a", values), counts=False)
    expected = stats.t.interval(0.95, 5, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    other = values + np.array([0, 0, 1, 0, 1, 1])
    difference, p = ratio_difference(group("a", values), group("b", other), counts=False)
    reference = stats.ttest_ind(values, other, equal_var=False)
    assert p == pytest.approx(reference.pvalue)
    assert difference.low == pytest.approx(reference.confidence_interval().low)


@pytest.mark.parametrize("counts", [True, False])
def test_what_one_patient_cannot_tell_has_a_reason(counts):
    one, many = group("a", [3], [4]), group("b", [1, 2, 3], [4, 4, 4])
    assert ratio_value_interval(one, counts=counts).low is None
    assert "one patient" in ratio_value_interval(one, counts=counts).reason
    assert ratio_difference(one, many, counts=counts)[0].reason
    assert ratio_value_interval(group("a", []), counts=counts).value is None
    assert ratio_difference(group("a", []), many, counts=counts)[0].value is None


def test_patients_in_both_groups_give_the_paired_interval():
    rng = np.random.default_rng(5)
    first = rng.random(40) < 0.6
    second = np.where(rng.random(40) < 0.8, first, ~first)
    names = [f"p{i}" for i in range(40)]
    a, b = group("a", first, patients=names), group("b", second, patients=names)
    difference, p = ratio_difference(a, b, counts=True)
    reference = stats.ttest_rel(first.astype(float), second.astype(float))
    assert p == pytest.approx(reference.pvalue)
    assert difference.low == pytest.approx(reference.confidence_interval().low)
    assert 0.3 < omnibus(a, b).p / p < 3


def test_design_effect_is_that_of_whole_patients():
    same = [group(label, [4] * 10 + [0] * 10, [4] * 20) for label in "ab"]
    assert design_effect(same) == pytest.approx(4 * 20 / 19)
    assert design_effect([rate("a", 3, 9), rate("b", 4, 9)]) == 1.0


def test_detectable_gap_follows_the_facts_at_a_rate_of_85_percent():
    assert detectable_rate_gap([25, 25], 0.85) == pytest.approx(0.28, abs=0.005)
    assert detectable_rate_gap([12, 12], 0.85) == pytest.approx(0.41, abs=0.005)
    assert detectable_rate_gap([12, 12], 0.15) == pytest.approx(detectable_rate_gap([12, 12], 0.85))
    assert detectable_rate_gap([2, 2], 0.5) is None
    assert rate_sample_size(0.9, 0.8) == 195
    assert rate_sample_size(0.9, 0.8, alpha=0.005) == 331
    assert rate_sample_size(0.9, 0.8, design_effect=2) == 390


def test_detectable_gap_grows_with_the_design_effect_and_not_with_the_observed_gap():
    alone = ratio_detectable([rate("a", 20, 25), rate("b", 20, 25)], alpha=0.05, base_rate=0.85)
    apart = ratio_detectable([rate("a", 25, 25), rate("b", 10, 25)], alpha=0.05, base_rate=0.85)
    assert alone.value == apart.value
    repeated = [group(label, [4] * 5 + [0] * 2, [4] * 7) for label in "ab"]
    assert ratio_detectable(repeated, alpha=0.05, base_rate=0.85).value > 1.9 * detectable_rate_gap([28, 28], 0.85)
    assert ratio_detectable([group("a", [1.0, 2.0, 3.0]), group("b", [1.0, 2.0, 4.0])], alpha=0.05).value > 1
    assert "no spread" in ratio_detectable([group("a", [1.0] * 3), group("b", [1.0] * 3)], alpha=0.05).reason


def test_joint_test_finds_what_either_rate_shows():
    same, less = (rate("a", 16, 20), rate("b", 16, 20)), (rate("a", 18, 20), rate("b", 6, 20))
    far = tuple(
        RatioGroup(label=g.label, patients=tuple(f"n{p}" for p in g.patients), tops=g.tops, bottoms=g.bottoms)
        for g in less
    )
    test = odds_omnibus(same, far, n_permutations=4_999, rng=np.random.default_rng(0))
    assert test.worst.p < 0.01
    assert test.worst.gap == pytest.approx(0.6)
    assert test.mean.gap == pytest.approx(0.3)
    value, _ = average_odds((same[0], far[0]), (same[1], far[1]))
    assert value.value == pytest.approx(0.3)


def test_ppv_at_the_groups_own_prevalence_is_its_ppv():
    tpr, fpr = rate("p", 16, 20), rate("n", 6, 30)
    found = reference_ppv(tpr, fpr, 20 / 50)
    assert found.value == pytest.approx(16 / 22)
    assert found.low < found.value < found.high
    assert reference_ppv(rate("p", 0, 9), rate("n", 0, 9), 0.5).value is None
    assert reference_ppv(tpr, group("n", []), 0.5).reason
    both = reference_ppv(rate("x", 16, 20), rate("x", 6, 20), 0.4)
    assert "Bonferroni" in both.method
