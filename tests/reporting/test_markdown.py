# SPDX-License-Identifier: Apache-2.0
import itertools
from dataclasses import replace

import pytest

from monai_ethics.reporting.frequencies import sentences
from monai_ethics.reporting.markdown import render_markdown
from monai_ethics.reporting.names import as_told
from monai_ethics.reporting.quantity import number
from monai_ethics.reporting.view import view_of


def test_markdown_has_the_statements_reasons_and_numbers_of_the_report(told):
    text = render_markdown(view_of(told))
    plain = text.replace("\\", "").replace("&#46;", ".")
    for finding in map(as_told, told.findings):
        assert finding.statement in plain
        assert finding.reason is None or finding.reason in plain
        for row in finding.estimates:
            assert number(row.value, row.unit) in plain
            assert row.reason is None or row.reason in plain


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hostile", "hostile_told"])
def test_tables_have_as_many_cells_as_columns(name, request, rendered):
    lines = rendered(request.getfixturevalue(name))["report.md"].decode().splitlines()
    width = 0
    for line in lines:
        if not line.startswith("|"):
            width = 0
            continue
        cells = line.replace("\\|", "").count("|")
        width = width or cells
        assert cells == width


def test_headings_are_in_order(told):
    lines = render_markdown(view_of(told)).splitlines()
    levels = [len(line.split(" ")[0]) for line in lines if line.startswith("#")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_markdown_has_the_sentences_and_the_sections_of_the_page(told):
    plain = render_markdown(view_of(told)).replace("\\", "")
    for finding in told.findings:
        assert all(text in plain for text in sentences(finding))
    for heading in ("Who is not represented", "Every comparison of groups", "The worst result beside the best"):
        assert f"## {heading}" in plain
    assert "Lines in report.json: roc (6)" in plain


def test_a_reason_names_some_results_and_counts_the_others(report):
    scores = next(finding for finding in report.findings if finding.check == "fairness.group_scores")
    rows = [
        replace(row, group={"site": f"s{i}"}, value=None, low=None, high=None, level=None, reason="few", n_valid=0)
        for i, row in enumerate([scores.estimates[0]] * 40)
    ]
    text = render_markdown(view_of(replace(report, findings=[replace(scores, estimates=rows)])))
    line = next(line for line in text.splitlines() if line.startswith("- ? Few"))
    assert line.endswith("; and 28 more, in the tables below")
    assert line.count("site: s") == 12
