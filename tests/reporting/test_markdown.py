# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest

from monai_ethics.reporting.frequencies import sentences
from monai_ethics.reporting.quantity import number
from monai_ethics.reporting.render import render


def test_markdown_has_the_statements_reasons_and_numbers_of_the_report(told):
    text = render(told)["report.md"].decode()
    plain = text.replace("\\", "").replace("&#46;", ".")
    for finding in told.findings:
        assert finding.statement in plain
        assert finding.reason is None or finding.reason in plain
        for row in finding.estimates:
            assert number(row.value, row.unit) in plain
            assert row.reason is None or row.reason in plain


@pytest.mark.parametrize("name", ["hostile", "hostile_told"])
def test_tables_have_as_many_cells_as_columns(name, request):
    lines = render(request.getfixturevalue(name))["report.md"].decode().splitlines()
    width = 0
    for line in lines:
        if not line.startswith("|"):
            width = 0
            continue
        cells = line.replace("\\|", "").count("|")
        width = width or cells
        assert cells == width


def test_headings_are_in_order(told):
    levels = [
        len(line.split(" ")[0]) for line in render(told)["report.md"].decode().splitlines() if line.startswith("#")
    ]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_markdown_has_the_sentences_and_the_sections_of_the_page(told):
    plain = render(told)["report.md"].decode().replace("\\", "")
    for finding in told.findings:
        assert all(text in plain for text in sentences(finding))
    for heading in ("Who is not represented", "Every comparison of groups", "The worst result beside the best"):
        assert f"## {heading}" in plain
    assert "Lines in report.json: roc (6)" in plain
