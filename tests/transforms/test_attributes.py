# SPDX-License-Identifier: Apache-2.0
import monai.transforms
import pytest
import torch
from monai.data import DataLoader, Dataset, ITKReader, MetaTensor, PydicomReader, decollate_batch
from monai.engines import SupervisedEvaluator
from monai.handlers import MeanDice, from_engine
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, MapTransform

from monai_ethics import transforms
from monai_ethics.errors import InputError
from monai_ethics.handlers import StratifiedScores
from monai_ethics.handlers._batch import read_rows
from monai_ethics.transforms import GroupAttributesd
from monai_ethics.transforms.recorded import is_tag, label_text, tag_of

READERS = {
    "pydicom": lambda: PydicomReader(prune_metadata=False),
    "itk": lambda: ITKReader(),
}
SPEC = {"sex": "PatientSex", "age": ["age", "PatientAge"], "kind": "0008,0008"}
EXPECTED = [
    ("F", "61", "AXIAL + ORIGINAL + PRIMARY"),
    ("M", "1.5", "DERIVED + PRIMARY"),
    ("", "0.01", ""),
    ("", "", ""),
]


def loading(reader, *more):
    return Compose([LoadImaged("image", reader=reader()), EnsureChannelFirstd("image"), *more])


def items(series):
    return [{"image": path} for path in series]


def batches(loader_class, data, size):
    kwargs = {} if loader_class is DataLoader else {"collate_fn": monai_collate}
    return list(loader_class(data, batch_size=size, **kwargs))


def monai_collate(items):
    return torch.utils.data.default_collate([{k: v for k, v in item.items() if isinstance(v, str)} for item in items])


@pytest.mark.parametrize("name", READERS)
def test_both_readers_give_the_same_text(series, name):
    data = Dataset(items(series), loading(READERS[name], GroupAttributesd("image", SPEC)))
    assert [tuple(item[key] for key in SPEC) for item in data] == EXPECTED


@pytest.mark.parametrize("loader", [DataLoader, torch.utils.data.DataLoader], ids=["monai", "torch"])
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("size", [1, 2, 4])
def test_every_text_survives_the_batch(series, name, loader, size):
    data = Dataset(items(series), loading(READERS[name], GroupAttributesd("image", SPEC, prune=True)))
    found = [row for batch in batches(loader, data, size) for row in zip(*(batch[key] for key in SPEC), strict=True)]
    assert found == EXPECTED


@pytest.mark.parametrize("name", READERS)
def test_dicom_names_are_understood_in_a_decollated_batch_and_in_one_that_is_not(alike, name):
    data = Dataset(items(alike), loading(READERS[name]))
    names = ["PatientSex", "0010,1010", "0008|0008", "PatientID"]
    (batch,) = DataLoader(data, batch_size=2)
    expected = [("F", "61"), ("M", "1.5")]
    for seen in (decollate_batch(batch), [dict(item) for item in data]):
        rows = read_rows(seen, names, case_key=None, patient_key=None)
        assert [tuple(label_text(v) for v in row.labels)[:2] for row in rows] == expected
        assert label_text(rows[0].labels[3]) is None
    rows = read_rows(batch, names, case_key=None, patient_key=None)
    assert [tuple(label_text(v) for v in row.labels)[:2] for row in rows] == expected


def test_elements_of_unequal_length_end_a_batch_unless_they_are_taken_out(series):
    load = loading(READERS["pydicom"], GroupAttributesd("image", SPEC))
    with pytest.raises(RuntimeError, match="equal size"):
        list(DataLoader(Dataset(items(series)[:2], load), batch_size=2))
    (whole,) = Dataset(items(series)[:1], load)
    (pruned,) = Dataset(items(series)[:1], loading(READERS["pydicom"], GroupAttributesd("image", SPEC, prune=True)))
    assert torch.equal(whole["image"], pruned["image"])
    assert torch.equal(whole["image"].affine, pruned["image"].affine)
    assert whole["image"].applied_operations == pruned["image"].applied_operations
    assert {k for k in whole["image"].meta if not is_tag(k)} == set(pruned["image"].meta)
    assert "00100040" in whole["image"].meta


def test_without_the_transform_a_batch_loses_or_ends():
    def image(**meta):
        return MetaTensor(torch.zeros(1, 2, 2), meta={"filename_or_obj": "a", **meta})

    lossy = [{"image": image(sex="F")}, {"image": image()}]
    (batch,) = DataLoader(lossy, batch_size=2)
    assert "sex" not in batch["image"].meta
    for broken, error in (
        ([{"image": image(), "sex": "F"}, {"image": image()}], KeyError),
        ([{"image": image(), "sex": None}, {"image": image(), "sex": None}], TypeError),
        ([{"image": image(), "sex": ["a", "b"]}, {"image": image(), "sex": ["a"]}], RuntimeError),
    ):
        with pytest.raises(error):
            list(DataLoader(broken, batch_size=2))
        whole = Dataset(broken, GroupAttributesd("image", "sex"))
        (batch,) = DataLoader(whole, batch_size=2)
        assert len(batch["sex"]) == 2
    (batch,) = DataLoader(Dataset(lossy, GroupAttributesd("image", ["sex"], missing="unknown")), batch_size=2)
    assert batch["sex"] == ["F", "unknown"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("F ", "F"),
        ("F\x00", "F"),
        ("n/a", ""),
        (float("nan"), ""),
        (None, ""),
        (True, "True"),
        (3.0, "3"),
        (torch.tensor(2), "2"),
        (["White", "Asian", "White"], "Asian + White"),
        ([], ""),
        ({"vr": "AS", "Value": ["052W"]}, "1"),
        ({"vr": "PN", "Value": [{"Alphabetic": "X"}]}, "X"),
        ("061Y", "061Y"),
    ],
)
def test_values_are_cleaned_and_never_guessed(value, text):
    assert GroupAttributesd("image", "a")({"image": 0, "a": value})["a"] == text


def test_case_changes_only_where_a_map_says_so():
    make = GroupAttributesd("image", ["sex", "site"], maps={"sex": {"male": "M", "f": "F"}})
    assert make({"image": 0, "sex": "MALE ", "site": "Rome"}) == {"image": 0, "sex": "M", "site": "Rome"}
    assert make({"image": 0, "sex": "O", "site": "rome"})["sex"] == "O"


def test_the_table_is_asked_last_and_the_item_is_not_changed(tmp_path):
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tsex\tsite\nsub-1\tF\tA\nsub-2\tn/a\tB\n")
    make = GroupAttributesd("image", {"sex": "sex", "site": "site"}, table=table)

    def item(name, **more):
        return {"image": MetaTensor(torch.zeros(1), meta={"filename_or_obj": f"/d/{name}/t1.nii"}), **more}

    given = item("sub-1", site="C")
    found = make(given)
    assert (found["sex"], found["site"]) == ("F", "C")
    assert "sex" not in given
    assert [make(item("sub-2"))[k] for k in ("sex", "site")] == ["", "B"]
    assert [make(item("sub-9"))[k] for k in ("sex", "site")] == ["", ""]
    assert make({"image": torch.zeros(1)})["sex"] == ""


def test_an_own_name_leaves_the_items_own_number_alone():
    found = GroupAttributesd("image", {"age_group": "age"})({"image": 0, "age": 61})
    assert (found["age"], found["age_group"]) == (61, "61")


def test_an_absent_image_and_no_attribute_are_told():
    with pytest.raises(KeyError):
        GroupAttributesd("image", "sex")({"sex": "F"})
    assert GroupAttributesd("image", "sex", allow_missing_keys=True)({"sex": "F"})["sex"] == "F"
    with pytest.raises(InputError, match="at least one"):
        GroupAttributesd("image", [])


def test_it_is_a_dictionary_transform_of_monai_with_a_name_of_its_own():
    assert issubclass(GroupAttributesd, MapTransform)
    assert transforms.GroupAttributesD is transforms.GroupAttributesDict is GroupAttributesd
    assert not any(hasattr(monai.transforms, name) for name in transforms.__all__)
    with pytest.raises(AttributeError):
        transforms.Nothing  # noqa: B018


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("PatientSex", "00100040"),
        ("0010,0040", "00100040"),
        ("(0010,0040)", "00100040"),
        ("0008|103e", "0008103E"),
        ("00100040", "00100040"),
        ("sex", None),
        ("Site", None),
    ],
)
def test_names_of_dicom_elements_are_known(name, tag):
    assert tag_of(name) == tag


@pytest.mark.parametrize("name", READERS)
def test_groups_from_dicom_reach_the_scores(series, name):
    class Nothing(torch.nn.Module):
        def forward(self, x):
            return x

    def pair(item):
        item["label"] = (item["image"] > 40).float()
        item["image"] = (item["image"] > 50).float()
        return item

    data = Dataset(items(series), Compose([loading(READERS[name], GroupAttributesd("image", SPEC, prune=True)), pair]))
    scores = StratifiedScores(attributes=["sex", "age"])
    SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(data, batch_size=2),
        network=Nothing(),
        key_val_metric={"dice": MeanDice(output_transform=from_engine(["pred", "label"]))},
        val_handlers=[scores],
    ).run()
    assert scores.tables[0].groups["sex"] == ("F", "M", None, None)
