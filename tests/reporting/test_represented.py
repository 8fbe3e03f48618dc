# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from monai_ethics.reporting.view import view_of


def test_counts_empty_combinations_and_absent_labels_are_listed(told, present):
    found = view_of(told).represented
    assert found.statement == present.statement
    assert found.columns == ("patients", "positives")
    assert [row.group for row in found.counts] == ["everyone", "sex: F", "sex: M", "sex: not recorded"]
    assert [(row.who, row.what) for row in found.absent] == [
        ("sex*site: M*harbor", "empty cell"), ("sex: X", "absent label"),
    ]  # fmt: skip


def test_a_group_that_counts_nobody_is_absent_and_one_whose_count_is_withheld_is_open(told, present):
    rows = [replace(row, value=0) if row.group == {"sex": "M"} else row for row in present.estimates]
    rows = [replace(r, value=None, reason="few") if r.group.get("sex") == "F" else r for r in rows]
    found = view_of(replace(told, findings=[replace(present, estimates=rows)])).represented
    assert "sex: M" in {row.who for row in found.absent}
    assert [row.group for row in found.open] == ["sex: F"]


def test_groups_without_a_number_are_listed_smallest_first_with_their_n(told):
    found = view_of(told).represented
    assert [row.n for row in found.open] == ["2 patients", "3 patients", "3 patients", "4 patients", "7 patients"]
    assert {"sex*site: M*s2", "site: not recorded"} <= {row.group for row in found.open}
    assert found.sentence.startswith("5 groups of 26 could not be judged")


def test_without_a_finding_of_who_is_there_the_open_groups_still_stand(report):
    found = view_of(report).represented
    assert (found.counts, found.absent, len(found.open)) == ((), (), 3)


def test_a_report_without_groups_has_no_such_section(report, empty):
    assert view_of(empty).represented is None
    assert view_of(replace(report, findings=report.findings[-2:])).represented is None


def test_all_groups_judged_is_said(report, classified):
    rows = [row for row in classified.estimates if row.value is not None]
    found = view_of(replace(report, findings=[replace(classified, estimates=rows)])).represented
    assert found.sentence == "All 8 groups have a number in every result."


def test_the_section_stands_before_the_worst_and_the_best(told, rendered, integrity):
    page = rendered(told, integrity=integrity)["report.html"].decode()
    assert page.index('id="present"') < page.index('id="compared"') < page.index('id="groups"')


def test_the_overview_holds_every_comparison_once(told):
    view = view_of(told)
    held = [item.anchor for _, cells in view.overview.rows for item in cells if item is not None]
    wanted = [item.anchor for item in view.asked if item.gap is not None or item.finding.parameters.get("attribute")]
    assert sorted(held) == sorted(wanted)


def test_two_checks_of_one_cell_have_rows_of_their_own(told, compared):
    other = replace(compared, check="fairness.standardized_gap")
    third = replace(compared, title="once more")
    view = view_of(replace(told, findings=(*told.findings, other, third)))
    names = [name for name, _ in view.overview.rows]
    assert len(names) == len(set(names)) == 5
    assert "pneumonia: sensitivity (TPR) (standardized gap)" in names


def test_many_findings_are_folded_unless_they_need_a_look(told, compared):
    calm = [
        replace(
            compared,
            subjects=(f"target{place}_tpr", "site"),
            estimates=[replace(r, value=0.7) if r.name == "p_adjusted" else r for r in compared.estimates],
        )
        for place in range(9)
    ]
    view = view_of(replace(told, findings=(*told.findings, *calm)))
    question = next(item for item in view.questions if item.check == "fairness.rate_gap")
    assert [item.finding.subjects[0] for item in question.open] == ["pneumonia_tpr"]
    assert len(question.folded) == 9
    assert {item.anchor for item in (*question.open, *question.folded)} == {item.anchor for item in question.asked}


def test_a_check_of_performance_that_counts_patients_does_not_say_who_is_there(told, present):
    ranking = replace(present, check="fairness.group_ranking")
    found = view_of(replace(told, findings=[ranking])).represented
    assert found is None or found.statement == ""


def test_a_group_with_some_numbers_says_which_are_missing(report):
    scores = next(finding for finding in report.findings if finding.check == "fairness.group_scores")
    row = next(row for row in scores.estimates if row.group and row.value is not None)
    gone = {"value": None, "low": None, "high": None, "level": None, "n_valid": 0, "reason": "few"}
    some = [replace(row, name="score"), replace(row, name="median", **gone), replace(row, name="mean", **gone)]
    (found,) = view_of(replace(report, findings=[replace(scores, estimates=some)])).represented.open
    assert [text.partition(": ")[2] for text in found.what] == ["median, mean"]
    (found,) = view_of(
        replace(report, findings=[replace(scores, estimates=[replace(row, name="patients"), *some[1:]])])
    ).represented.open
    assert ": " not in found.what[0]
