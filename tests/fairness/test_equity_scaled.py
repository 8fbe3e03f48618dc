# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.fairness.equity_scaled import EquityScaled
from monai_ethics.statistics.scaled import equity_scaled, scaled_scores

MEANS = np.array([0.9, 0.8, 0.7])


def groups_of(rng, sizes, places):
    values = [float(v) for n, place in zip(sizes, places, strict=True) for v in place + rng.uniform(-0.1, 0.1, n)]
    return values, {"site": [name for name, n in zip("ABCDE", sizes, strict=False) for _ in range(n)]}


def test_three_definitions_give_three_numbers():
    found = {name: float(equity_scaled(0.8, MEANS, definition=name, weight=1)) for name in ("sum", "std_ddof0")}
    assert found["sum"] == pytest.approx(0.8 / 1.2)
    assert found["std_ddof0"] == pytest.approx(0.8 / (1 + np.std(MEANS)))
    assert float(equity_scaled(0.8, MEANS, definition="std_ddof1", weight=2)) == pytest.approx(0.8 / 1.2)


def test_the_published_number_is_below_the_truth_by_chance_alone():
    rng = np.random.default_rng(0)
    sets = [[rng.beta(8, 2, 20) for _ in range(5)] for _ in range(1500)]
    found = [scaled_scores(s, definition="sum", weight=1, n_permutations=0, rng=rng).equity[0] for s in sets]
    print(f"equal true Dice .80, 5 groups of 20: equity-scaled (sum) {np.mean(found):.3f} on average")
    assert np.mean(found) == pytest.approx(0.729, abs=0.005)


def test_the_null_tells_what_chance_alone_gives(scores, pick):
    rng = np.random.default_rng(1)
    values = [float(v) for v in rng.beta(8, 2, 100)]
    found = EquityScaled()(scores(values, {"site": [s for s in "ABCDE" for _ in range(20)]}, bounds=(0, 1)))
    assert found.verdict is Verdict.MEASURED
    assert pick(found, "equity_scaled_null_mean").value == pytest.approx(np.mean(values) * 0.91, abs=0.02)
    assert pick(found, "equity_scaled_null_5th").value < pick(found, "equity_scaled_null_mean").value
    assert pick(found, "share_of_draws_as_low").value > 0.02
    assert "is expected when no group differs" in found.statement


def test_groups_that_differ_are_below_chance(scores, pick):
    values, groups = groups_of(np.random.default_rng(2), (30, 30, 30), (0.85, 0.85, 0.55))
    found = EquityScaled()(scores(values, groups, bounds=(0, 1)))
    assert pick(found, "equity_scaled").value < pick(found, "equity_scaled_null_5th").value
    assert pick(found, "share_of_draws_as_low").value < 0.01
    assert pick(found, "skewed_error_ratio").value == pytest.approx(3, abs=0.6)
    assert pick(found, "skewed_error_ratio").value > pick(found, "skewed_error_ratio_null_95th").value
    assert pick(found, "between_group_sd").value == pytest.approx(np.std([0.85, 0.85, 0.55], ddof=1), abs=0.02)


def test_the_definition_is_printed_with_the_number(scores, pick):
    values, groups = groups_of(np.random.default_rng(2), (20, 20), (0.8, 0.6))
    for definition, words in (("sum", "sum"), ("std_ddof0", "ddof=0"), ("std_ddof1", "ddof=1")):
        found = EquityScaled(definition=definition)(scores(values, groups, bounds=(0, 1)))
        assert words in pick(found, "equity_scaled").estimand
        assert f"({definition})" in found.statement


@pytest.mark.parametrize("kept", [{"metric": "hd95", "unit": "mm", "higher": False}, {"higher": None}])
def test_only_scores_of_0_to_1_with_more_better_are_scaled(scores, kept):
    values, groups = groups_of(np.random.default_rng(2), (20, 20), (0.8, 0.6))
    found = EquityScaled()(scores(values, groups, **kept))
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert "between 0 and 1" in found.reason


def test_small_groups_are_listed_and_a_single_group_is_not_assessable(scores):
    values, groups = groups_of(np.random.default_rng(2), (20, 20, 4), (0.8, 0.6, 0.1))
    found = EquityScaled()(scores(values, groups, bounds=(0, 1)))
    assert found.parameters["small_groups"] == ("C",)
    assert found.accounting["in_groups_too_small"] == 4
    one = EquityScaled()(scores(values[:24], {"site": groups["site"][:20] + ["C"] * 4}, bounds=(0, 1)))
    assert one.verdict is Verdict.NOT_ASSESSABLE
    assert sum(one.accounting.values()) == 24


def test_patients_in_several_groups_leave_no_null(scores, pick):
    values, groups = groups_of(np.random.default_rng(2), (20, 20), (0.8, 0.6))
    found = EquityScaled()(scores(values, groups, bounds=(0, 1), patients=[f"p{i}" for i in range(20)] * 2))
    assert pick(found, "equity_scaled").value is not None
    assert pick(found, "equity_scaled_null_mean").value is None
    assert "cannot be exchanged" in pick(found, "share_of_draws_as_low").reason


def test_a_perfect_group_leaves_the_error_ratio_undefined(scores, pick):
    values = [1.0] * 15 + [0.5, 0.7] * 10
    found = EquityScaled()(scores(values, {"site": ["A"] * 15 + ["B"] * 20}, bounds=(0, 1)))
    assert pick(found, "skewed_error_ratio").value is None


@pytest.mark.parametrize("kept", [{"definition": "std"}, {"weight": 0.0}, {"weight": float("nan")}])
def test_settings_that_mean_nothing_are_refused(kept):
    with pytest.raises(InputError):
        EquityScaled(**kept)
