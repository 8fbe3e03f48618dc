# SPDX-License-Identifier: Apache-2.0
"""A terminal shows what differs in full and everything else in few lines."""

from dataclasses import replace

import pytest

from monai_ethics.cli._told import changes, told
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


def test_what_was_not_planned_comes_after_what_was(findings):
    first = findings[gaps(findings)[0]]
    crossed = replace(first, statement="crossed", parameters={**first.parameters, "attribute": "sex*site"})
    held = replace(first, statement="held", parameters={**first.parameters, "family_name": "held fixed (secondary)"})
    lines = told([with_p(crossed, 0.001), with_p(held, 0.002), with_p(first, 0.04)])
    assert [line.strip() for line in lines[2:5]] == [first.statement, "crossed", "held"]


def test_a_comparison_without_a_difference_is_a_word_in_the_line_of_its_quantity(findings):
    lines = told([with_p(item, 0.5) for item in findings])
    line = next(line for line in lines if line.strip().startswith("finding: sensitivity (TPR): by "))
    assert "sex" in line
    assert lines[1].startswith("Differs: 0 of ")
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


def test_one_reason_is_said_once_for_all_changes_that_it_leaves_open(findings):
    gone = [replace(item, verdict=Verdict.NOT_ASSESSABLE, reason="no second run", estimates=()) for item in findings]
    lines = changes([findings[0], *gone[1:]])
    assert lines[0].endswith(findings[0].statement)
    assert len(lines) == 2
    assert lines[1].startswith("not_assessable: ")
    assert lines[1].endswith(" more: no second run")
