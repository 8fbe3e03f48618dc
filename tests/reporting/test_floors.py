# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from monai_ethics.evidence import Estimate, Finding, Stage, Verdict
from monai_ethics.reporting.asked import Asked
from monai_ethics.reporting.frequencies import sentences
from monai_ethics.reporting.plots import pictures
from monai_ethics.reporting.shapes import gap_of, label

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def estimate(name, value, *, group=None, ends=True):
    interval = {"low": value - 0.1, "high": value + 0.1, "level": 0.95, "method": "jackknife"} if ends else {}
    return Estimate(
        name=name,
        value=value,
        unit="1",
        n=60,
        n_unit="patients",
        estimand="at this number of images",
        group=group or {},
        reason=None if ends else "a description",
        **interval,
    )


def finding(*estimates):
    return Finding(
        check="synthesis.fidelity",
        title="How far?",
        stage=Stage.EVALUATION,
        verdict=Verdict.MEASURED,
        statement="So far.",
        estimates=estimates,
    )


def texts(picture):
    return [node.text for node in ElementTree.fromstring(picture.svg).iter() if node.tag.endswith("text")]


def test_a_statistic_stands_beside_its_floor_on_its_own_scale():
    rows = [estimate("kid", 0.2), estimate("kid_floor", 0.001), estimate("kid_excess", 0.199), estimate("recall", 0.9)]
    drawn = pictures(finding(*rows), salt="a")
    assert [picture.title for picture in drawn] == ["synthetic beside real images"]
    shown = texts(drawn[0])
    assert "KID" in shown
    assert "recall" not in shown, "without a floor there is nothing to compare with"
    assert "0.200" in shown
    assert "0.001" in shown


def test_spaces_are_rows_and_equal_input_gives_equal_bytes():
    rows = [
        estimate(name, value, group={"space": space}, ends=False)
        for space in ("raw pixels", "<b>conv</b>")
        for name, value in (("coverage", 0.5), ("coverage_floor", 0.9))
    ]
    first, second = (pictures(finding(*rows), salt="a") for _ in range(2))
    assert first == second
    assert len(first) == 1
    assert "space: raw pixels" in texts(first[0])
    assert texts(first[0]).count("coverage") == 2
    assert "<b>" not in first[0].svg


def test_groups_share_the_scale_of_a_statistic_and_one_without_a_number_keeps_its_row():
    rows = [
        estimate(name, value, group={"sex": sex})
        for sex, value, floor in (("F", 0.3, 0.9), ("M", 0.6, 0.9))
        for name, value in (("coverage", value), ("coverage_floor", floor))
    ]
    small = Estimate(
        name="coverage",
        value=None,
        unit="1",
        n=7,
        n_unit="patients",
        n_valid=0,
        estimand="share",
        reason="7 held-out patients, fewer than 50",
        group={"sex": "X"},
    )
    drawn = pictures(finding(*rows, small), salt="a")
    assert [picture.title for picture in drawn] == ["synthetic beside real images"], "no second figure of the same"
    assert "One statistic has one scale" in drawn[0].caption
    assert "could not be judged, n = 7" in texts(drawn[0])
    assert "sex: X" in texts(drawn[0])


def test_the_count_of_copied_patients_has_a_bar_for_every_space():
    def count(name, value, space=None):
        return Estimate(
            name=name,
            value=value,
            unit="patients",
            n=60,
            n_unit="patients",
            estimand="count",
            reason="a count",
            group={"space": space} if space else {},
        )

    rows = (
        count("closer_patients", 0, "convolutions"),
        count("closer_patients_order_5", 1, "convolutions"),
        count("closer_patients", 12, "pixels"),
        count("smallest_detectable", 4),
    )
    (drawn,) = pictures(finding(*rows), salt="a")
    assert {"convolutions", "pixels", "  0", "  12"} <= set(texts(drawn))
    assert "12 in space: pixels" in drawn.alt


def test_planted_copies_are_one_table_that_speaks_of_no_people():
    rows = [
        estimate("share_of_alarms", value, group={"copies": kind, "copied_patients": patients})
        for kind, value in (("exact", 0.9), ("flipped", 0.4), ("noisy", 0.7))
        for patients in ("1", "10")
    ]
    (drawn,) = pictures(finding(*rows), salt="a")
    assert drawn.title == "share of alarms by kind of copy \N{MULTIPLICATION SIGN} patients copied"
    assert "obody" not in drawn.caption
    assert "not tried" in drawn.caption


def test_a_sweep_shows_its_changes_first_and_not_what_describes_their_spread():
    rows = [
        estimate(name, value, group={"design": "fixed_total", "real_fraction": part})
        for part in ("0", "0.5")
        for name, value in (("score", 0.8), ("difference_recipe", -0.1), ("seed_sd", 0.01), ("equivalence_margin", 0.1))
    ]
    drawn = pictures(finding(*rows), salt="a")
    assert drawn[0].title == "change by mix"
    assert {picture.title.split(" by ")[0] for picture in drawn[1:]} == {"score"}


def test_correctness_by_group_is_drawn_beside_its_gap():
    rows = [
        estimate("max_min_gap", 0.3, ends=False),
        *(estimate("correctness", value, group={"sex": sex}) for sex, value in (("F", 0.5), ("M", 0.8))),
        *(estimate("correctness_on_real_images", 0.8, group={"sex": sex}) for sex in "FM"),
    ]
    titles = [picture.title for picture in pictures(finding(*rows), salt="a")]
    assert titles[-2:] == ["requested and seen by group", "seen in real images by group"]


def test_the_gap_between_real_and_synthetic_tests_is_no_gap_between_groups():
    assert gap_of(finding(estimate("real_synthetic_gap", 0.2), estimate("score", 0.9))) is None


def test_spaces_of_features_name_no_result():
    named = replace(finding(), subjects=("pixels",), parameters={"main_space": "pixels", "attribute": "sex"})
    assert label(named) == "sex"
    assert label(replace(named, parameters={})) == "pixels"


def test_a_finding_without_subjects_is_named_by_its_question():
    named = replace(finding(), subjects=("pixels",), parameters={"main_space": "pixels", "attribute": "sex"})
    assert Asked(anchor="a", label=label(named), finding=named, gap=None).named == "How far? (sex)"
    assert Asked(anchor="a", label="val_dice", finding=finding(), gap=None).named == "How far? (val_dice)"
    assert Asked(anchor="a", label="", finding=finding(), gap=None).named == "How far?"


def test_an_attack_that_succeeds_is_not_called_better():
    rows = [estimate("auc", value, group={"attack": attack}) for attack, value in (("loss", 0.8), ("pia", 0.5))]
    (drawn,) = pictures(finding(*rows), salt="a")
    (axis,) = [text for text in texts(drawn) if text and "AUC" in text]
    assert axis.endswith("\N{LEFTWARDS ARROW} better")


def test_the_area_of_an_attack_is_not_told_as_cases_put_in_order():
    rows = [estimate("auc", value, group={"attack": attack}) for attack, value in (("loss", 0.8), ("pia", 0.5))]
    assert sentences(finding(*rows)) == ()


def test_correctness_is_told_as_images_without_what_was_requested():
    rows = [
        replace(estimate("correctness", value, group={"sex": sex}), n_unit="images")
        for sex, value in (("F", 0.55), ("M", 0.85))
    ]
    told = (
        "Of 100 images: in sex F about 45 were without what was requested (35 to 55, 95 % interval); "
        "in sex M about 15 (5 to 25)."
    )
    assert sentences(finding(*rows)) == (told,)
    tested = (estimate("max_min_gap", 0.3, ends=False), estimate("p_value", 0.001, ends=False))
    compared = replace(finding(*tested, *rows), parameters={"level": 0.95, "attribute": "sex"})
    assert sentences(compared)[1] == told, "the first page shows it below the test"
