# SPDX-License-Identifier: Apache-2.0
import io
from dataclasses import replace

from rich.console import Console

from monai_ethics.provenance.log.reading.trail import Published, Trail
from monai_ethics.reporting.names import as_told
from monai_ethics.reporting.quantity import TIMES
from monai_ethics.reporting.terminal import print_summary, summary


def printed(report, *, terminal):
    out = io.StringIO()
    print_summary(report, console=Console(file=out, force_terminal=terminal, highlight=False, soft_wrap=True))
    return out.getvalue()


def test_the_summary_names_answers_and_open_questions(report):
    text = printed(report, terminal=False)
    assert f"2 {TIMES} outside the limit" in text
    assert as_told(report.findings[4]).statement in text
    assert "val_mean_dice" not in text
    assert "What could not be judged, and why" in text
    assert "column is empty" in text
    assert "\x1b" not in text


def test_names_are_never_read_as_markup_or_escapes(hostile):
    assert "[red]x[/red]" in printed(hostile, terminal=False)
    assert "\x1b[31m[/]" not in printed(hostile, terminal=True)


def test_an_empty_report_is_said_to_be_empty(empty):
    assert "0 results: none" in printed(empty, terminal=False)


def test_a_copy_for_the_public_says_first_that_it_is_one(report):
    trail = Trail(published=Published(least=11, hidden=425, source="ab" * 32))
    lines = [line.plain for line in summary(report, trail=trail)]
    assert lines[0] == "This is a copy for the public"
    assert "every count of 1 to 10 people or cases" in lines[1]
    assert "neither good nor bad news" in lines[2]
    assert "for the public" not in printed(report, terminal=False)


def test_a_copy_does_not_say_that_everything_has_an_answer(report):
    trail = Trail(published=Published(least=11, hidden=425, source=""))
    answered = replace(report, findings=[report.findings[-2]])
    told = "\n".join(map(str, summary(answered, trail=trail)))
    assert "Everything that was asked" not in told
    assert "Everything that is shown in this copy for the public has an answer." in told
    assert "Everything that was asked has an answer." in printed(answered, terminal=False)
