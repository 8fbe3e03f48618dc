# SPDX-License-Identifier: Apache-2.0
import json
import math

import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.fairness.methods.standardized import (
    StratifiedGroups,
    StratumScores,
    standardized_difference,
    standardized_value,
)
from monai_ethics.fairness.standardized_gap import StandardizedGap
from monai_ethics.statistics.intervals import Result

QUICK = {"n_permutations": 499}


@pytest.fixture
def mixed(scores):
    """Small lesions score lower, and most of the second group's are small; beside that a gap of its own."""

    def make(gap=0.0, n=240, seed=3, **more):
        rng = np.random.default_rng(seed)
        sex = rng.integers(0, 2, n)
        small = rng.random(n) < np.where(sex, 0.8, 0.2)
        values = np.clip(np.where(small, 0.5, 0.8) + 0.08 * rng.normal(size=n) - gap * sex, 0.001, 0.999)
        groups = {
            "sex": ["FM"[i] for i in sex],
            "roi_size_band": ["small" if each else "large" for each in small],
        }
        return scores([float(v) for v in values], groups, **more)

    return make


def test_a_gap_that_comes_from_the_mix_vanishes_and_the_raw_one_stands_beside_it(mixed, pick):
    found = StandardizedGap(**QUICK)(mixed())
    assert found.verdict is Verdict.MEASURED
    assert pick(found, "p_adjusted").value > 0.05
    assert pick(found, "raw_p_value").value < 0.01
    assert pick(found, "raw_max_min_gap").value > 0.1
    assert pick(found, "max_min_gap").value < 0.05
    assert "no difference was shown (secondary" in found.statement
    assert found.parameters["control"] == "roi_size_band"
    assert "adjusted for roi_size_band" in found.parameters["family_name"]


def test_a_gap_within_the_strata_is_left(mixed, pick):
    found = StandardizedGap(**QUICK)(mixed(0.1))
    assert pick(found, "p_adjusted").value < 0.01
    difference = pick(found, "difference", {"sex": "F - M"})
    assert difference.low < 0.1 < difference.high
    assert pick(found, "minimum_detectable_gap").value < 0.1
    values = [pick(found, "standardized_mean", {"sex": label}).value for label in "FM"]
    assert values[0] - values[1] == pytest.approx(difference.value)


def test_every_cell_of_group_and_stratum_is_given(mixed, pick):
    found = StandardizedGap(**QUICK)(mixed())
    for sex in "FM":
        for band in ("small", "large"):
            cell = pick(found, "mean", {"sex": sex, "roi_size_band": band})
            assert cell.low < cell.value < cell.high
    assert sum(found.parameters["strata"].values()) == pytest.approx(1)


def test_strata_with_too_few_of_a_group_are_named_and_left_out_of_both_gaps(scores, pick):
    rng = np.random.default_rng(0)
    values = [float(v) for v in rng.beta(8, 2, 70)]
    groups = {"sex": ["F"] * 35 + ["M"] * 35, "site": ["A"] * 30 + ["B"] * 5 + ["A"] * 32 + ["B"] * 3}
    found = StandardizedGap(control="site", **QUICK)(scores(values, groups))
    assert found.parameters["strata_left_out"] == ("B",)
    assert pick(found, "covered_share").value == pytest.approx(62 / 70)
    assert found.accounting["in_strata_left_out"] == 8
    assert pick(found, "raw_max_min_gap").value == pytest.approx(abs(np.mean(values[:30]) - np.mean(values[35:67])))
    assert pick(found, "mean", {"sex": "M", "site": "B"}).value is None
    assert "Strata left out hold 11 %" in found.statement


def test_a_small_group_is_listed_before_it_empties_the_strata_of_others(scores):
    values = [float(v) for v in np.random.default_rng(0).beta(8, 2, 89)]
    groups = {"site": ["A"] * 40 + ["B"] * 40 + ["C"] * 9, "view": (["AP", "PA"] * 40) + ["AP"] * 9}
    found = StandardizedGap(attribute="site", control="view", **QUICK)(scores(values, groups))
    assert found.parameters["small_groups"] == ("C",)
    assert found.parameters["strata_left_out"] == ()
    assert found.accounting["in_groups_too_small"] == 9


def test_groups_that_share_no_stratum_are_not_assessable(scores):
    values = [float(v) for v in np.random.default_rng(0).beta(8, 2, 60)]
    groups = {"sex": ["F"] * 30 + ["M"] * 30, "site": ["A"] * 30 + ["B"] * 30}
    found = StandardizedGap(attribute="sex", control="site", **QUICK)(scores(values, groups))
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert "share strata of site" in found.reason
    assert found.accounting["without_a_comparison"] == 60


def test_misses_count_at_their_worst_and_an_unbounded_miss_is_refused(scores, pick):
    rng = np.random.default_rng(0)
    values = [None if i % 9 == 0 else float(v) for i, v in enumerate(rng.beta(8, 2, 80))]
    outcomes = ["missed" if value is None else "scored" for value in values]
    groups = {"sex": ["F", "M"] * 40, "roi_size_band": ["small"] * 40 + ["large"] * 40}
    found = StandardizedGap(**QUICK)(scores(values, groups, outcomes=outcomes))
    assert found.verdict is Verdict.MEASURED
    own = [0.0 if v is None else v for v in values]
    assert pick(found, "mean", {"sex": "F", "roi_size_band": "small"}).value == pytest.approx(np.mean(own[0:40:2]))
    distance = StandardizedGap(**QUICK)(
        scores(values, groups, outcomes=outcomes, metric="hd95", unit="mm", higher=False)
    )
    assert "no worst score" in distance.reason


def test_patients_in_several_cells_are_counted_once(mixed, pick):
    found = StandardizedGap(**QUICK)(mixed(patients=[f"p{i % 80}" for i in range(240)]))
    assert found.parameters["patients_in_several_cells"] > 0
    assert "random signs" in pick(found, "p_value").method
    assert pick(found, "minimum_detectable_gap").value is None


def test_without_a_control_or_an_attribute_nothing_is_compared(scores):
    values = [0.5 + 0.001 * i for i in range(40)]
    only = scores(values, {"sex": ["F", "M"] * 20})
    assert "no control" in StandardizedGap(attribute="sex")(only).reason
    three = scores(values, {"sex": ["F", "M"] * 20, "age": ["y"] * 40, "roi_size_band": ["s"] * 40})
    assert "no attribute" in StandardizedGap()(three).reason
    with pytest.raises(InputError, match="Known"):
        StandardizedGap(attribute="sex", control="scanner")(only)


def test_the_variance_is_the_stratified_one():
    rng = np.random.default_rng(0)
    rows = [[rng.normal(size=n) for n in sizes] for sizes in ((8, 12), (20, 6))]
    names = iter(f"p{i}" for i in range(46))
    table = [[StratumScores(patients=tuple(next(names) for _ in v), values=v) for v in row] for row in rows]
    cells = StratifiedGroups(table=table, weights=np.array([0.3, 0.7]))
    own = [sum(w**2 * v.var(ddof=1) / len(v) for w, v in zip((0.3, 0.7), row, strict=True)) for row in rows]
    assert (cells.parts() ** 2).sum(axis=0) == pytest.approx(own)
    result, p = standardized_difference(cells, 0, 1, level=0.95)
    assert isinstance(result, Result)
    assert result.value == pytest.approx(
        sum(w * (a.mean() - b.mean()) for w, a, b in zip((0.3, 0.7), *rows, strict=True))
    )
    assert (result.high - result.low) / 2 > 1.96 * math.sqrt(sum(own))
    assert 0 < p <= 1
    bounded = standardized_value(cells, 0, level=0.95, bounds=(-0.01, 0.01))
    assert bounded.low >= -0.01


def test_cells_without_spread_have_no_interval():
    names = iter("abcdefgh")
    table = [
        [StratumScores(patients=(next(names), next(names)), values=np.full(2, 0.5)) for _ in range(2)] for _ in range(2)
    ]
    result, p = standardized_difference(StratifiedGroups(table=table, weights=np.array([0.5, 0.5])), 0, 1, level=0.95)
    assert "no spread" in result.reason
    assert p is None


def test_neither_rows_nor_names_change_a_p_value(mixed):
    data = mixed(0.02, n=100)
    check = StandardizedGap(**QUICK)
    first = check(data)
    order = [int(i) for i in np.random.default_rng(0).permutation(100)]
    assert json.dumps(first.to_dict()) == json.dumps(check(data.reordered(order)).to_dict())
    renamed = data.with_groups({"sex": ["zz" if label == "F" else "aa" for label in data.groups["sex"]]})
    assert check.compare(renamed).p == check.compare(data).p
    assert sum(first.accounting.values()) == 100
