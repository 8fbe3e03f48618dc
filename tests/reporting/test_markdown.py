# SPDX-License-Identifier: Apache-2.0
import itertools

from monai_ethics.reporting.quantity import number
from monai_ethics.reporting.render import render


def test_markdown_has_the_statements_reasons_and_numbers_of_the_report(report):
    text = render(report)["report.md"].decode()
    plain = text.replace("\\", "").replace("&#46;", ".")
    for finding in report.findings:
        assert finding.statement in plain
        assert finding.reason is None or finding.reason in plain
        for row in finding.estimates:
            assert number(row.value, row.unit) in plain
            assert row.reason is None or row.reason in plain


def test_tables_have_as_many_cells_as_columns(hostile):
    lines = render(hostile)["report.md"].decode().splitlines()
    width = 0
    for line in lines:
        if not line.startswith("|"):
            width = 0
            continue
        cells = line.replace("\\|", "").count("|")
        width = width or cells
        assert cells == width


def test_headings_are_in_order(report):
    levels = [
        len(line.split(" ")[0]) for line in render(report)["report.md"].decode().splitlines() if line.startswith("#")
    ]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
