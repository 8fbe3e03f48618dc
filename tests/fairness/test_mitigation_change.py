# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.fairness.data.before_after import BeforeAfter
from monai_ethics.fairness.mitigation_change import MitigationChange

CHECK = MitigationChange(n_bootstraps=499, n_permutations=499)


@pytest.fixture
def measured(scores):
    """40 women and 40 men; the women gain 0.1, in steps that differ a little."""
    rng = np.random.default_rng(0)
    sex = ["F"] * 40 + ["M"] * 40
    first = np.where(np.array(sex) == "F", 0.6, 0.8) + rng.normal(0, 0.03, 80)
    second = first + np.where(np.array(sex) == "F", 0.1, 0.0) + rng.normal(0, 0.01, 80)
    before = scores(first.tolist(), {"sex": sex}, bounds=(0.0, 1.0))
    return BeforeAfter(before=before, after=replace(before, values=tuple(second.tolist())), uses_known=2)


def test_group_values_and_changes_are_the_plain_means(measured, pick):
    finding = CHECK(measured)
    first, second = (np.array(t.values) for t in (measured.before, measured.after))
    women = slice(0, 40)
    assert finding.verdict is Verdict.MEASURED
    assert pick(finding, "before", {"sex": "F"}).value == pytest.approx(first[women].mean(), abs=1e-12)
    assert pick(finding, "after", {"sex": "F"}).value == pytest.approx(second[women].mean(), abs=1e-12)
    change = pick(finding, "change", {"sex": "F"})
    assert change.value == pytest.approx((second - first)[women].mean(), abs=1e-12)
    assert change.low < 0.1 < change.high
    assert change.high - change.low < 0.02
    assert "paired" in change.method
    pair = pick(finding, "difference_change", {"sex": "F - M"})
    assert 0.05 < pair.low < pair.value < pair.high
    gap = pick(finding, "max_min_gap_change")
    ends = [abs(t[women].mean() - t[40:].mean()) for t in (first, second)]
    assert gap.value == pytest.approx(ends[1] - ends[0], abs=1e-12)
    assert gap.low is None
    assert gap.value < pick(finding, "gap_change_null_5th").value
    assert pick(finding, "p_value").value == 1 / 500
    assert pick(finding, "worst_group_change").value == pytest.approx(change.value, abs=1e-12)
    assert "(F)" in finding.statement


def test_nothing_changed_is_said_as_such(measured, pick):
    finding = CHECK(replace(measured, after=measured.before))
    assert pick(finding, "p_value").value == 1
    assert pick(finding, "max_min_gap_change").value == 0
    change = pick(finding, "change", {"sex": "M"})
    assert change.value == 0
    assert change.low < 0 < change.high, "forty patients without a change do not prove that nobody's score changes"


def test_the_exchange_is_the_exact_distribution_of_a_small_set(scores, pick):
    before = scores([0.5, 0.6, 0.7, 0.9], {"sex": list("FFMM")})
    after = replace(before, values=(0.7, 0.6, 0.8, 0.8))
    finding = replace(CHECK, min_group_size=2, n_permutations=20_000)(BeforeAfter(before=before, after=after))
    gaps, worst = [], []
    for bits in range(16):
        flip = np.array([bits >> i & 1 for i in range(4)], dtype=bool)
        one = np.where(flip, after.values, before.values).reshape(2, 2).mean(1)
        two = np.where(flip, before.values, after.values).reshape(2, 2).mean(1)
        gaps.append(np.ptp(two) - np.ptp(one))
        worst.append(two.min() - one.min())
    assert pick(finding, "max_min_gap_change").value == pytest.approx(gaps[0], abs=1e-12)
    assert pick(finding, "worst_group_change").value == pytest.approx(worst[0], abs=1e-12)
    for name, null in (("gap_change_null", gaps), ("worst_change_null", worst)):
        assert pick(finding, f"{name}_5th").value == pytest.approx(min(null), abs=1e-12)
        assert pick(finding, f"{name}_95th").value == pytest.approx(max(null), abs=1e-12)


def test_whether_groups_changed_alike_is_the_test_of_score_gap_on_changes(measured, pick, scores):
    from monai_ethics.fairness.score_gap import ScoreGap

    changes = np.subtract(measured.after.values, measured.before.values).tolist()
    plain = ScoreGap(n_permutations=499)(scores(changes, measured.before.groups, unit="unknown"))
    assert pick(plain, "p_value").value == pick(CHECK(measured), "p_value").value


def test_patients_are_the_unit(scores, pick):
    values = [0.5, 0.5, 0.5, 0.9] * 10
    before = scores(
        values, {"sex": ["F", "F", "F", "M"] * 10}, patients=[f"p{i // 4}{'FFFM'[i % 4]}" for i in range(40)]
    )
    after = replace(before, values=tuple(v + 0.1 for v in values))
    finding = CHECK(BeforeAfter(before=before, after=after))
    assert finding.parameters["groups"] == {"F": 10, "M": 10}
    assert pick(finding, "change").n == 20
    assert pick(finding, "change").value == pytest.approx(0.1)


def test_patients_in_several_groups_are_exchanged_as_one(scores, pick):
    rng = np.random.default_rng(2)
    before = scores(
        rng.uniform(0.5, 0.9, 80).tolist(), {"view": ["AP", "PA"] * 40}, patients=[f"p{i // 2}" for i in range(80)]
    )
    common = np.repeat(rng.normal(0, 0.1, 40), 2)
    after = replace(before, values=tuple(np.add(before.values, common).tolist()))
    finding = CHECK(BeforeAfter(before=before, after=after))
    assert finding.parameters["patients_in_several_groups"] == 40
    pair = pick(finding, "difference_change", {"view": "AP - PA"})
    assert pair.value == pytest.approx(0, abs=1e-12), "both views of a patient change alike"
    wide = pick(finding, "change", {"view": "AP"})
    assert wide.high - wide.low > 0.04


def test_small_groups_are_listed_and_not_judged(measured, pick):
    sex = [label if i != 5 else None for i, label in enumerate(measured.before.groups["sex"])]
    finding = CHECK(replace(measured, before=measured.before.with_groups({"sex": sex})))
    assert list(finding.parameters["small_groups"]) == ["(not recorded)"]
    assert "listed, not judged" in pick(finding, "change", {"sex": None}).reason
    assert finding.accounting["in_groups_too_small"] == 1


def test_few_patients_get_a_guaranteed_interval_or_none(scores, pick):
    values = np.linspace(0.5, 0.9, 20)
    before = scores(values.tolist(), {"sex": ["F", "M"] * 10}, bounds=(0.0, 1.0))
    after = replace(before, values=tuple((values + 0.01).tolist()))
    sure = pick(CHECK(BeforeAfter(before=before, after=after)), "change", {"sex": "F"})
    assert sure.method == "guaranteed interval by betting"
    free = [replace(t, bounds=None, metric="error_mm", unit="mm", higher_is_better=False) for t in (before, after)]
    unsure = pick(CHECK(BeforeAfter(before=free[0], after=free[1])), "change", {"sex": "F"})
    assert unsure.low is None
    assert "no interval is sure" in unsure.reason


def test_without_a_second_measurement_a_mitigation_is_a_claim(measured, pick):
    finding = CHECK(replace(measured, after=None))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "claim" in finding.reason
    assert finding.accounting["only_before"] == 80
    assert pick(finding, "test_set_uses").value == 2


def test_cases_in_one_measurement_only_are_counted(measured):
    after = measured.after.reordered([i for i in range(80) if i not in (0, 41)])
    after = replace(after, cases=(*after.cases[:-1], "new"))
    finding = CHECK(replace(measured, after=after))
    assert finding.accounting["only_before"] == 3
    assert finding.accounting["only_after"] == 1
    assert sum(finding.accounting.values()) == 81
    assert any("not of the same cases" in text for text in finding.limitations)


def test_a_miss_without_a_value_is_counted_and_not_averaged(scores, pick):
    before = scores([3.0] * 20, {"sex": ["F", "M"] * 10}, metric="hd95", unit="mm", higher=False)
    after = replace(before, values=(None, *before.values[1:]), outcomes=("missed", *before.outcomes[1:]))
    finding = replace(CHECK, min_group_size=5)(BeforeAfter(before=before, after=after))
    assert finding.accounting["without_a_score_in_both"] == 1
    assert pick(finding, "change", {"sex": "F"}).n == 9


def test_uses_of_the_test_set_are_added_up(measured, pick):
    assert pick(CHECK(replace(measured, uses_declared=3)), "test_set_uses").value == 5
    unknown = CHECK(replace(measured, uses_known=None))
    assert pick(unknown, "test_set_uses").value is None
    assert any("not known" in text for text in unknown.limitations)


def test_tables_of_two_metrics_and_negative_counts_are_refused(measured):
    with pytest.raises(InputError, match="one metric"):
        replace(measured, after=replace(measured.after, metric="other"))
    with pytest.raises(InputError, match="count of uses"):
        replace(measured, uses_declared=-1)


def test_an_unknown_direction_has_no_worst_group(measured, pick):
    sides = [replace(t, higher_is_better=None) for t in (measured.before, measured.after)]
    finding = CHECK(replace(measured, before=sides[0], after=sides[1]))
    assert pick(finding, "worst_group_change").value is None
    assert "worst" not in finding.statement


def test_the_order_of_cases_in_either_table_does_not_matter(measured):
    turned = replace(measured, after=measured.after.reordered(list(reversed(range(80)))))
    assert json.dumps(CHECK(turned).to_dict()) == json.dumps(CHECK(measured).to_dict())
