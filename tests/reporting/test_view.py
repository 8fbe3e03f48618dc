# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from monai_ethics.evidence import Estimate, Finding, Stage, Verdict
from monai_ethics.reporting.names import as_told
from monai_ethics.reporting.shapes import extremes, gap_of, grouped
from monai_ethics.reporting.unjudged import common
from monai_ethics.reporting.view import view_of


def test_every_finding_appears_once_and_what_needs_a_look_comes_first(report):
    view = view_of(report)
    assert sorted(item.anchor for item in view.asked) == sorted(f"finding-{i + 1}" for i in range(len(report.findings)))
    assert [item.finding.verdict for item in view.answered[:3]] == [Verdict.FAILED, Verdict.FAILED, Verdict.WARNED]
    assert len(view.answered) + 1 == len(report.findings)
    assert 0 < view.shown <= len(view.answered)


def test_a_gap_beyond_chance_stands_before_what_only_describes(report):
    places = [(i.gap is not None and i.gap.beyond_chance, i.finding.verdict) for i in view_of(report).answered]
    calm = [beyond for beyond, verdict in places if verdict is Verdict.MEASURED]
    assert calm == sorted(calm, key=lambda beyond: beyond is not True)
    assert True in calm


def test_the_matrix_has_a_row_for_each_score_and_a_column_for_each_attribute(report):
    question = next(item for item in view_of(report).questions if item.check == "fairness.score_gap")
    assert question.matrix.columns == ("sex", "age_band", "site", "sex*site", "scanner")
    assert [name for name, _ in question.matrix.rows] == ["Dice overlap", "HD95 outline distance"]
    assert question.matrix.rows[1][1][-1] is None  # not asked is not the same as not assessable
    assert question.matrix.most("Dice overlap") == 0.194


def test_the_worst_stands_beside_the_best_in_the_direction_of_the_score(report):
    found = {(pair.subject, pair.attribute): pair.ends for _, pair in view_of(report).extremes}
    (word, worst), (_, best) = found["HD95 outline distance", "site"]
    assert (word, worst.group["site"], best.group["site"]) == ("worst", "harbor", "north")
    (_, worst), _ = found["Dice overlap", "site"]
    assert worst.group["site"] == "harbor"


def test_everything_without_a_number_is_named_with_its_reason(report):
    view = view_of(report)
    named = " ".join(name for held in view.withheld for name in held.what)
    for finding in report.findings:
        for row in finding.estimates:
            if row.value is None:
                assert any(row.reason == held.reason for held in view.withheld)
                assert all(str(label) in named for label in row.group.values() if label is not None)
    assert view.withheld[0].verdict is Verdict.NOT_ASSESSABLE
    assert "column is empty" in view.withheld[0].reason


def test_reasons_that_differ_in_a_number_only_are_one_reason():
    assert common(["3 patients: at least 10", "7 patients: at least 10"]) == "3 to 7 patients: at least 10"
    assert common(["no reference"]) == "no reference"


def test_a_gap_is_beyond_chance_only_if_both_numbers_say_so(report):
    gaps = {
        (i.finding.subjects[:1], i.finding.parameters.get("attribute")): i.gap for i in view_of(report).asked if i.gap
    }
    assert gaps[("val_mean_dice",), "site"].beyond_chance is True
    assert gaps[("val_mean_dice",), "sex"].beyond_chance is False


def gap_finding(report, **changes):
    """A gap above its band, with an adjusted p-value that does not tell it from chance."""
    found = next(item for item in report.findings if item.check == "fairness.score_gap" and item.estimates)
    rows = [replace(row, value=0.93) if row.name == "p_value" else row for row in found.estimates]
    rows = [replace(row, value=9.0) if row.name == "max_min_gap" else row for row in rows]
    return replace(found, estimates=rows, parameters={**found.parameters, **changes}, limit=None, verdict="measured")


def test_a_gap_above_its_band_is_not_beyond_chance_when_the_test_says_otherwise(report):
    assert gap_of(gap_finding(report)).beyond_chance is True
    assert gap_of(gap_finding(report, level=0.95)).beyond_chance is False


def ends_of(report, values, reason=None):
    found = next(item for item in report.findings if item.check == "fairness.group_scores" and extremes(item))
    one = next(row for row in found.estimates if row.group and row.value is not None)
    rows = [
        replace(one, value=value, low=None, high=None, level=None, reason=reason or "none", group={"g": label})
        for label, value in values.items()
    ]
    (pair,) = extremes(replace(found, estimates=rows, parameters={**found.parameters, "higher_is_better": False}))
    return pair, [word for word, _ in pair.ends]


def test_no_group_is_called_worst_beside_a_tie_or_a_group_that_was_missed(report):
    assert ends_of(report, {"A": 1.0, "B": 2.0})[1] == ["worst", "best"]
    assert ends_of(report, {"A": 1.0, "B": 1.0})[1] == ["lowest", "highest"]
    pair, words = ends_of(report, {"A": 1.0, "B": 2.0, "C": None}, "at least half of the patients have a missed case")
    assert (pair.missed, words) == (1, ["lowest", "highest"])


def test_an_empty_report_has_a_view(empty):
    view = view_of(empty)
    assert (view.asked, view.withheld, view.shown) == ((), (), 0)


def test_an_unknown_status_is_shown_as_it_came(empty):
    assert view_of(empty, integrity={"status": "odd", "text": "why"}).status == ("odd", "why")
    assert view_of(empty, integrity={"status": "altered", "problems": ["a line"]}).remarks == ("a line",)


def test_a_secondary_comparison_comes_after_the_primary_ones(report):
    place = next(i for i, item in enumerate(report.findings) if item.check == "fairness.score_gap")
    first = report.findings[place]
    second = replace(first, parameters={**first.parameters, "family_name": "case mix held fixed (secondary)"})
    items = view_of(replace(report, findings=[second, *report.findings])).asked
    mine = [item for item in items if item.finding in (as_told(first), as_told(second))]
    assert [item.finding for item in sorted(mine, key=lambda item: item.urgency)] == [as_told(first), as_told(second)]


def test_single_attributes_stand_before_intersections(report):
    scores = next(item for item in report.findings if item.check == "fairness.group_scores")
    rows = [row for row in scores.estimates if row.group]
    turned = replace(scores, estimates=sorted(rows, key=lambda row: -len(row.group)))
    names = ["*".join(row.group) for row in grouped(turned, rows[0].name)]
    assert "sex*site" in names
    assert ["*" in name for name in names] == sorted("*" in name for name in names)


def test_words_of_synthetic_images_are_explained_where_they_are_used(report):
    row = {"value": 0.5, "unit": "1", "n": 60, "n_unit": "patients", "estimand": "share", "reason": "a description"}
    names = ("coverage", "coverage_floor", "coverage_excess", "frechet_distance", "vendi_score", "smallest_detectable")
    finding = Finding(
        check="synthesis.coverage",
        title="Which?",
        stage=Stage.EVALUATION,
        verdict=Verdict.MEASURED,
        statement="So many, of 60 patients.",
        estimates=tuple(Estimate(name=name, group={"space": "pixels"}, **row) for name in names),
    )
    view = view_of(replace(report, findings=(finding,)))
    terms = {term for term, _ in view.glossary}
    assert {"Floor", "Excess", "Coverage", "Frechet distance", "Vendi score", "Smallest detectable number"} <= terms
    assert "Minimum detectable gap" not in terms
    assert view.questions[0].people == ((60, "patients"),), "a space is no group of people"


def test_our_own_names_of_groups_are_explained(report):
    first = report.findings[0]
    rows = [replace(row, group={"roi_size_band": "no reference"}) if row.group else row for row in first.estimates]
    terms = {term for term, _ in view_of(replace(report, findings=[replace(first, estimates=rows)])).glossary}
    assert "roi_size_band" in terms
    crossed = replace(first, statement="It differs by sex*site (exploratory).")
    assert "Exploratory, sex*site" in {term for term, _ in view_of(replace(report, findings=[crossed])).glossary}
