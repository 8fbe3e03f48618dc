# SPDX-License-Identifier: Apache-2.0
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_ethics.handlers._batch import label_text, read_rows, row_count


def image(name, **meta):
    return MetaTensor(torch.zeros(1, 4, 4), meta={"filename_or_obj": name, **meta})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("F ", "F"),
        (" a\tb ", "a b"),
        ("", None),
        (None, None),
        (math.nan, None),
        (1.0, "1"),
        (0.5, "0.5"),
        (True, "True"),
        (np.str_("M"), "M"),
        (np.int64(3), "3"),
        (torch.tensor(2), "2"),
        (torch.tensor([2.0]), "2"),
        ({"vr": "CS", "Value": ["F"]}, "F"),
        ({"vr": "CS"}, None),
    ],
)
def test_labels_become_text_or_nothing(value, text):
    assert label_text(value) == text


def test_a_decollated_batch_names_each_case_and_reads_keys_before_meta():
    batch = [{"image": image(f"a/{i}.nii", sex="M", site="A"), "sex": "F"} for i in range(3)]
    rows = read_rows(batch, ["sex", "site", "age"], case_key=None, patient_key="site")
    assert [row.case for row in rows] == ["a/0.nii", "a/1.nii", "a/2.nii"]
    assert rows[0].labels == ("F", "A", None)
    assert rows[0].patient == "A"


def test_the_first_image_that_knows_its_file_names_the_case():
    item = {"label": torch.zeros(1), "t1": torch.zeros(1, 4, 4), "t2": image("b/2.nii")}
    assert read_rows([item], [], case_key=None, patient_key=None)[0].case == "b/2.nii"


def test_a_stacked_batch_is_read_case_by_case():
    stacked = MetaTensor(torch.zeros(2, 1, 4, 4), meta={"filename_or_obj": ["a.nii", "b.nii"], "site": ["A", "B"]})
    rows = read_rows({"reals": stacked, "sex": ["F", "M"]}, ["sex", "site"], case_key=None, patient_key=None)
    assert [(row.case, row.labels) for row in rows] == [("a.nii", ("F", "A")), ("b.nii", ("M", "B"))]


def test_whom_an_item_names_by_a_usual_key_is_its_patient_unless_a_key_is_given():
    items = [{"image": image(f"{i}.nii"), "patient_id": f"P{i // 2}", "site": "A"} for i in range(4)]
    rows = read_rows(items, [], case_key=None, patient_key=None)
    assert [row.patient for row in rows] == ["P0", "P0", "P1", "P1"]
    assert {row.patient for row in read_rows(items, [], case_key=None, patient_key="site")} == {"A"}
    stacked = {"x": torch.zeros(2, 3), "subject": torch.tensor([7, 8])}
    assert [row.patient for row in read_rows(stacked, [], case_key=None, patient_key=None)] == ["7", "8"]
    within = {"x": torch.zeros(2, 3), "x_meta_dict": {"patient_id": ["7", "8"]}}
    assert [row.patient for row in read_rows(within, [], case_key=None, patient_key=None)] == ["7", "8"]
    assert read_rows([{"image": image("a.nii")}], [], case_key=None, patient_key=None)[0].patient is None


def test_stacked_images_are_not_taken_apart_in_search_of_a_patient():
    class Whole(torch.Tensor):
        def __getitem__(self, place):
            raise AssertionError(place)

    batch = {"label": torch.zeros(2, 1, 4, 4).as_subclass(Whole), "patient_id": ["7", "8"]}
    assert [row.patient for row in read_rows(batch, [], case_key=None, patient_key=None)] == ["7", "8"]


def test_an_item_key_may_name_the_case():
    rows = read_rows([{"image": image("x.nii"), "uid": 7}], [], case_key="uid", patient_key=None)
    assert rows[0].case == "7"


@pytest.mark.parametrize("name", [Path("d/x.nii"), ["d/x.nii", "d/y.nii"], "d\\x.nii"])
def test_file_names_of_any_kind_become_text(name):
    assert read_rows([{"image": image(name)}], [], case_key=None, patient_key=None)[0].case == "d/x.nii"


def test_latents_and_tuples_are_counted():
    assert row_count(torch.zeros(5, 64)) == 5
    assert row_count([torch.zeros(3, 1), torch.zeros(3)]) == 3
    assert row_count([{"a": 1}, {"a": 2}]) == 2
    assert row_count(None) == row_count("text") == row_count({}) == 0
    assert [row.case for row in read_rows(torch.zeros(2, 4), ["sex"], case_key=None, patient_key=None)] == [None, None]
