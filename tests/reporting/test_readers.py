# SPDX-License-Identifier: Apache-2.0
"""What a patient representative, a clinician and an auditor are told first, and what is said where nothing is known."""

from dataclasses import replace

import pytest

from monai_ethics.evidence import INTRINSIC_LIMITS, Verdict
from monai_ethics.provenance.log.reading.trail import Made, Set, Trail
from monai_ethics.reporting.markdown import render_markdown
from monai_ethics.reporting.terminal import summary
from monai_ethics.reporting.view import view_of

TRAIL = Trail(
    sets=(Set(role="input set", n=440, subjects=220, unattributed=0, root="ab" * 32),),
    models=(Made(name="Lesions 0.1.0", weights="cd" * 32),),
    intended=("Demonstration only",),
    counts={"open": 1},
)


def points(report, **more):
    view = view_of(report, **more)
    return {point.question: point.answers for reader in view.readers for point in reader.points}


def texts(answers):
    return [answer.text for answer in answers]


def test_for_whom_it_works_less_well_is_told_by_attribute_with_its_test(report):
    first, *_ = texts(points(report)["For whom does it work less well?"])
    assert first.startswith("By ")
    assert "differ by more than chance alone would explain" in first
    assert "Dice overlap" in first


def test_the_group_at_the_weak_end_is_named_once_the_test_has_spoken(report):
    told = " ".join(texts(points(report)["For whom does it work less well?"]))
    assert "By site, groups differ" in told
    assert "At the weak end of what was scored: site: harbor." in told


def test_without_a_difference_it_is_said_that_this_shows_no_equality(report):
    calm = [finding for finding in report.findings if finding.parameters.get("attribute") == "sex"]
    found = points(replace(report, findings=calm))["For whom does it work less well?"]
    assert texts(found) == ["No difference between groups was told from chance. That does not show that there is none."]


def test_what_was_not_examined_is_said_for_each_question(empty):
    told = points(empty)
    for question in ("For whom does it work less well?", "Who is missing?", "Were consents and withdrawals respected?"):
        assert texts(told[question])[0].startswith("This was not examined"), question
    assert texts(told["What is it intended for?"]) == ["No record states an intended use."]
    assert texts(told["How small a difference could be seen?"])[0].startswith("No result states")


def test_a_finding_on_consent_is_told_with_its_verdict(report):
    consent = replace(report.findings[-1], check="provenance.consent_coverage", statement="1 of 10 is refused.")
    (answer,) = points(replace(report, findings=[consent]))["Were consents and withdrawals respected?"]
    assert (answer.text, answer.said.verdict) == ("1 of 10 is refused.", consent.verdict)


def test_a_log_without_any_consent_says_what_that_means(report):
    question = "Were consents and withdrawals respected?"
    assert "nobody's consent or withdrawal" in texts(points(report, trail=TRAIL)[question])[-1]
    asked = replace(TRAIL, counts={"consent": 2})
    assert len(points(report, trail=asked)[question]) == 1


def test_failures_and_missed_cases_come_first_for_clinicians(report):
    answers = points(report)["Where did it fail?"]
    assert answers[0].said.verdict is Verdict.FAILED
    assert any("there was something and nothing was found" in text for text in texts(answers))


def test_the_smallest_gap_is_told_in_its_unit_or_as_comparisons(report):
    told = texts(points(report)["How small a difference could be seen?"])
    assert told[0].endswith("differences below 0.050 would often go unseen.")
    gap = next(finding for finding in report.findings if finding.check == "fairness.score_gap")
    rows = [replace(row, name=row.name.replace("detectable_gap", "detectable_effect")) for row in gap.estimates]
    rows = [replace(row, value=0.71) if "detectable" in row.name else row for row in rows]
    changed = texts(
        points(replace(report, findings=[replace(gap, estimates=rows)]))["How small a difference could be seen?"]
    )
    assert "about 71 of 100 comparisons" in changed[0]


@pytest.mark.parametrize("question", ["Which group is at the weak end?", "How small a difference could be seen?"])
def test_of_many_answers_some_are_told_and_the_rest_is_counted(report, question):
    told = texts(points(report)[question])
    assert any(text.startswith("And ") and text.endswith(" more.") for text in told)


def test_every_answer_leads_to_a_place_on_the_page(told, rendered, integrity):
    page = rendered(told, integrity=integrity)["report.html"].decode()
    anchors = {a.anchor for answers in points(told).values() for a in answers if a.anchor}
    assert len(anchors) > 8
    assert {anchor for anchor in anchors if f'id="{anchor}"' not in page} == set()


def test_the_first_page_says_what_was_looked_at(report):
    facts = dict(view_of(report, trail=TRAIL).facts)
    assert facts["Data"] == "input set of 440 images (220 patients)"
    assert facts["Model"] == "Lesions 0.1.0 (weights cdcdcdcdcdcd…)"
    assert facts["On how many"].startswith("320 patients")
    assert texts(points(report, trail=TRAIL)["What is it intended for?"]) == ["Demonstration only."]


def test_images_of_nobody_known_are_not_told_as_patients(report):
    sets = [Set(role="training set", n=60, subjects=60, unattributed=60, root="ab" * 32)]
    sets += [Set(role="input set", n=80, subjects=50, unattributed=40, root="cd" * 32)]
    told = dict(view_of(report, trail=replace(TRAIL, sets=tuple(sets))).facts)["Data"]
    assert "training set of 60 images (60 of no known patient)" in told
    assert "input set of 80 images (10 patients, 40 of no known patient)" in told


def test_limits_of_synthetic_images_stand_wherever_there_are_any(report, present):
    plain = replace(report, findings=[present])
    assert view_of(plain).synthetic == ()
    for view in (view_of(report), view_of(plain, trail=replace(TRAIL, synthetic=1))):
        assert view.synthetic == INTRINSIC_LIMITS
        assert all(text in render_markdown(view) for text in INTRINSIC_LIMITS)
    assert all(text in "\n".join(map(str, summary(report))) for text in INTRINSIC_LIMITS)


def test_every_result_has_a_line_with_n_seed_and_requirements(told):
    rows = view_of(told).methods.rows
    assert len(rows) == len(told.findings)
    assert {len(row) for row in rows} == {7}
    assert [cell.text for cell in rows[-1]][3:] != ["", "", "", ""]


def test_text_and_page_have_their_sections_in_the_same_order(told, rendered, integrity):
    files = rendered(told, integrity=integrity)
    page, text = files["report.html"].decode(), files["report.md"].decode()
    heads = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    shared = [head for head in heads if f">{head}</h2>" in page or f">{head}</h3>" in page]
    places = [page.index(f">{head}</h") for head in shared]
    assert len(shared) >= 9
    assert places == sorted(places), list(zip(shared, places, strict=True))
