# SPDX-License-Identifier: Apache-2.0
"""A terminal shows what differs in full and everything else in few lines."""

from dataclasses import replace

import pytest

from monai_ethics.cli._told import told
from monai_ethics.evidence import Verdict
from monai_ethics.fairness.plan import Plan
from monai_ethics.fairness.rate_gap import RateGap
from monai_ethics.fairness.run import run_findings


@pytest.fixture(scope="module")
def findings():
    return run_findings([], [RateGap.example(120, 0)], plan=Plan())


def gaps(findings):
    return [place for place, item in enumerate(findings) if item.check == "fairness.rate_gap"]


def with_p(finding, p):
    rows = [replace(row, value=p) if row.name == "p_adjusted" and not row.group else row for row in finding.estimates]
    return replace(finding, estimates=rows)


def test_differences_come_first_with_the_smallest_p_value_at_the_top(findings):
    first, second, *_ = gaps(findings)
    changed = list(findings)
    for place in range(len(changed)):
        changed[place] = with_p(changed[place], {first: 0.04, second: 0.001}.get(place, 0.5))
    lines = told(changed)
    assert lines[1].startswith("Differs: 2 of ")
    assert lines[2].strip() == changed[second].statement
    assert lines[3].strip() == changed[first].statement
    assert sum(changed[place].statement in line for place in gaps(changed) for line in lines) == 2


def test_a_comparison_without_a_difference_is_a_word_in_the_line_of_its_quantity(findings):
    lines = told([with_p(item, 0.5) for item in findings])
    line = next(line for line in lines if line.strip().startswith("finding_tpr: by "))
    assert "sex" in line
    assert len(lines) < 25
    assert all("thresholds from" not in line for line in lines)


def test_what_could_not_be_judged_is_gathered_by_its_reason(findings):
    gone = [
        replace(findings[place], verdict=Verdict.NOT_ASSESSABLE, reason="too few", estimates=())
        for place in gaps(findings)
    ]
    lines = told(gone)
    assert lines[1] == "Could not be judged"
    assert len(lines) == 3
    assert lines[2].endswith(": too few")


def test_nothing_is_said_of_nothing():
    assert told([]) == []
