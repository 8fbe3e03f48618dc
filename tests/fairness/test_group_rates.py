# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.group_rates import GroupRates


def decisions(truth, called, groups, patients=None):
    cases = tuple(f"c{i}" for i in range(len(truth)))
    return BinaryScores(
        target="mass",
        cases=cases,
        patients=cases if patients is None else tuple(patients),
        y_true=truth,
        y_pred=called,
        decided_by="a reader",
        groups=groups,
    )


def values(finding, **group):
    return {item.name: item for item in finding.estimates if dict(item.group) == group}


@pytest.fixture
def by_hand():
    """F: 10 TP, 5 FN, 6 FP, 9 TN; M: 5 TP, 0 FN, 0 FP, 15 TN."""
    truth = [True] * 15 + [False] * 15 + [True] * 5 + [False] * 15
    called = [True] * 10 + [False] * 5 + [True] * 6 + [False] * 9 + [True] * 5 + [False] * 15
    return decisions(truth, called, {"sex": ["F"] * 30 + ["M"] * 20})


def test_rates_are_those_computed_by_hand(by_hand):
    finding = GroupRates()(by_hand)
    female, everyone = values(finding, sex="F"), values(finding)
    expected = {
        "selection_rate": 16 / 30,
        "tpr": 10 / 15,
        "fnr": 5 / 15,
        "fpr": 6 / 15,
        "tnr": 9 / 15,
        "ppv": 10 / 16,
        "npv": 9 / 14,
        "accuracy": 19 / 30,
        "prevalence": 0.5,
        "patients": 30,
        "cases": 30,
        "positives": 15,
        "design_effect": 1,
    }
    assert {name: female[name].value for name in expected} == pytest.approx(expected)
    assert everyone["tpr"].value == 15 / 20
    assert everyone["tpr"].n == 20
    assert everyone["tpr"].low < 0.75 < everyone["tpr"].high


def test_ppv_at_everyones_prevalence_follows_bayes(by_hand):
    female = values(GroupRates()(by_hand), sex="F")["ppv_at_reference_prevalence"]
    prevalence, tpr, fpr = 20 / 50, 10 / 15, 6 / 15
    assert female.value == pytest.approx(tpr * prevalence / (tpr * prevalence + fpr * (1 - prevalence)))
    assert female.low < female.value < female.high


def test_ppv_without_a_false_alarm_has_an_interval_that_ends_at_one(by_hand):
    male = values(GroupRates()(by_hand), sex="M")["ppv_at_reference_prevalence"]
    assert (male.value, male.high) == (1.0, 1.0)
    assert 0.2 < male.low < 0.9


def test_undefined_rate_is_none_with_its_reason_and_never_zero():
    data = decisions([True] * 15 + [False] * 15, [False] * 30, {"site": ["A"] * 15 + ["B"] * 15})
    finding = GroupRates()(data)
    for name in ("ppv", "ppv_at_reference_prevalence"):
        assert values(finding)[name].value is None
        assert values(finding)[name].reason
    assert values(finding, site="B")["tpr"].value is None
    assert "positive cases" in values(finding, site="B")["tpr"].reason
    assert values(finding, site="B")["fpr"].value == 0.0


def test_small_groups_are_listed_with_their_counts_and_without_rates():
    data = decisions([True, False] * 20, [True, False] * 20, {"sex": ["F"] * 33 + ["M"] * 4 + [None] * 3})
    finding = GroupRates()(data)
    for label, n in (("M", 4), (None, 3)):
        assert values(finding, sex=label)["patients"].value == n
        assert values(finding, sex=label)["accuracy"].value is None
        assert "listed, not judged" in values(finding, sex=label)["accuracy"].reason
    assert "2 groups have fewer than 10 patients" in finding.statement


def test_few_positive_patients_withhold_the_rates_of_positives_only():
    truth = [True] * 4 + [False] * 16 + [True] * 20
    data = decisions(truth, truth, {"sex": ["F"] * 20 + ["M"] * 20})
    female = values(GroupRates()(data), sex="F")
    assert female["tpr"].value is None
    assert "4 patients with positive cases" in female["tpr"].reason
    assert female["tnr"].value == 1.0


def test_repeated_patients_widen_the_interval_by_their_design_effect():
    hits = [True, True, True, True] * 20 + [False, False, False, False] * 5
    alone = decisions([True] * 100, hits, {})
    together = decisions([True] * 100, hits, {}, [f"p{i // 4}" for i in range(100)])
    one, four = values(GroupRates()(alone)), values(GroupRates()(together))
    assert one["tpr"].value == four["tpr"].value == 0.8
    assert four["design_effect"].value == pytest.approx(4 * 25 / 24)
    assert four["tpr"].high - four["tpr"].low > 1.8 * (one["tpr"].high - one["tpr"].low)
    assert (four["patients"].value, four["cases"].value) == (25, 100)
    assert "Rao-Scott" in four["tpr"].method


def test_scores_without_a_threshold_are_not_decided_upon():
    data = GroupRates.example(40, seed=0)
    scores = BinaryScores(
        target="x", cases=data.cases, patients=data.patients, y_true=data.y_true, y_score=data.y_score
    )
    finding = GroupRates()(scores)
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "threshold that was chosen on other data" in finding.reason
    assert sum(finding.accounting.values()) == 40


def test_statement_tells_of_both_errors_and_of_chance(by_hand):
    text = GroupRates()(by_hand).statement
    assert "15 of 20 positive cases were found and 6 of 30 negative cases were called positive" in text
    assert "Underdiagnosis" in text
    assert "sex F (33.3 %)" in text
    assert "Overdiagnosis is most frequent in sex F (40 %)" in text
    assert "by chance alone" in text


def test_many_cells_are_counted_in_one_pass():
    rng = np.random.default_rng(0)
    n = 4000
    data = decisions(
        (rng.random(n) < 0.3).tolist(),
        (rng.random(n) < 0.3).tolist(),
        {"site": [f"s{i}" for i in rng.integers(0, 40, n)]},
        [f"p{i}" for i in rng.integers(0, 1500, n)],
    )
    finding = GroupRates()(data)
    cases = [item.value for item in finding.estimates if item.name == "cases" and item.group]
    assert (len(cases), sum(cases)) == (40, n)
