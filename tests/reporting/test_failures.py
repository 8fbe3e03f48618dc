# SPDX-License-Identifier: Apache-2.0
"""Ways to fail: a number for each, or the words "not done"."""

from dataclasses import replace

import pytest

from monai_ethics.evidence import Estimate, EvidenceReport, Finding, Stage, Verdict
from monai_ethics.reporting.failures import MODES, failures
from monai_ethics.reporting.html import render_html
from monai_ethics.reporting.markdown import render_markdown
from monai_ethics.reporting.render import arrange
from monai_ethics.reporting.view import view_of


def row(name, value, group, *, n=40):
    ends = {} if value is None else {"low": value - 0.02, "high": value + 0.02, "level": 0.95, "method": "t"}
    return Estimate(
        name=name, value=value, unit="1", n=n, n_unit="patients", estimand="mean", group=group,
        reason="Too few patients." if value is None else None, **ends,
    )  # fmt: skip


def finding(check, rows, verdict=Verdict.MEASURED, **parameters):
    reason = "No holdout was given." if verdict == "not_assessable" else None
    return Finding(
        check=check, title=f"What of {check}?", stage=Stage.EVALUATION, verdict=verdict, statement="s",
        subjects=("mean_dice",), estimates=rows, parameters=parameters, reason=reason,
    )  # fmt: skip


GROUPS = finding(
    "fairness.group_scores",
    [
        row("median", 0.9, {}),
        row("median", 0.8, {"site": "A"}),
        row("median", 0.6, {"site": "B"}),
        row("median", None, {"site": "C"}, n=3),
        row("median", 0.5, {"roi_size_band": "(0, 120) voxels"}),
        row("median", 0.4, {"roi_size_band": "[900, inf) voxels"}),
    ],
    higher_is_better=True,
)
LOOKED = finding("synthesis.memorization_membership", [row("p_value", 0.2, {}), row("identical_images", 3.0, {})])


def table(*findings):
    report = EvidenceReport(
        created="2026-01-01T00:00:00Z", tool="t", environment={}, inputs={}, findings=list(findings)
    )
    rows = failures(view_of(report).asked).rows
    return {cells[0].text: [cell.text for cell in cells[1:]] for cells in rows}, report


def test_a_report_of_nothing_says_not_done_for_each_way_to_fail():
    found, _ = table()
    assert list(found) == [mode.name for mode in MODES]
    assert all(cells[0].startswith("not done; what would do it: ") for cells in found.values())


def test_the_worst_group_stands_with_its_interval_and_those_without_a_number():
    found, _ = table(GROUPS)
    number, whom, means = found["A group of patients is served less well"]
    assert number == "median 0.600, 0.580 to 0.620 (95 % interval)"
    assert whom == "site: B; 40 patients (mean_dice; 1 group without a number)"
    assert "treated late" in means


def test_of_sizes_the_smallest_is_told_though_another_is_worse():
    found, _ = table(GROUPS)
    number, whom, _ = found["Small findings are missed"]
    assert number.startswith("median 0.500")
    assert whom.startswith("roi_size_band: (0, 120) voxels")
    assert "smallest of all sizes" in whom


def test_where_less_is_better_the_worst_is_the_highest():
    found, _ = table(replace(GROUPS, parameters={"higher_is_better": False}))
    assert found["A group of patients is served less well"][1].startswith("site: A")
    found, _ = table(replace(GROUPS, parameters={}))
    assert "not recorded which way is good" in found["A group of patients is served less well"][1]


def test_memorization_tells_copies_before_a_calm_test_and_an_open_question_its_reason():
    found, _ = table(LOOKED)
    assert found[MODES[4].name][0].startswith("identical images 3.000")
    found, _ = table(finding("synthesis.memorization_membership", [], Verdict.NOT_ASSESSABLE))
    assert found[MODES[4].name][0] == "No holdout was given."


def test_more_findings_than_fit_are_cut_to_the_first_few():
    found, _ = table(*(replace(GROUPS, subjects=(f"m{i}",)) for i in range(9)))
    assert sum(name.startswith(MODES[0].name) for name in found) <= 3


def test_every_consequence_is_a_sentence_and_names_what_would_measure_it():
    assert all(mode.consequence.endswith(".") and mode.would for mode in MODES)
    assert len({mode.name for mode in MODES}) == len(MODES)


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_the_table_stands_in_every_page(render):
    _, report = table(GROUPS)
    page = render(arrange(report))
    assert "How it may fail, and what that means for patients" in page
    assert "not done; what would do it" in page
