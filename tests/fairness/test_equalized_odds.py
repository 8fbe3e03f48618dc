# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.equalized_odds import EqualizedOdds


def values(finding):
    return {(item.name, *item.group.values()): item for item in finding.estimates}


@pytest.fixture
def crosswise():
    """TPR .5 (F) and .9 (M), FPR .5 (F) and .1 (M): the differences cancel in the average."""
    truth = ([True] * 40 + [False] * 40) * 2
    called = [True] * 20 + [False] * 20 + [True] * 20 + [False] * 20
    called += [True] * 36 + [False] * 4 + [True] * 4 + [False] * 36
    cases = tuple(f"c{i}" for i in range(160))
    return BinaryScores(
        target="mass",
        cases=cases,
        patients=cases,
        y_true=truth,
        y_pred=called,
        decided_by="a reader",
        groups={"sex": ("F",) * 80 + ("M",) * 80},
    )


def test_worst_case_sees_what_the_average_cancels(crosswise):
    found = values(EqualizedOdds()(crosswise))
    assert found["max_min_gap",].value == pytest.approx(0.4)
    assert found["mean_gap",].value == pytest.approx(0.4)
    assert found["p_value",].value < 0.01
    average = found["average_odds_difference", "M - F"]
    assert average.value == pytest.approx(0.0)
    assert average.low < 0 < average.high
    assert found["tpr_difference", "F - M"].value == pytest.approx(-0.4)
    assert found["fpr_difference", "F - M"].value == pytest.approx(0.4)
    assert found["tpr_ratio",].value == pytest.approx(5 / 9)
    assert found["fpr_ratio",].value == pytest.approx(0.2)


def test_gap_stands_beside_its_mean_by_chance(crosswise):
    finding = EqualizedOdds()(crosswise)
    found = values(finding)
    assert 0.05 < found["gap_null_mean",].value < found["gap_null_95th",].value < 0.35
    assert found["mean_gap_null_mean",].value < found["gap_null_mean",].value
    assert "differ by sex" in finding.statement
    assert finding.curves[0].name == "gap_null"
    assert finding.accounting["compared"] == 160
    json.dumps(finding.to_dict(), allow_nan=False)


def test_reference_is_the_largest_group_unless_named(crosswise):
    fewer = crosswise.reordered(range(1, 160))
    assert EqualizedOdds()(fewer).parameters["reference"] == "M"
    named = EqualizedOdds(reference="F")(fewer)
    assert ("average_odds_difference", "M - F") in values(named)
    absent = values(EqualizedOdds(reference="X")(fewer))["average_odds_difference", "F - X"]
    assert absent.value is None
    assert "not among the groups judged" in absent.reason


def test_group_needs_enough_of_both_classes(crosswise):
    rows = [*range(43), *range(80, 160)]
    finding = EqualizedOdds()(crosswise.reordered(rows))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "positive cases and negative cases" in finding.reason
    assert "3 patients with negative cases" in finding.parameters["why_small"]["F"]
    assert finding.accounting == {
        "compared": 0,
        "without_the_denominator": 0,
        "in_groups_too_small": 0,
        "not_compared": 123,
    }


@pytest.mark.parametrize("repeats", ["within", "between"])
def test_patients_with_both_classes_are_exchanged_whole(crosswise, repeats):
    patients = [f"p{i % 40}" if repeats == "between" else f"{i // 80}p{i % 40}" for i in range(160)]
    finding = EqualizedOdds(n_permutations=999)(replace(crosswise, patients=tuple(patients)))
    found = values(finding)
    assert ("random signs" in found["p_value",].method) is (repeats == "between")
    assert found["p_value",].value < 0.02
    assert found["max_min_gap",].value == pytest.approx(0.4)
    assert found["average_odds_difference", "M - F"].low < 0


def test_no_decisions_and_wrong_settings_are_refused(crosswise):
    none = replace(crosswise, y_score=tuple(map(float, crosswise.y_pred)), y_pred=(), decided_by="")
    assert "chosen on other data" in EqualizedOdds()(none).reason
    with pytest.raises(InputError, match="base rate"):
        EqualizedOdds(base_rate=0.0)
