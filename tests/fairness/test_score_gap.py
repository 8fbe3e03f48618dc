# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.score_gap import ScoreGap

QUICK = {"n_permutations": 199}


def two(rng, n, m, gap):
    values = np.concatenate([rng.beta(8, 2, n), np.clip(rng.beta(8, 2, m) - gap, 0.001, 1)])
    return [float(value) for value in values], {"sex": ["F"] * n + ["M"] * m}


def test_a_planted_gap_is_found_and_said_with_its_numbers(scores, pick):
    values, groups = two(np.random.default_rng(0), 60, 60, 0.15)
    found = ScoreGap()(scores(values, groups))
    assert found.verdict is Verdict.MEASURED
    assert pick(found, "p_adjusted").value < 0.001
    difference = pick(found, "difference", {"sex": "F - M"})
    assert difference.value == pytest.approx(np.mean(values[:60]) - np.mean(values[60:]))
    assert difference.low > 0
    assert pick(found, "max_min_gap").value == pytest.approx(difference.value)
    assert pick(found, "max_min_gap").value > pick(found, "gap_null_95th").value
    assert "differs by sex" in found.statement
    assert "Served worst: M" in found.statement


def test_without_a_gap_it_says_what_would_have_gone_unseen(scores, pick):
    values, groups = two(np.random.default_rng(3), 30, 30, 0)
    found = ScoreGap()(scores(values, groups))
    least = pick(found, "minimum_detectable_gap").value
    assert 0.05 < least < 0.15
    assert "Not shown is not no gap" in found.statement
    assert not {"fair", "significant", "unbiased"} & set(found.statement.lower().split())


def test_failures_turn_the_comparison_to_ranks(scores, pick):
    values, groups = two(np.random.default_rng(0), 40, 40, 0.1)
    outcomes = ["missed" if i % 10 == 0 else "scored" for i in range(80)]
    worst = [None if outcome == "missed" else value for value, outcome in zip(values, outcomes, strict=True)]
    found = ScoreGap()(scores(worst, groups, outcomes=outcomes))
    assert found.parameters["compared"].startswith("relative effects")
    assert pick(found, "relative_effect", {"sex": "F - M"}).value > 0.6
    assert sum(found.accounting.values()) == found.accounting["compared"] == 80


def test_every_pair_of_several_groups_is_adjusted_and_never_below_the_omnibus(scores, pick):
    rng = np.random.default_rng(1)
    values = [float(value) for value in np.concatenate([rng.beta(8, 2, 40), rng.beta(8, 2, 40), rng.beta(4, 4, 40)])]
    found = ScoreGap()(scores(values, {"site": ["A"] * 40 + ["B"] * 40 + [None] * 40}))
    omnibus = pick(found, "p_adjusted").value
    for pair in ("A - B", "A - (not recorded)", "B - (not recorded)"):
        assert pick(found, "pairwise_p_adjusted", {"site": pair}).value >= omnibus
    assert pick(found, "pairwise_p_adjusted", {"site": "A - B"}).value > 0.05


@pytest.mark.parametrize(
    ("correction", "words"), [("holm", "Holm over 3 pairs"), ("max_t", "max-T (Westfall-Young"), ("bh", "Benjamini")]
)
@pytest.mark.parametrize("failures", [False, True])
def test_pairs_are_adjusted_as_asked_and_the_method_says_how(scores, pick, correction, words, failures):
    rng = np.random.default_rng(1)
    values = [float(v) for v in np.concatenate([rng.beta(8, 2, 40), rng.beta(8, 2, 40), rng.beta(4, 4, 40)])]
    if failures:
        values[3] = values[50] = values[90] = 0.0
    table = scores(values, {"site": ["A"] * 40 + ["B"] * 40 + ["C"] * 40}, bounds=(0, 1))
    found = ScoreGap(correction=correction, n_permutations=999)(table)
    assert found.parameters["correction"] == correction
    omnibus = pick(found, "p_adjusted").value
    pairs = [pick(found, "pairwise_p_adjusted", {"site": pair}) for pair in ("A - B", "A - C", "B - C")]
    assert all(words in pair.method and pair.value >= omnibus for pair in pairs)
    assert pairs[0].value > 0.05 > max(pairs[1].value, pairs[2].value)


def test_an_unknown_correction_is_refused():
    with pytest.raises(InputError, match="holm, max_t, bh"):
        ScoreGap(correction="tukey")


def test_max_t_holds_when_patients_are_in_several_groups_and_gives_way_to_holm_for_their_ranks(scores, pick):
    rng = np.random.default_rng(4)
    own = rng.normal(0.6, 0.1, 30)
    values = [float(v) for shift in (0, 0, 0.05) for v in own + shift + 0.02 * rng.normal(size=30)]
    groups = {"view": ["AP"] * 30 + ["LL"] * 30 + ["PA"] * 30}
    patients = [f"p{i}" for i in range(30)] * 3
    check = ScoreGap(correction="max_t", n_permutations=499)
    found = check(scores(values, groups, patients=patients, metric="score"))
    assert "max-T" in pick(found, "pairwise_p_adjusted", {"view": "AP - PA"}).method
    assert pick(found, "pairwise_p_adjusted", {"view": "AP - PA"}).value < 0.02
    assert pick(found, "pairwise_p_adjusted", {"view": "AP - LL"}).value > 0.05
    outcomes = ["missed" if i % 10 == 0 else "scored" for i in range(90)]
    ranked = check(scores(values, groups, patients=patients, metric="score", outcomes=outcomes))
    assert not [item for item in ranked.estimates if "max-T" in (item.method or "")]


def test_the_gap_stands_beside_its_distribution_when_labels_are_exchanged(scores, pick):
    values, groups = two(np.random.default_rng(0), 60, 60, 0.15)
    found = ScoreGap(n_permutations=999)(scores(values, groups))
    (curve,) = found.curves
    assert curve.name == "gap_null"
    assert len(curve.x) <= 61
    assert sum(curve.y) == pytest.approx(1)
    assert max(curve.x) < pick(found, "max_min_gap").value
    mean = sum(x * y for x, y in zip(curve.x, curve.y, strict=True))
    assert mean == pytest.approx(pick(found, "gap_null_mean").value, rel=0.05)


@pytest.mark.parametrize("sizes", [(0, 0), (1, 0), (1, 1), (30, 9), (30, 0)])
def test_fewer_than_two_groups_that_are_large_enough_are_not_assessable(scores, sizes):
    values, groups = two(np.random.default_rng(0), *sizes, 0)
    found = ScoreGap(attribute="sex", **QUICK)(scores(values, groups))
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert not found.estimates
    assert sum(found.accounting.values()) == sum(sizes)


def test_small_groups_are_listed_and_not_judged(scores):
    values, _ = two(np.random.default_rng(0), 30, 30, 0)
    found = ScoreGap(**QUICK)(scores(values, {"site": ["A"] * 30 + ["B"] * 25 + ["C"] * 5}))
    assert dict(found.parameters["groups"]) == {"A": 30, "B": 25, "C": 5}
    assert found.parameters["small_groups"] == ("C",)
    assert found.accounting["in_groups_too_small"] == 5


def test_an_intersection_is_made_from_its_parts(scores):
    values, groups = two(np.random.default_rng(0), 40, 40, 0)
    found = ScoreGap(attribute="sex*site", **QUICK)(scores(values, {**groups, "site": ["A", "B"] * 40}))
    assert set(found.parameters["groups"]) == {"F*A", "F*B", "M*A", "M*B"}


def test_the_attribute_must_be_there_and_named_among_several(scores):
    table = scores([0.5] * 20, {"sex": ["F"] * 20, "site": ["A"] * 20})
    assert "none was named" in ScoreGap()(table).reason
    with pytest.raises(InputError, match="Known: sex, site"):
        ScoreGap(attribute="age")(table)


def test_patients_in_several_groups_are_compared_without_counting_them_twice(scores, pick):
    rng = np.random.default_rng(2)
    own = rng.normal(0.6, 0.1, 40)
    values = [
        float(v) for v in np.concatenate([own + 0.01 * rng.normal(size=40), own - 0.02 + 0.01 * rng.normal(size=40)])
    ]
    patients = [f"p{i}" for i in range(40)] * 2
    groups = {"view": ["AP"] * 40 + ["PA"] * 40}
    together = ScoreGap()(scores(values, groups, patients=patients, metric="score"))
    assert together.parameters["patients_in_several_groups"] == 40
    assert pick(together, "p_value").value < 0.001
    assert "cluster-robust" in pick(together, "difference", {"view": "AP - PA"}).method
    assert pick(ScoreGap()(scores(values, groups, metric="score")), "p_value").value > 0.05
    assert pick(together, "minimum_detectable_gap").value is None


TABLES = st.lists(
    st.tuples(
        st.sampled_from(["F", "M", "X", None]),
        st.one_of(st.none(), st.floats(0, 1).map(lambda value: round(value, 2))),
        st.booleans(),
    ),
    max_size=40,
)


def build(rows, rename=None):
    keys = tuple(f"c{i}" for i in range(len(rows)))
    return ScoreTable(
        metric="mean_dice",
        unit="1",
        higher_is_better=True,
        cases=keys,
        patients=keys,
        values=tuple(value for _, value, _ in rows),
        outcomes=tuple(("missed" if miss else "undefined") if value is None else "scored" for _, value, miss in rows),
        groups={"sex": tuple((rename or {}).get(label, label) for label, _, _ in rows)},
    )


@settings(deadline=None, max_examples=60)
@given(rows=TABLES, seed=st.integers(0, 99))
def test_the_order_of_cases_changes_no_byte_and_no_case_is_lost(rows, seed):
    table = build(rows)
    check = ScoreGap(min_group_size=2, n_permutations=49)
    first = check(table)
    order = [int(i) for i in np.random.default_rng(seed).permutation(len(rows))]
    assert json.dumps(first.to_dict()) == json.dumps(check(table.reordered(order)).to_dict())
    assert sum(first.accounting.values()) == len(rows)
    assert first.estimates or first.reason


@settings(deadline=None, max_examples=40)
@given(rows=TABLES)
def test_renaming_groups_changes_no_p_value(rows):
    check = ScoreGap(min_group_size=2, n_permutations=49)
    names = {"F": "zz", "M": "aa"}
    first, second = ({e.name: e.value for e in check(build(rows, new)).estimates if not e.group} for new in ({}, names))
    assert first == pytest.approx(second)
