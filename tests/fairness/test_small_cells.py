# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from monai_ethics.fairness.calibration import Calibration
from monai_ethics.fairness.group_ranking import GroupRanking
from monai_ethics.fairness.group_rates import GroupRates


@pytest.fixture
def one_alone():
    """Two tables that differ only in the diagnoses and the decisions of three patients of a site of their own."""
    data = GroupRates.example(60, 0)
    site = tuple("C" if i < 3 else "AB"[i % 2] for i in range(len(data)))
    lone = [i for i, label in enumerate(site) if label == "C"]
    data = data.with_patients(data.cases).with_groups({"site": site})

    def with_outcome(positive):
        truth = tuple(positive if i in lone else label for i, label in enumerate(data.y_true))
        called = tuple(positive if i in lone else label for i, label in enumerate(data.y_pred))
        return replace(data, y_true=truth, y_pred=called, probabilities=True)

    return with_outcome(True), with_outcome(False)


@pytest.mark.parametrize("check", [GroupRates(), GroupRanking(), Calibration(draws=200)], ids=lambda check: check.id)
def test_the_rows_of_a_group_under_5_patients_do_not_tell_their_outcomes(check, one_alone):
    found = [check(data).estimates for data in one_alone]
    rows = [[replace(e, estimand="") for e in some if e.group.get("site") == "C"] for some in found]
    assert rows[0]
    assert rows[0] == rows[1]
    assert {e.name: e.value for e in rows[0]}["cases"] == 3


def test_a_group_that_is_asked_to_be_judged_keeps_its_counts(one_alone):
    rows = [e for e in GroupRates(min_group_size=2)(one_alone[0]).estimates if e.group.get("site") == "C"]
    assert {e.name: e.value for e in rows}["positives"] == 3
