# SPDX-License-Identifier: Apache-2.0
from itertools import combinations
from math import prod

import numpy as np
import pytest

from monai_ethics.synthesis.methods.precedence import (
    joint_p_value,
    precedence,
    precedence_p_values,
    smallest_detectable,
)


@pytest.mark.parametrize(("members", "others"), [(1, 1), (7, 5), (150, 20)])
def test_the_p_values_are_the_products_of_the_definition(members, others):
    products = [prod((members - i) / (members + others - i) for i in range(m)) for m in range(members + 1)]
    np.testing.assert_allclose(precedence_p_values(members, others), products, rtol=1e-9)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_higher_order_statistics_agree_with_counting_all_labelings(order):
    members, others = 6, 4
    counts = [sorted(places)[order - 1] - (order - 1) for places in combinations(range(members + others), others)]
    shares = [np.mean(np.array(counts) >= m) for m in range(members + 1)]
    np.testing.assert_allclose(precedence_p_values(members, others, order=order), shares, atol=1e-12)


def test_the_smallest_detectable_number_is_the_first_that_reaches_the_level():
    table = precedence_p_values(150, 150)
    found = smallest_detectable(150, 150, significance=0.05)
    assert table[found] <= 0.05 < table[found - 1]
    assert found == 5
    assert smallest_detectable(3, 3, significance=0.04) is None
    several = smallest_detectable(150, 150, significance=0.05, orders=(1, 2, 5))
    assert several == 6, "more is compared, so more is needed"


def test_the_joint_p_value_agrees_with_counting_all_labelings():
    members, others, orders = 6, 4, (1, 2, 4)
    tables = {order: precedence_p_values(members, others, order=order) for order in orders}
    smallest = np.array(
        [
            min(tables[order][places[order - 1] - order + 1] for order in orders)
            for places in combinations(range(members + others), others)
        ]
    )
    for value in np.unique(smallest):
        share = float(np.mean(smallest <= value * (1 + 1e-9)))
        assert joint_p_value(members, others, orders=orders, smallest=value) == pytest.approx(share, abs=1e-12)


def test_one_ranking_with_several_order_statistics_needs_no_permutations():
    values = np.random.default_rng(3).standard_normal((80, 1))
    values[:5] -= 9
    labels = np.arange(80) < 40
    exact = precedence(values, labels, order_statistics=(1, 5))
    assert exact.exact
    permuted = precedence(values, labels, order_statistics=(1, 5), strata=["one"] * 80, permutations=4999)
    assert permuted.p_value == pytest.approx(exact.p_value, abs=4 * np.sqrt(exact.p_value / 4999))


def test_one_ranking_is_exact_and_ties_do_not_precede():
    values = np.array([[1.0], [2.0], [3.0], [3.0], [4.0]])
    result = precedence(values, np.array([True, True, True, False, False]))
    assert result.exact
    assert result.counts.tolist() == [[2]]
    assert result.p_value == pytest.approx(3 / 5 * 2 / 4)


def test_permutations_agree_with_the_exact_value():
    values = np.random.default_rng(0).standard_normal((60, 1))
    values[:3] -= 10
    labels = np.arange(60) < 30
    exact = precedence(values, labels).p_value
    doubled = precedence(np.hstack([values, values]), labels, permutations=4999)
    assert not doubled.exact
    assert doubled.p_value == pytest.approx(exact, abs=3 * np.sqrt(exact / 4999))


def test_labels_move_within_strata_only():
    site = np.array(["a"] * 20 + ["b"] * 20)
    near = np.where(site == "a", 0.0, 10.0) + np.random.default_rng(1).random(40)
    labels = np.r_[np.arange(20) < 18, np.arange(20) < 2]  # nearly all members come from the near site
    pooled = precedence(near[:, None], labels).p_value
    within = precedence(near[:, None], labels, strata=site.tolist(), permutations=999).p_value
    assert within > 3 * pooled
    assert within > 0.2


def test_the_order_of_rows_does_not_matter_and_the_seed_does():
    rng = np.random.default_rng(2)
    values, labels = rng.standard_normal((50, 2)), rng.random(50) < 0.5
    order = rng.permutation(50)
    first = precedence(values, labels, permutations=299, order_statistics=(1, 3))
    again = precedence(values[order], labels[order], permutations=299, order_statistics=(1, 3))
    assert first.p_value == again.p_value
    assert precedence(values, labels, permutations=299, order_statistics=(1, 3), seed=1).p_value != first.p_value


def test_one_empty_set_is_refused():
    with pytest.raises(ValueError, match="needs both sets"):
        precedence(np.zeros((3, 1)), np.ones(3, dtype=bool))
