# SPDX-License-Identifier: Apache-2.0
import math
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.differential_fairness import DifferentialFairness
from monai_ethics.fairness.family import gap_findings
from monai_ethics.fairness.methods.epsilon import smoothed_epsilon

CHECK = DifferentialFairness(n_permutations=999)


def decided(counts, *, per_patient=1, patients=None):
    """Groups of (positive decisions, cases)."""
    labels = [label for label, (_, cases) in counts.items() for _ in range(cases)]
    chosen = [i < hits for hits, cases in counts.values() for i in range(cases)]
    keys = tuple(f"c{i:04d}" for i in range(len(labels)))
    owners = patients or [f"p{i // per_patient:04d}" for i in range(len(labels))]
    return BinaryScores(
        target="finding",
        cases=keys,
        patients=keys if per_patient == 1 and patients is None else tuple(owners),
        y_true=tuple(i % 3 == 0 for i in range(len(labels))),
        y_pred=tuple(chosen),
        decided_by="fixed beforehand",
        groups={"g": tuple(labels)},
    )


COUNTS = {"A": (12, 40), "B": (3, 25), "C": (0, 15), "D": (20, 20)}


def test_epsilon_is_the_formula_written_by_hand(pick):
    rates = [(hits + 0.5) / (cases + 1) for hits, cases in COUNTS.values()]
    ratios = [abs(math.log(a) - math.log(b)) for a in rates for b in rates]
    ratios += [abs(math.log(1 - a) - math.log(1 - b)) for a in rates for b in rates]
    assert pick(CHECK(decided(COUNTS)), "differential_fairness_epsilon").value == pytest.approx(max(ratios), abs=1e-12)
    hits, cases = zip(*COUNTS.values(), strict=True)
    assert smoothed_epsilon(hits, cases) == pytest.approx(max(ratios), abs=1e-12)


def test_a_group_with_one_kind_of_decision_is_smoothed_as_the_others():
    """AIF360's `smoothed_selection_rate` (scikit-learn style) counts the kinds of decisions it sees in each group.

    In a group without a positive decision it sees one kind, so that its formula gives (0 + 1/1) / (n + 1) where the
    prior of two decisions gives (0 + 1/2) / (n + 1); in a group of positive ones alone it gives exactly 1, whose
    complement has an infinite log ratio.
    """
    kinds = [2 if 0 < hits < cases else 1 for hits, cases in COUNTS.values()]
    theirs = [(hits + 1 / k) / (cases + 1) for (hits, cases), k in zip(COUNTS.values(), kinds, strict=True)]
    assert theirs[3] == 1.0
    assert theirs[2] == pytest.approx(1 / 16)
    # both numbers, as run with AIF360 0.6.1
    assert math.log(theirs[0] / theirs[2]) == pytest.approx(1.5847452998437288)
    assert smoothed_epsilon([12, 3, 0], [40, 25, 15]) == pytest.approx(2.277892480404)
    assert smoothed_epsilon([12, 3], [40, 25]) == pytest.approx(0.8174901471300617)  # theirs too: both kinds in each
    assert smoothed_epsilon([12, 20], [40, 20]) == pytest.approx(3.374001638854)  # theirs: infinity
    hits, cases = zip(*COUNTS.values(), strict=True)
    assert math.isfinite(smoothed_epsilon(hits, cases))
    assert smoothed_epsilon([0, 5], [15, 10]) == pytest.approx(math.log((5.5 / 11) / (0.5 / 16)))


def test_a_gap_is_found_and_said_with_its_null(pick):
    finding = CHECK(decided({"A": (45, 60), "B": (20, 60)}))
    assert finding.verdict is Verdict.MEASURED
    assert pick(finding, "p_adjusted").value < 0.01
    epsilon, mean, high = (
        pick(finding, name).value
        for name in ("differential_fairness_epsilon", "epsilon_null_mean", "epsilon_null_95th")
    )
    assert epsilon > high > mean > 0
    assert pick(finding, "max_min_gap").value == pytest.approx(25 / 60)
    assert pick(finding, "difference", {"g": "A - B"}).value == pytest.approx(25 / 60)
    assert "decisions differ by g" in finding.statement
    assert [curve.name for curve in finding.curves] == ["gap_null"]


def test_equal_groups_show_nothing(pick):
    finding = CHECK(decided({"A": (20, 50), "B": (20, 50)}))
    assert pick(finding, "differential_fairness_epsilon").value == 0
    assert pick(finding, "p_value").value == 1
    assert "Not shown is not no gap" in finding.statement


def test_patients_and_not_cases_are_exchanged(pick):
    alone = CHECK(decided({"A": (48, 80), "B": (24, 80)}))
    shared = CHECK(decided({"A": (48, 80), "B": (24, 80)}, per_patient=8))
    assert pick(shared, "p_value").value > pick(alone, "p_value").value
    assert pick(shared, "epsilon_null_95th").value > 1.5 * pick(alone, "epsilon_null_95th").value
    assert pick(shared, "epsilon_null_95th").n == 20


def test_patients_in_several_groups_are_counted_once(pick):
    rng = np.random.default_rng(0)
    labels = {"A": (24, 60), "B": (22, 60)}
    data = decided(labels, patients=[f"p{i % 60}" for i in range(120)])
    finding = CHECK(data)
    assert finding.parameters["patients_in_several_groups"] == 60
    assert pick(finding, "p_value").n == 60
    assert "random signs" in pick(finding, "p_value").method
    order = rng.permutation(120).tolist()
    assert CHECK(data.reordered(order)).to_dict() == finding.to_dict()


def test_small_and_missing_groups_are_listed_and_counted(pick):
    data = decided({"A": (10, 30), "B": (8, 30), "C": (1, 4)})
    missing = replace(data, groups={"g": tuple(None if label == "B" else label for label in data.groups["g"])})
    finding = CHECK(missing)
    assert finding.parameters["groups"] == {"A": 30, "C": 4, "(not recorded)": 30}
    assert finding.parameters["small_groups"] == ("C",)
    assert finding.accounting["in_groups_too_small"] == 4
    assert sum(finding.accounting.values()) == 64
    assert pick(finding, "difference", {"g": "A - (not recorded)"}).n == 60


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (replace(decided({"A": (3, 30)}), y_pred=(), y_score=(0.5,) * 30, decided_by=""), "no decisions"),
        (replace(decided({"A": (3, 30)}), groups={}), "0 attributes"),
        (decided({"A": (3, 30), "B": (2, 5)}), "1 of 2 groups"),
    ],
)
def test_nothing_to_compare_is_not_assessable(data, words):
    finding = CHECK(data)
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert words in finding.reason
    assert sum(finding.accounting.values()) == len(data)


def test_it_waits_for_its_family():
    data = decided({"A": (45, 60), "B": (30, 60)}).with_groups({"a*b": ("x", "y") * 60})
    first, second = gap_findings([(replace(CHECK, attribute=name), data) for name in ("g", "a*b")])
    assert first.parameters["family"] == second.parameters["family"] == 1
    assert "exploratory" in second.statement
    assert first.subjects == ("finding_differential_fairness", "g")
