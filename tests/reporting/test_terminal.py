# SPDX-License-Identifier: Apache-2.0
import io

from rich.console import Console

from monai_ethics.reporting.terminal import print_summary


def printed(report, *, terminal):
    out = io.StringIO()
    print_summary(report, console=Console(file=out, force_terminal=terminal, highlight=False, soft_wrap=True))
    return out.getvalue()


def test_the_summary_names_answers_and_open_questions(report):
    text = printed(report, terminal=False)
    assert "2 outside the limit" in text
    assert report.findings[4].statement in text
    assert "What could not be judged, and why" in text
    assert "column is empty" in text
    assert "\x1b" not in text


def test_names_are_never_read_as_markup_or_escapes(hostile):
    assert "[red]x[/red]" in printed(hostile, terminal=False)
    assert "\x1b[31m[/]" not in printed(hostile, terminal=True)


def test_an_empty_report_is_said_to_be_empty(empty):
    assert "0 results: none" in printed(empty, terminal=False)
