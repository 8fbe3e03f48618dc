# SPDX-License-Identifier: Apache-2.0
"""Names that programs give to scores are told in words; the names themselves stay in the details."""

import re
from dataclasses import replace

import pytest

from monai_ethics.reporting.html import render_html
from monai_ethics.reporting.markdown import render_markdown
from monai_ethics.reporting.names import as_told, in_words, is_code, name_told
from monai_ethics.reporting.plots import pictures
from monai_ethics.reporting.terminal import summary
from monai_ethics.reporting.view import view_of


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("val_mean_dice", "Dice overlap"),
        ("test_dice", "Dice overlap"),
        ("val_hd95", "HD95 outline distance"),
        ("train_mean_dice", "Dice overlap in training"),
        ("val_mean_dice_missed", "missed cases (Dice overlap)"),
        ("val_mean_dice_mean", "Dice overlap"),
        ("val_mean_dice_liver", "Dice overlap, liver"),
        ("test_loss_of_nothing_known", "loss, of_nothing_known"),
        ("dice_of_nothing", "dice_of_nothing"),
        ("pneumonia_tpr", "pneumonia: sensitivity (TPR)"),
        ("left_lung_ece_debiased", "left_lung: calibration error, debiased"),
        ("pneumonia_abroca", "pneumonia: area between the ROC curves (ABROCA)"),
        ("my_score_missed", "missed cases (my_score)"),
        ("my_score", "my_score"),
        ("pneumonia", "pneumonia"),
        ("random convolutions 2D", "random convolutions 2D"),
    ],
)
def test_a_name_is_told_in_words_where_words_are_known(name, words):
    assert in_words(name) == words


def test_a_name_without_words_is_code_that_the_run_gave():
    assert name_told("my_score") == "`my_score`, a name that the run gave"
    assert name_told("val_mean_dice") == "Dice overlap (`val_mean_dice`)"
    assert name_told("sex") == "sex"
    assert [name for name in ("my_score", "val_mean_dice", "sex", "a b_c", "<x>_y") if is_code(name)] == ["my_score"]


def told_of(report, statement, *subjects):
    first = next(item for item in report.findings if item.check == "fairness.group_scores")
    return as_told(replace(first, statement=statement, subjects=subjects))


def test_a_sentence_has_words_in_place_of_names_and_begins_with_a_capital(report):
    found = told_of(report, "val_hd95 by sex: val_hd95_sex_F is another name.", "val_hd95")
    assert found.statement == "HD95 outline distance by sex: val_hd95_sex_F is another name."
    assert found.subjects == ("val_hd95",)
    assert told_of(report, "auc differs.", "auc").statement == "Area under the ROC curve (AUC) differs."
    assert told_of(report, "No gap of my_score.", "my_score").statement == "No gap of `my_score`."
    missed = told_of(report, "The share missed (val_mean_dice) differs.", "val_mean_dice_missed", "sex")
    assert missed.statement == "The share missed (Dice overlap) differs."


def test_names_stand_in_the_details_and_nowhere_else(report):
    view = view_of(report)
    page = re.sub(r"<code>[^<]*</code>", "", render_html(view))
    assert re.findall(r".{40}val_(?:mean_dice|hd95).{20}", page) == []
    text = re.sub(r"`[^`]*`", "", render_markdown(view).replace("\\", ""))
    assert "val_mean_dice" not in text
    assert "val_mean_dice" not in "\n".join(map(str, summary(report)))
    assert dict(view.facts)["Scores"] == "Dice overlap (`val_mean_dice`); HD95 outline distance (`val_hd95`)"


def test_a_name_that_the_run_gave_is_code_on_the_page_and_in_the_text(report):
    first = report.findings[0]
    odd = replace(first, subjects=("my_score",), statement="my_score: 214 patients.")
    view = view_of(replace(report, findings=[odd]))
    assert "<p><code>my_score</code>: 214 patients.</p>" in render_html(view)
    assert "`my_score`: 214 patients." in render_markdown(view)
    assert "a name that the run gave" in dict(view.facts)["Scores"]


def test_figures_have_words_on_their_axes(classified):
    lines = [replace(line, x_name="val_mean_dice, median of a patient") for line in classified.curves]
    finding = as_told(replace(classified, subjects=("val_mean_dice",), curves=lines))
    assert {line.x_name for line in finding.curves} == {"Dice overlap, median of a patient"}
    assert all("val_mean_dice" not in picture.caption + picture.alt for picture in pictures(finding, salt="s"))
