# SPDX-License-Identifier: Apache-2.0
"""No computed number is left out, and what is weak stands beside what is strong (MIS-12)."""

import re
from dataclasses import replace

import pytest

from monai_ethics.evidence import Curve, EvidenceReport, Finding, Stage, Verdict
from monai_ethics.reporting.escape import coded_markdown
from monai_ethics.reporting.html import render_html
from monai_ethics.reporting.markdown import render_markdown
from monai_ethics.reporting.quantity import group_label, value_label
from monai_ethics.reporting.telling import BRIEF, brief_with_name
from monai_ethics.reporting.view import view_of

SEEDS = [(24, 1), pytest.param((60, 2), marks=pytest.mark.slow), pytest.param((40, 3), marks=pytest.mark.slow)]


def missing_of(report, page, text):
    """Estimates whose value the page or the text does not have, each in a row of its own name and group."""
    values = set(re.findall(r'<data value="([^"]+)"', page))
    rows = {tuple(line.strip("| ").split(" | ")[:3]) for line in text.splitlines() if line.startswith("| ")}
    missing = []
    for finding in report.findings:
        for row in finding.estimates:
            cells = tuple(
                coded_markdown(cell, BRIEF)
                for cell in (brief_with_name(row.name), group_label(row.group), value_label(row))
            )
            if cells not in rows or (row.value is not None and repr(row.value) not in values):
                missing.append((finding.check, row.name, dict(row.group)))
    return missing


@pytest.mark.parametrize("size", SEEDS)
def test_every_number_of_every_check_stands_on_the_page_and_in_the_text(every_check, size):
    report = every_check(*size)
    view = view_of(report)
    assert sum(len(finding.estimates) for finding in report.findings) > 300
    assert missing_of(report, render_html(view), render_markdown(view)) == []


def test_a_number_that_is_left_out_is_noticed(every_check):
    report = every_check(24, 1)
    whole = next(finding for finding in report.findings if finding.check == "fairness.group_scores")
    less = replace(report, findings=[replace(whole, estimates=whole.estimates[:-1])])
    view = view_of(less)
    one = replace(report, findings=[whole])
    left = missing_of(one, render_html(view), render_markdown(view))
    last = whole.estimates[-1]
    assert left == [("fairness.group_scores", last.name, dict(last.group))]


def weak(report):
    found = view_of(report).weakest
    return [] if found is None else [[cell.text for cell in row] for row in found.rows]


def scored(**changes):
    line = Curve(
        name="quantiles", x_name="share of patients below", y_name="dice", x=[0.05, 0.5, 0.95], y=[None, 0.4, 0.9],
        n=40, n_unit="patients", method="made", reason="made",
    )  # fmt: skip
    base = Finding(
        check="fairness.group_scores", title="How well?", stage=Stage.EVALUATION, verdict=Verdict.MEASURED,
        statement="Measured.", subjects=("dice",), curves=(line,), parameters={"higher_is_better": True},
    )  # fmt: skip
    found = replace(base, **changes)
    return EvidenceReport(created="2026-03-02T09:14:00Z", tool="x", environment={}, inputs={}, findings=[found])


def test_the_ends_of_the_scores_stand_beside_each_other_the_weak_one_first():
    ends = ["50% of the patients at 0.400 or lower or without a value", "5% of the patients at 0.900 or higher"]
    row = ["Dice overlap", "ends of the scores, by twentieths of all", *ends, "40 patients"]
    assert weak(scored()) == [row]
    assert weak(scored(parameters={"higher_is_better": False})) == [[*row[:2], row[3], row[2], row[4]]]


def test_what_could_not_be_judged_has_no_weak_end():
    assert weak(scored(verdict=Verdict.NOT_ASSESSABLE, reason="too few")) == []


def test_the_smallest_regions_stand_beside_the_largest(report):
    scores = report.findings[0]
    bands = ("[160, inf) voxels", "(0, 93) voxels", "[93, 160) voxels", "no reference")
    sites = [row for row in scores.estimates if row.name == "median" and tuple(row.group) == ("sex", "site")]
    rows = [replace(row, group={"roi_size_band": band}) for row, band in zip(sites, bands, strict=False)]
    found = weak(replace(report, findings=[replace(scores, estimates=rows)]))
    assert [row[1] for row in found] == ["smallest beside largest regions"]
    assert found[0][2].startswith("roi_size_band: (0, 93) voxels")
    assert found[0][3].startswith("roi_size_band: [160, inf) voxels")


@pytest.mark.parametrize(("value", "shown"), [(-0.1, 1), (0.1, 0), (0.0, 0)])
def test_a_change_in_the_other_direction_is_listed(report, value, shown):
    row = replace(report.findings[0].estimates[0], name="change", value=value, low=-0.2, high=0.2)
    changed = replace(report.findings[0], check="fairness.mitigation_change", estimates=[row])
    assert len(weak(replace(report, findings=[changed]))) == shown
