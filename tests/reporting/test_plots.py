# SPDX-License-Identifier: Apache-2.0
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.reporting.plots import pictures
from monai_ethics.reporting.quantity import TIMES

pytestmark = pytest.mark.slow

pytest.importorskip("matplotlib")
SENSITIVITY = "sensitivity (TPR)"
CROSS = f"{SENSITIVITY} by site {TIMES} sex"


def text_of(svg):
    return " ".join(node.text or "" for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("text"))


def test_each_kind_of_finding_has_its_picture(report):
    by_check = {finding.check: pictures(finding, salt="a") for finding in report.findings if finding.estimates}
    assert len(by_check["fairness.group_scores"]) == 3  # forest, intersection, failure rates
    assert len(by_check["fairness.score_gap"]) == 2  # chance alone and pairs
    assert len(by_check["synthesis.memorization_membership"]) == 1
    assert by_check["lifecycle.run_coverage"] == ()


def test_what_could_not_be_judged_has_no_picture(report):
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.NOT_ASSESSABLE)
    assert pictures(lost, salt="a") == ()


def test_every_group_is_labeled_with_its_n(report):
    forest = text_of(pictures(report.findings[0], salt="a")[0].svg)
    for row in report.findings[0].estimates:
        if row.name == "median" and row.value is not None:
            assert re.search(rf"\b{row.n}\b", forest)
    assert "could not be judged" in forest
    assert "not recorded" in forest


def test_bytes_are_the_same_and_carry_no_date_nor_tool(report):
    first, second = (pictures(report.findings[0], salt="a") for _ in range(2))
    assert first == second
    assert "<metadata" not in first[0].svg
    assert "matplotlib" not in first[0].svg.lower()


@pytest.mark.parametrize("name", ["hostile", "hostile_told"])
def test_hostile_names_are_text(name, request):
    for finding in request.getfixturevalue(name).findings:
        for picture in pictures(finding, salt="a"):
            tree = ElementTree.fromstring(picture.svg)  # NUL and lone surrogates would not parse
            assert {node.tag.split("}")[1] for node in tree.iter()}.isdisjoint({"script", "img", "foreignObject"})
            assert not any(name.startswith("on") for node in tree.iter() for name in node.attrib)
            assert "\x1b" not in picture.svg


def titles(finding):
    return [picture.title for picture in pictures(finding, salt="a")]


def drawn(finding, title):
    return next(picture for picture in pictures(finding, salt="a") if picture.title == title)


def test_rates_and_curves_have_their_pictures_and_the_most_telling_lead(classified):
    found = pictures(classified, salt="a")
    assert [picture.title for picture in found if picture.lead] == [
        f"{SENSITIVITY} by group", CROSS, "false alarms (FPR) by group", "spread by sex", "ROC by sex",
        "reliability by sex", f"{SENSITIVITY} by threshold and sex",
    ]  # fmt: skip
    assert {"positive predictive value (PPV) by group", "ROC by site", "reliability by site", "spread by site"} <= set(
        titles(classified)
    )
    assert all(picture.alt and picture.caption for picture in found)
    assert len({picture.title for picture in found}) == len(found)


@pytest.mark.slow
def test_the_same_pictures_come_from_hostile_labels(hostile_told, told):
    for finding, plain in zip(hostile_told.findings, told.findings, strict=True):
        assert len(titles(finding)) == len(titles(plain))


def test_new_pictures_have_the_same_bytes_each_time(classified, compared):
    for finding in (classified, compared):
        assert pictures(finding, salt="a") == pictures(finding, salt="a")


def test_every_cell_of_an_intersection_holds_its_n_or_says_why_it_has_no_value(classified):
    words = text_of(drawn(classified, CROSS).svg)
    for row in classified.estimates:
        if "sex*site" in row.group and row.name == "tpr":
            assert f"n = {row.n}" in words
    assert words.count("not judged") == 1
    assert words.count("nobody") == 2
    assert "0.000" not in words


def test_labels_of_an_intersection_that_cannot_be_told_apart_are_left_to_the_table(classified):
    rows = [replace(r, group={"sex*site": "M*x*y"}) if r.group.get("sex*site") == "M*s2" else r
            for r in classified.estimates]  # fmt: skip
    found = pictures(replace(classified, estimates=rows), salt="a")
    assert any("1 more without a place" in picture.caption for picture in found)


def test_a_line_is_known_by_its_number_and_its_dashes(classified):
    found = drawn(classified, "ROC by sex")
    words = text_of(found.svg)
    assert all(words.count(f"{place}") for place in (1, 2, 3))
    assert "everyone" in words
    dashes = set(re.findall(r"stroke-dasharray: ([\d. ,]+)", found.svg))
    assert len(dashes) >= 2
    assert "threshold in use" in found.caption


def test_the_threshold_in_use_is_marked(classified):
    assert "threshold in use, 0.400" in drawn(classified, f"{SENSITIVITY} by threshold and sex").caption
    bare = replace(classified, parameters={})
    assert "in use" not in drawn(bare, f"{SENSITIVITY} by threshold and sex").caption


def test_the_gap_stands_among_chance_and_says_what_the_test_says(compared):
    assert titles(compared) == ["gap among chance", "pairs of groups"]
    assert "test tells the difference from chance" in drawn(compared, "gap among chance").caption
    assert "observed 0.149" in text_of(drawn(compared, "gap among chance").svg)
    assert titles(replace(compared, curves=()))[0] == "gap beside chance"


@pytest.mark.slow
@pytest.mark.parametrize("classified", [30], indirect=True)
def test_of_thirty_groups_both_ends_are_drawn_and_the_rest_is_said(classified):
    forest = drawn(classified, f"{SENSITIVITY} by group")
    words = text_of(forest.svg).split()
    shown = [place for place in range(30) if f"s{place}" in words]
    assert len(shown) == 12
    values = {r.group["site"]: r.value for r in classified.estimates if r.name == "tpr" and r.group.get("site")}
    ends = sorted(values.values())
    assert {values[f"s{place}"] for place in shown} >= {ends[0], ends[-1]}
    assert "18 more stand in the table" in forest.caption
    assert "of 30 groups are drawn" in drawn(classified, "ROC by site").caption


def test_positions_without_a_value_break_the_line(classified):
    bare = {"low": (), "high": (), "level": None, "reason": "none"}
    holes = [
        replace(curve, y=[None if place % 7 == 3 else y for place, y in enumerate(curve.y)], **bare)
        for curve in classified.curves
    ]
    assert titles(replace(classified, curves=holes)) == titles(classified)
    nothing = [replace(curve, y=[None] * len(curve.y)) for curve in holes]
    assert not any("ROC" in title for title in titles(replace(classified, curves=nothing)))
