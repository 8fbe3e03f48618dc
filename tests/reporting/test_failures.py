# SPDX-License-Identifier: Apache-2.0
"""Ways to fail: a number for each, or the words "not done"."""

from dataclasses import replace

import pytest

from monai_ethics.evidence import Estimate, EvidenceReport, Finding, Stage, Verdict
from monai_ethics.reporting.failures import MODES, failures
from monai_ethics.reporting.html import render_html
from monai_ethics.reporting.markdown import render_markdown
from monai_ethics.reporting.render import arrange
from monai_ethics.reporting.shortened import shortened
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
    assert number == "median: 0.600, 0.580 to 0.620 (95 % interval)"
    assert whom == "site: B; 40 patients (Dice overlap; 1 group without a number)"
    assert "treated late" in means


def test_of_sizes_the_smallest_is_told_though_another_is_worse():
    found, _ = table(GROUPS)
    number, whom, _ = found["Small findings are missed"]
    assert number.startswith("median: 0.500")
    assert whom.startswith("roi_size_band: (0, 120) voxels")
    assert "smallest of all sizes" in whom


def test_where_less_is_better_the_worst_is_the_highest():
    found, _ = table(replace(GROUPS, parameters={"higher_is_better": False}))
    assert found["A group of patients is served less well"][1].startswith("site: A")
    found, _ = table(replace(GROUPS, parameters={}))
    assert "not recorded which way is good" in found["A group of patients is served less well"][1]


def test_memorization_tells_copies_before_a_calm_test_and_an_open_question_its_reason():
    found, _ = table(LOOKED)
    assert found[MODES[4].name][0].startswith("images that repeat a training image: 3.000")
    found, _ = table(finding("synthesis.memorization_membership", [], Verdict.NOT_ASSESSABLE))
    assert found[MODES[4].name][0] == "No holdout was given."


def test_none_of_a_bad_thing_never_stands_before_an_alarm():
    alarm = [row("identical_images", 0.0, {}), row("p_value", 0.002, {}), row("closer_patients", 9.0, {})]
    found, _ = table(finding("synthesis.memorization_membership", alarm))
    named = [cells[0] for name, cells in found.items() if name.startswith(MODES[4].name)]
    assert named[0].startswith("training patients nearer than any held-out patient: 9")
    assert named[-1].startswith("images that repeat a training image: 0")


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


def test_a_group_in_which_so_many_were_missed_that_it_has_no_number_is_the_worst():
    lost = replace(row("median", None, {"site": "D"}), reason="half were missed: the median has no finite value")
    found, _ = table(replace(GROUPS, estimates=[*GROUPS.estimates, lost]))
    number, whom, _ = found["A group of patients is served less well"]
    assert number.startswith("no number: half were missed")
    assert whom == "site: D; 40 patients (Dice overlap; 2 groups without a number: so many were missed)"


def test_what_a_group_missed_stands_beside_its_median():
    rates = [row("failure_rate", value, {"site": site}) for site, value in (("A", 0.3), ("B", 0.1))]
    found, _ = table(replace(GROUPS, estimates=[*GROUPS.estimates, *rates]))
    assert found["A group of patients is served less well"][1].startswith("site: B")
    number, whom, _ = found["A group of patients is served less well, continued"]
    assert number.startswith("share missed: 0.300")
    assert whom.startswith("site: A")


def test_of_many_runs_the_worst_is_told():
    rows = [[row("median", value, {"site": "A"}), row("median", 0.9, {"site": "B"})] for value in (0.7, 0.8, 0.2, 0.6)]
    found, _ = table(*[replace(GROUPS, estimates=each, statement=str(each[0].value)) for each in rows])
    assert found["A group of patients is served less well"][0].startswith("median: 0.200")
    assert "A group of patients is served less well, continued" not in found


def test_the_smallest_size_is_told_also_where_it_has_no_number():
    sizes = [row("median", None, {"roi_size_band": "(0, 9) voxels"}), row("median", 0.9, {"roi_size_band": "[9, 20)"})]
    found, _ = table(replace(GROUPS, estimates=sizes))
    assert found["Small findings are missed"][0] == "no number: Too few patients."


def test_no_copy_found_does_not_hide_what_a_test_found():
    looked = finding("synthesis.memorization_membership", [row("identical_images", 0.0, {}), row("p_value", 0.001, {})])
    _, report = table(looked)
    rows = failures(view_of(report).asked).rows
    assert {cells[1].text.split()[0] for cells in rows} >= {"images", "p-value:"}


def test_many_groups_are_shortened_to_those_that_failed_first():
    rows = [row("median", 0.5 + i / 1000, {"site": str(i)}) for i in range(100)]
    reason = "half were missed: the median has no finite value"
    lost = [replace(row("median", None, {"site": f"lost {i}"}), reason=reason) for i in range(2)]
    kept = shortened(replace(GROUPS, estimates=[*rows, *lost]), 60)
    assert [each.group["site"] for each in kept if each.value is None] == ["lost 0", "lost 1"]
    assert kept[0].value == 0.5
    assert len(kept) == 25
