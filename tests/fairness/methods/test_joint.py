# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy import stats

from monai_ethics.fairness.data.groups import Group
from monai_ethics.fairness.methods.joint import crossed_pairs_max_t, metrics_max_t, pairs_max_t
from monai_ethics.statistics.permutation import mean_omnibus, rank_omnibus

DRAWS = 1999


def run(groups, *, ranks=False, draws=DRAWS, seed=0):
    return pairs_max_t(groups, ranks=ranks, n_permutations=draws, rng=np.random.default_rng(seed))


@pytest.fixture
def groups():
    rng = np.random.default_rng(3)
    return [rng.normal(size=30), rng.normal(1.2, 1, 40), rng.normal(0, 1, 25)]


def test_the_pairs_that_differ_are_found_and_the_others_are_not(groups):
    for ranks in (False, True):
        found = run(groups, ranks=ranks)
        assert found[0] < 0.01
        assert found[1] > 0.1
        assert found[2] < 0.01


def test_the_pair_furthest_apart_comes_close_to_tukeys_where_spreads_are_equal():
    rng = np.random.default_rng(8)
    three = [rng.normal(shift, 1, 25) for shift in (0, 0.2, 0.35)]
    tukey = stats.tukey_hsd(*three).pvalue[[0, 0, 1], [1, 2, 2]]
    found = run(three, draws=9999)
    best = int(np.argmin(tukey))
    assert 0.005 < tukey[best] < 0.3
    assert found[best] == pytest.approx(tukey[best], abs=0.02)
    assert all(f <= t + 0.02 for f, t in zip(found, tukey, strict=True))


@pytest.mark.parametrize("ranks", [False, True])
def test_neither_the_order_of_patients_nor_of_groups_changes_a_pair(groups, ranks):
    first = run(groups, ranks=ranks, draws=199)
    turned = run([groups[2][::-1], groups[0], groups[1][::-1]], ranks=ranks, draws=199)
    assert turned == [first[1], first[2], first[0]]


def test_groups_of_equal_scores_are_no_evidence():
    assert run([np.ones(5), np.ones(6), np.ones(7)], draws=99) == [1, 1, 1]
    assert run([np.ones(5), np.ones(6), np.ones(7)], ranks=True, draws=99) == [1, 1, 1]


def test_ranks_take_misses_as_the_worst_and_see_no_units(groups):
    far = [np.where(group < -1, -np.inf, group) for group in groups]
    near = [np.where(group < -1, -9.0, group) for group in groups]
    assert run(far, ranks=True, draws=199) == run(near, ranks=True, draws=199)


def test_patients_in_several_groups_are_compared_by_signs_of_whole_patients():
    rng = np.random.default_rng(0)
    own = rng.normal(size=40)
    names = tuple(f"p{i:02d}" for i in range(40))
    groups = [
        Group(label=name, patients=names, values=own + shift + 0.1 * rng.normal(size=40), n_patients=40, missed=False)
        for name, shift in (("a", 0.0), ("b", 0.0), ("c", 0.2))
    ]
    found = crossed_pairs_max_t(groups, n_permutations=999, rng=rng)
    assert found[0] > 0.05
    assert found[1] < 0.01
    assert found[2] < 0.01
    assert run([group.values for group in groups], draws=499)[1] > 0.5


def test_one_metric_gives_the_p_value_of_its_own_test(groups):
    values = np.concatenate([groups[0], groups[1] - 0.8, groups[2]])
    labels = np.repeat(np.arange(3, dtype=np.uint8), [30, 40, 25])
    split = [values[labels == g] for g in range(3)]
    for ranks, test in ((False, mean_omnibus), (True, rank_omnibus)):
        joint = metrics_max_t([values], labels, ranks=[ranks], n_permutations=1999, rng=np.random.default_rng(1))
        alone = test(split, n_permutations=1999, rng=np.random.default_rng(2)).p
        assert joint[0] == pytest.approx(alone, abs=0.03)


def test_metrics_that_say_the_same_need_no_correction(groups):
    values = np.concatenate([groups[0], groups[1] - 0.8, groups[2]])
    labels = np.repeat(np.arange(3, dtype=np.uint8), [30, 40, 25])
    one, *_ = metrics_max_t([values], labels, ranks=[False], n_permutations=999, rng=np.random.default_rng(1))
    five = metrics_max_t(
        [values * k for k in range(1, 6)], labels, ranks=[False] * 5, n_permutations=999, rng=np.random.default_rng(1)
    )
    assert five == pytest.approx([one] * 5)
