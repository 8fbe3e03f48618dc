# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy import stats

from monai_ethics.fairness.data.groups import Group
from monai_ethics.fairness.methods.crossed import crossed_difference, crossed_omnibus, influence


def group(values, patients=None, label="a"):
    values = np.asarray(values, dtype=float)
    names = tuple(patients if patients is not None else (f"{label}{i:03d}" for i in range(len(values))))
    return Group(label=label, patients=names, values=values, n_patients=len(values), missed=False)


def test_without_shared_patients_the_sandwich_is_welchs_variance():
    first, second = group([1, 2, 4, 8]), group([3, 5, 5, 9, 12], label="b")
    places, parts = influence((first, second), ranks=False)
    assert places == pytest.approx([3.75, 6.8])
    spread = parts.T @ parts
    assert np.diag(spread) == pytest.approx([np.var(g.values, ddof=1) / len(g.values) for g in (first, second)])
    assert spread[0, 1] == 0


def test_with_all_patients_shared_it_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    values = rng.normal(size=20)
    other = values + 0.1 * rng.normal(size=20)
    names = [f"p{i:02d}" for i in range(20)]
    result, p = crossed_difference(group(values, names), group(other, names), level=0.95)
    assert p == pytest.approx(stats.ttest_rel(values, other).pvalue)
    assert result.low < result.value < result.high


def test_a_shift_that_is_the_same_for_all_patients_has_no_spread_but_rounding():
    values, names = np.random.default_rng(1).random(20), [f"p{i:02d}" for i in range(20)]
    result, p = crossed_difference(group(values, names), group(values + 0.1, names), level=0.95)
    assert result.value == pytest.approx(-0.1)
    assert result.low is None
    assert p is None


def test_rank_places_are_the_relative_effects():
    first, second = group([1, 2, 3]), group([2, 4], label="b")
    places, _ = influence((first, second), ranks=True)
    effect = np.mean([(a > b) + 0.5 * (a == b) for a in first.values for b in second.values])
    assert places[0] - places[1] == pytest.approx(effect - 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [False, True])
def test_false_alarms_with_shared_patients_are_as_often_as_stated(ranks):
    rng = np.random.default_rng(11)
    low, high = stats.binom.interval(0.99, 600, 0.05)
    hits = 0
    for seed in range(600):
        own = rng.normal(size=60)
        both, single = own[:40], own[40:]
        first = group(np.concatenate([both, single]) + 0.5 * rng.normal(size=60), [f"p{i:02d}" for i in range(60)])
        second = group(both + 0.5 * rng.normal(size=40), [f"p{i:02d}" for i in range(40)])
        found = crossed_omnibus((first, second), ranks=ranks, n_permutations=499, rng=np.random.default_rng(seed))
        hits += found.p <= 0.05
    print(f"shared patients, ranks={ranks}: {hits} of 600 = {hits / 600:.3f}")
    assert low <= hits <= high
