# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.fairness.data.classes import ClassScores
from monai_ethics.fairness.data.stored import read_binary, read_labels


@pytest.fixture
def write(tmp_path):
    def make(text, name="scores.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return make


def test_one_target_is_read_under_its_own_name(write):
    path = write("case,patient,y_true,y_score\na,p,1,0.9\nb,p,0,0.2\n")
    (data,) = read_labels(path, target="pneumonia", threshold=0.5)
    assert (data.target, data.y_pred, data.threshold) == ("pneumonia", (True, False), 0.5)
    assert data.probabilities
    assert read_binary(path).target == "y"
    assert read_labels(write("case,dice\na,1\n")) == []


def test_several_targets_are_read_from_one_file(write):
    text = "case,Y_True_Pleural Effusion,Y_Score_Pleural Effusion,y_true_mass,y_score_mass,y_pred_mass\n"
    found = read_labels(write(text + "a,1,2.5,0,0.1,1\nb,0,-1,1,0.7,1\n"), threshold={"Pleural_Effusion": 0.0})
    effusion, mass = found
    assert [data.target for data in found] == ["Pleural_Effusion", "mass"]
    assert (effusion.y_score, effusion.probabilities, effusion.y_pred) == ((2.5, -1.0), False, (True, False))
    assert (mass.y_pred, mass.decided_by, mass.probabilities) == ((True, True), "the file's own decisions", True)
    assert mass.y_true == (False, True)
    with pytest.raises(InputError, match="got 2"):
        read_binary(write(text + "a,1,2.5,0,0.1,1\nb,0,-1,1,0.7,1\n"))


def test_words_with_scores_per_class_are_several_classes(write):
    text = "case,y_true,y_score_cyst,y_score_No_Finding,y_score_tumor\na,No Finding,0.1,0.8,0.1\nb,tumor,0.6,0.3,0.1\n"
    (data,) = read_labels(write(text), target="lesion")
    assert isinstance(data, ClassScores)
    assert (data.target, data.classes) == ("lesion", ("No Finding", "cyst", "tumor"))
    assert data.y_true == ("No Finding", "tumor")
    assert data.y_score == ((0.8, 0.1, 0.1), (0.3, 0.6, 0.1))
    assert data.probabilities
    assert data.decisions()[0] == ("No Finding", "cyst")


def test_whole_numbers_above_one_are_classes_in_their_order(write):
    (data,) = read_labels(write("case,y_true,y_pred\na,10,2\nb,2.0,2\nc,0,10\n"))
    assert (data.classes, data.y_true, data.y_pred) == (("0", "2", "10"), ("10", "2", "0"), ("2", "2", "10"))
    assert data.decided_by == "the file's own decisions"


def test_a_class_that_no_case_has_is_kept(write):
    (data,) = read_labels(write("case,y_true,y_score_0,y_score_1,y_score_2\na,0,1,2,3\nb,1,1,5,3\n"))
    assert data.classes == ("0", "1", "2")
    assert not data.probabilities


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("case,y_true_a,y_score_b\na,1,0.5\n", "1 have scores"),
        ("case,y_true_a,y_score_a\na,1,\n", "row 0 has none"),
        ("case,y_true_a,y_score_a\na,,0.5\n", "0 or 1: row 0"),
        ("case,y_true_a\na,1\n", "neither a column"),
        ("case,y_true,y_score\na,tumor,0.5\n", "0 or 1: row 0"),
        ("case,y_true,y_score_a,y_score_b\na,tumor,0.5,0.5\n", "1 of 1 have none"),
        ("case,y_true,y_score_a,y_score_b\na,,0.5,0.5\n", "row 0 has none"),
        ("case,y_true,y_score_a,y_score\na,a,0.5,0.5\n", "another target"),
        ("case,y_true,y_pred\na,2.5,1\n", "whole numbers: row 0"),
        ("case,y_true,y_score_a,y_score_b\na,a,0.5,\n", "row 0 has none"),
        ("case,y_true,y_score_a_,y_pred\na,A,1,a+\n", "got two alike"),
        ("case,y_true,y_true_y,y_score,y_score_y\na,1,1,1,1\n", "different names"),
    ],
)
def test_files_that_would_be_misread_are_refused(write, text, words):
    with pytest.raises(InputError, match=words):
        read_labels(write(text))


def test_a_threshold_for_a_target_that_is_not_there_is_refused(write):
    with pytest.raises(InputError, match="1 do not"):
        read_labels(write("case,y_true_a,y_score_a\na,1,0.5\n"), threshold={"b": 0.5})


def test_classes_are_no_single_target(write):
    with pytest.raises(InputError, match="must be 0 or 1: row 1"):
        read_binary(write("case,y_true,y_pred\na,1,1\nb,2,1\n"))


def test_labels_written_in_other_ways_are_the_same_labels(write):
    (data,) = read_labels(write("case,y_true,y_score\na,1.0, 0.5\nb, 0 ,1e-3\nc,1,0.25\n"))
    assert (data.y_true, data.y_score) == ((True, False, True), (0.5, 0.001, 0.25))
