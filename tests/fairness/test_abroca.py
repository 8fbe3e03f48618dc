# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.fairness.abroca import Abroca


def check(**settings):
    return Abroca(n_permutations=199, **settings)


@pytest.fixture
def data():
    return Abroca.example(80, seed=0)


@pytest.fixture
def crossing():
    """Two groups of 80: equal areas, crossing curves."""
    rng = np.random.default_rng(0)
    truth = np.tile([True, False], 80)
    wide = np.repeat([False, True], 80)
    scores = np.where(truth, rng.normal(1, np.where(wide, 4, 0.3)), rng.normal(0, 1, 160))
    keys = tuple(map(str, range(160)))
    base = Abroca.example(160, seed=0)
    groups = {"g": tuple("AB"[int(value)] for value in wide)}
    return replace(base, cases=keys, patients=keys, y_true=tuple(truth), y_score=tuple(scores), groups=groups)


def test_the_area_stands_beside_what_chance_gives(data, pick):
    found = check()(data)
    assert found.verdict is Verdict.MEASURED
    assert found.subjects == ("finding_abroca", "sex")
    gap, null = pick(found, "max_min_gap"), pick(found, "gap_null_mean")
    assert gap.value == pick(found, "abroca", {"sex": "F - M"}).value
    assert 0 < null.value < pick(found, "gap_null_95th").value
    assert "never negative" in gap.estimand
    assert pick(found, "smallest_parity_margin").value is None
    assert [curve.name for curve in found.curves] == ["gap_null"]
    assert sum(found.accounting.values()) == 80
    assert "is expected without a difference" in found.statement


def test_curves_that_cross_are_found(crossing, pick):
    found = check()(crossing)
    assert pick(found, "p_value").value < 0.01
    assert "differ" in found.statement


def test_a_shift_of_one_groups_scores_changes_nothing(data, pick):
    higher = [score + 3 * (label == "F") for score, label in zip(data.y_score, data.groups["sex"], strict=True)]
    before, after = check()(data), check()(replace(data, y_score=tuple(higher)))
    assert pick(after, "max_min_gap").value == pick(before, "max_min_gap").value
    assert pick(after, "p_value").value == pick(before, "p_value").value


def test_three_groups_have_three_pairs_with_tests_of_their_own(data, pick):
    found = check(attribute="g")(data.with_groups({"g": tuple("ABC"[i % 3] for i in range(80))}))
    pairs = [item for item in found.estimates if item.name == "abroca"]
    assert len(pairs) == 3
    assert pick(found, "max_min_gap").value == max(item.value for item in pairs)
    assert len([item for item in found.estimates if item.name == "pairwise_p_adjusted"]) == 3


def test_patients_in_several_groups_cannot_be_exchanged(data):
    found = check()(data.with_patients([f"p{i // 2}" for i in range(80)]))
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert "several groups" in found.reason
    assert found.accounting["without_a_comparison"] == 80


def test_what_cannot_be_compared_has_a_reason(data):
    assert "needs two such groups" in check(min_group_size=40)(data).reason
    assert "none was named" in check()(data.without_groups()).reason
    assert "no scores" in check()(replace(data, y_score=(), y_pred=data.y_true, decided_by="x")).reason
