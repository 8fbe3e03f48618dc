# SPDX-License-Identifier: Apache-2.0
"""A copy for the public says first that it is one, and never tells what it hides as what is not there."""

from dataclasses import replace

import pytest

from monai_ethics.provenance.log.reading.trail import Published, Trail
from monai_ethics.reporting.html import render_html
from monai_ethics.reporting.markdown import render_markdown
from monai_ethics.reporting.view import view_of

PUBLIC = Trail(published=Published(least=11, hidden=425, source="ab" * 32), counts={"open": 1, "public_export": 1})
ABSENT = (
    "No difference between groups was told",
    "have a number in every result",
    "holds nobody's consent",
    "holds no consent",
    "No record states an intended use",
    "no set of images is recorded",
    "No set of images and no model is recorded",
    "none is named in the records",
    "No result lies outside a limit",
    "This was not examined: no groups",
)


@pytest.fixture
def calm(report):
    """Without a gap beyond chance or a result outside a limit: what a copy may be left with."""
    calm = [item for item in report.findings if item.parameters.get("attribute") == "sex" and item.limit is None]
    return replace(report, findings=[report.findings[0], *calm])


def answers(view):
    return {point.question: [answer.text for answer in point.answers] for r in view.readers for point in r.points}


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_a_copy_says_first_that_it_is_one_and_what_is_left_out(report, render):
    told = render(view_of(report, trail=PUBLIC))
    first, later = (
        told.index("This is a copy for the public"),
        told.index("What was found</h3>" if "</h3>" in told else "## What was found"),
    )
    assert first < later
    for text in (
        "every count of 1 to 10 people or cases",
        "425 numbers in all",
        "That is no promise",
        "neither good nor bad news",
        "abababababababab",
    ):
        assert text in told


@pytest.mark.parametrize("render", [render_html, render_markdown])
@pytest.mark.parametrize("name", ["calm", "empty", "told"])
def test_what_is_hidden_is_never_told_as_what_is_not_there(name, render, request):
    report = request.getfixturevalue(name)
    told = render(view_of(report, trail=PUBLIC)).replace("&#39;", "'")
    assert [text for text in ABSENT if text in told] == []


def test_other_evidence_is_told_as_before(report):
    trail = replace(PUBLIC, published=None)
    assert view_of(report, trail=trail).published == ()
    assert "for the public" not in render_html(view_of(report, trail=trail))


def test_each_reader_is_told_what_a_copy_cannot_say(calm):
    told = answers(view_of(calm, trail=PUBLIC))
    assert "may tell a difference that does not stand here" in told["For whom does it work less well?"][-1]
    assert "it cannot say who is missing" in told["Who is missing?"][0]
    assert "does not mean that there was none" in told["Where did it fail?"][0]
    assert "one of them may do worse" in told["Which group is at the weak end?"][-1]
    assert "not told here" in told["What is it intended for?"][0]


def test_a_way_to_fail_that_is_not_done_may_be_one_that_is_hidden(report):
    section = view_of(report, trail=PUBLIC).sections[0]
    assert "left out of this copy for the public" in section.intro[-1]


def test_how_much_of_one_result_is_hidden_stands_below_that_result_only(report):
    note = "Public copy: 4 of 9 numbers are hidden, because."
    marked = replace(report, findings=[replace(item, limitations=(note,)) for item in report.findings])
    assert view_of(marked, trail=PUBLIC).limitations == ()
    assert note in render_markdown(view_of(marked, trail=PUBLIC)).replace("\\", "")


def test_a_copy_that_shows_every_count_but_one_says_small(report):
    trail = replace(PUBLIC, published=Published(least=2, hidden=1, source=""))
    (first, *_, last) = view_of(report, trail=trail).published
    assert "every small count" in first
    assert "It was made from" not in last
