# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.fairness.data.stored import kind_of, read_binary, read_score_tables


@pytest.fixture
def write(tmp_path):
    def make(text, name="scores.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return make


def test_a_file_of_monais_metrics_saver_becomes_a_table_per_class(write):
    text = "filename,class0,class1,mean\na/x.nii,0.9000,nan,0.9000\nb/x.nii,0.7000,0.5,0.6\n"
    tables = read_score_tables(write(text, "val_mean_dice_raw.csv"))
    assert [t.metric for t in tables] == ["val_mean_dice_class0", "val_mean_dice_class1", "val_mean_dice_mean"]
    assert tables[1].values == (None, 0.5)
    assert tables[1].outcomes == ("undefined", "scored")
    assert (tables[0].unit, tables[0].higher_is_better, tables[0].misses_known) == ("1", True, False)
    assert tables[0].cases == ("a/x.nii", "b/x.nii")


def test_the_mean_over_a_single_class_is_not_a_second_metric(write):
    tables = read_score_tables(write("filename,class0,mean\na,3,3\n", "val_hausdorff_dist_raw.csv"))
    assert [(t.metric, t.unit, t.higher_is_better) for t in tables] == [("val_hausdorff_dist_class0", "unknown", False)]


def test_columns_of_scores_and_patients_are_read(write):
    tables = read_score_tables(write("case,patient,mean dice,psnr\na,p,0.5,30\nb,p,,inf\n"))
    assert [t.metric for t in tables] == ["mean_dice", "psnr"]
    assert tables[0].patients == ("p", "p")
    assert tables[1].values == (30.0, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("dice_loss", False), ("val_mean_dice", True), ("surface_dice", True), ("hd95", False), ("frobnication", None)],
)
def test_directions_are_known_by_name_only_where_the_name_tells(name, expected):
    assert kind_of(name)[1] is expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("score\n0.5\n", "column that names the cases"),
        ("case,dice\n,0.5\n", "row 0 does not"),
        ("case,dice\na,good\n", "row 0 has a word"),
        ("case\na\n", "at least one column of scores"),
    ],
)
def test_files_without_cases_or_scores_are_refused(write, text, words):
    with pytest.raises(InputError, match=words):
        read_score_tables(write(text))


def test_labels_and_scores_are_read_and_decided(write):
    text = "case,y_true,y_score,patient\na,1,0.9,p\nb,1,0.2,p\nc,0,0.6,q\nd,0,0.1,r\n"
    data = read_binary(write(text), threshold=0.5)
    assert (data.y_true, data.y_pred) == ((True, True, False, False), (True, False, True, False))
    assert data.patients == ("p", "p", "q", "r")
    assert read_binary(write("case,dice\na,1\n")) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("case,y_true\na,1\n", "neither a column `y_score` nor `y_pred`"),
        ("case,y_true,y_pred\na,2,1\n", "must be 0 or 1: row 0"),
        ("case,y_true,y_score\na,1,\n", "row 0 has none"),
    ],
)
def test_labels_that_decide_nothing_are_refused(write, text, words):
    with pytest.raises(InputError, match=words):
        read_binary(write(text))


@pytest.mark.peers
def test_monais_own_writer_is_read_back(tmp_path):
    from monai.handlers.utils import write_metrics_reports

    write_metrics_reports(
        save_dir=str(tmp_path),
        images=["s1/x.nii", "s2/x.nii"],
        metrics={"val_mean_dice": 0.5},
        metric_details={"val_mean_dice": np.array([[0.25], [0.75]])},
        summary_ops=None,
    )
    (table,) = read_score_tables(tmp_path / "val_mean_dice_raw.csv")
    assert table.values == (0.25, 0.75)


def test_a_threshold_that_is_no_number_decides_nothing(write):
    table = write("case,y_true,y_score\na,1,0.7\nb,0,0.2\n")
    for threshold in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="finite number"):
            read_binary(table, threshold=threshold)
