# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from monai.data import MetaTensor

from monai_ethics.errors import InputError
from monai_ethics.training import TrainingGroups


def test_labels_are_sorted_and_not_recorded_is_a_group(groups):
    assert groups.labels == ("F", "M", None)
    assert groups.sizes == (30, 10, 5)
    assert len(groups) == 55
    assert groups.codes[0] == 0
    assert groups.codes[-1] == 2


def test_intersections_are_groups():
    items = [{"image": f"{i}.nii", "sex": "FM"[i % 2], "site": i // 2} for i in range(4)]
    groups = TrainingGroups(items, ["sex", "site"])
    assert len(groups.labels) == 4
    assert TrainingGroups(items, ["sex", "site"], strata="site").labels == ("0", "1")


def test_a_side_table_names_groups_and_patients(tmp_path, items):
    table = tmp_path / "participants.tsv"
    table.write_text("filename\tsex\tpatient\n" + "".join(f"f{i}.nii\tX\tp{i // 2}\n" for i in range(30)))
    bare = [{"image": item["image"]} for item in items]
    groups = TrainingGroups(bare, table)
    assert groups.labels == ("X", None)
    assert groups.sizes == (15, 25)


def test_a_batch_is_read_by_file_then_by_attribute(groups):
    image = MetaTensor(torch.zeros(3, 1, 2, 2))
    image.meta["filename_or_obj"] = ["data/m1.nii", "data/n0.nii", "data/f3.nii"]
    assert groups.codes_of({"image": image}) == [1, 2, 0]
    assert groups.codes_of({"image": torch.zeros(2, 1), "sex": ["M", ""]}) == [1, 2]
    assert groups.codes_of([{"sex": "F"}, {"sex": "M"}]) == [0, 1]


def test_a_batch_of_strangers_is_refused(groups):
    with pytest.raises(InputError, match="got neither"):
        groups.codes_of({"image": torch.zeros(2, 1)})
    with pytest.raises(InputError, match="another label"):
        groups.codes_of({"sex": ["X"]})
    with pytest.raises(InputError, match="batches of dicts"):
        groups.codes_of(torch.zeros(2))


@pytest.mark.parametrize("attributes", [["age"], []])
def test_attributes_that_no_item_has_are_refused(items, attributes):
    with pytest.raises(InputError, match="attributes that items have"):
        TrainingGroups(items, attributes)


def test_nothing_recorded_is_refused():
    with pytest.raises(InputError, match="recorded attribute"):
        TrainingGroups([{"image": "a", "sex": ""}], ["sex"])
    with pytest.raises(InputError, match="empty"):
        TrainingGroups([], ["sex"])


def test_a_grouping_that_is_no_text_is_refused():
    with pytest.raises(InputError, match="as a text"):
        TrainingGroups([{"image": "a", "sex": "F"}], ["sex"], strata=5)
