# SPDX-License-Identifier: Apache-2.0
"""A verdict says what its limit is on: to meet a limit on a p-value is no evidence that there is no difference."""

from dataclasses import replace

import pytest

from monai_ethics.evidence import Direction, Limit, Side, Source, Verdict
from monai_ethics.reporting.html import render_html
from monai_ethics.reporting.markdown import render_markdown
from monai_ethics.reporting.telling import limit_label
from monai_ethics.reporting.terminal import summary
from monai_ethics.reporting.view import view_of
from monai_ethics.reporting.words import VERDICTS, tally, words_of

BOARD = Source(title="Imaging board")


def limit(estimate="p_adjusted", value=0.05, direction=Direction.AT_LEAST, **more):
    return Limit(estimate=estimate, value=value, direction=direction, source=BOARD, **more)


@pytest.fixture
def judged(report):
    """A gap that chance may explain, judged by a limit on its p-value."""
    gap = next(item for item in report.findings if item.subjects == ("val_mean_dice", "sex"))
    return replace(gap, verdict=Verdict.PASSED, limit=limit("p_value"))


def test_a_limit_on_a_p_value_is_said_with_what_it_is_on(judged):
    assert words_of(judged).word == "Limit on p met"
    assert words_of(replace(judged, verdict=Verdict.FAILED)) == VERDICTS[Verdict.FAILED]
    for other in (limit("max_min_gap"), limit("p_value", direction=Direction.AT_MOST), None):
        verdict = Verdict.MEASURED if other is None else Verdict.PASSED
        assert words_of(replace(judged, limit=other, verdict=verdict)) == VERDICTS[verdict]


def test_results_are_counted_by_what_is_said_of_them(judged):
    other = replace(judged, limit=limit("max_min_gap", 0.1, Direction.AT_MOST))
    failed = replace(judged, verdict=Verdict.FAILED)
    found = [(words.word, count) for words, count in tally([judged, other, judged, failed])]
    assert found == [("Outside the limit", 1), ("Within the limit", 1), ("Limit on p met", 2)]


def test_every_rendering_says_that_a_limit_met_shows_no_absence(report, judged):
    only = replace(report, findings=[judged])
    view = view_of(only)
    page, text, lines = render_html(view), render_markdown(view), "\n".join(map(str, summary(only)))
    for told in (page, text, lines):
        assert "To meet it means that nothing was shown, not that there is nothing." in told
        assert "Limit on p met" in told
    assert "limit on p-value: at least 0.05, set by Imaging board" in page
    assert "Limit: p-value: at least 0.05. Set by: Imaging board" in text
    assert "v-passed" not in page.split("</style>")[1]  # nothing shown is not told in the color of good news
    assert view_of(report).cautions == ()


def test_a_limit_says_its_number_its_group_and_its_end():
    asked = limit("median", 0.8, group={"sex": "F"}, side=Side.LOW)
    assert limit_label(asked) == "median (sex: F), low end of its interval: at least 0.8"
    assert limit_label(limit("refused", 0, Direction.AT_MOST)) == "refused items: at most 0"


def test_an_alarm_that_nobody_set_a_limit_for_comes_first_and_is_told_to_clinicians(report):
    members = next(item for item in report.findings if item.check == "synthesis.memorization_membership")
    alarm = replace(members, verdict=Verdict.MEASURED, parameters={"significance": 0.05})
    quiet = replace(alarm, parameters={})
    for finding, first in ((alarm, True), (quiet, False)):
        view = view_of(replace(report, findings=[*(report.findings[:1] * 3), finding]))
        assert (view.answered[0].finding.check == finding.check) is first
        (point,) = (point for reader in view.readers for point in reader.points if point.question.startswith("Where"))
        told = [answer.text for answer in point.answers if "not judged: nobody set a limit" in answer.text]
        assert len(told) == first
