# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from monai_ethics.__main__ import main


def test_a_plan_is_a_sentence_with_its_numbers(capsys):
    assert main(["plan", "rate", "--base", "0.9", "--gap", "0.1", "--tests", "10"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("331 patients in each of 2 groups whose images count (such as positives) are needed")
    assert "level 0.005 (0.05 divided by 10 tests)" in text
    assert "not shown is not no gap" in text


def test_the_reverse_says_which_gap_so_many_patients_would_show(capsys):
    assert main(["plan", "mean", "--sd", "0.12", "--patients", "25", "--images", "2", "--icc", "0.5"]) == 0
    text = capsys.readouterr().out
    assert "would show a gap of 0.0" in text
    assert "2 images each (design effect 1.5)" in text


def test_the_numbers_for_machines_are_json(capsys):
    assert main(["plan", "auc", "--base", "0.85", "--share", "0.2", "--gap", "0.05", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["patients_per_group"] > 1000
    assert found["achieved_power"] >= 0.8
    assert found["method"].startswith("Hanley")


def test_what_no_number_of_patients_shows_is_said(capsys):
    assert main(["plan", "rate", "--base", "0.5", "--patients", "4"]) == 0
    assert capsys.readouterr().out.startswith("No gap of rates would be shown")
    assert main(["plan", "mean", "--sd", "1", "--gap", "0.00001"]) == 0
    assert capsys.readouterr().out.startswith("No number of patients")
    assert main(["plan", "rank", "--patients", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["gap"] is None


@pytest.mark.parametrize(
    "words", [["rate"], ["rate", "--gap", "0.1"], ["dice", "--gap", "0.1"], ["rank", "--gap", "0.1", "--patients", "9"]]
)
def test_a_plan_that_lacks_something_is_one_sentence_and_exit_code_2(words, capsys):
    assert main(["plan", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("quantity", [["rate", "--base", "0.6"], ["mean", "--sd", "1"], ["rank"]])
@pytest.mark.parametrize("number", ["--groups", "--images", "--tests", "--patients"])
def test_numbers_beyond_all_studies_are_refused_in_one_sentence(quantity, number, capsys):
    known = [] if number == "--patients" else ["--patients", "40"]
    assert main(["plan", *quantity, *known, number, "9" * 24]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("words", [["rank", "--base", "nan"], ["mean", "--sd", "1", "--base", "0.5"]])
def test_a_setting_of_another_quantity_is_refused(words, capsys):
    assert main(["plan", *words, "--gap", "0.1"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("sd", ["1e-308", "1", "1e300"])
def test_a_gap_of_means_scales_with_the_standard_deviation(sd, capsys):
    assert main(["plan", "mean", "--sd", sd, "--patients", "40", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["gap"] / float(sd) == pytest.approx(0.634, abs=0.001)
