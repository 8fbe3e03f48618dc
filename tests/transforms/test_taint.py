# SPDX-License-Identifier: Apache-2.0
"""What mixing does to the mark of an image: MONAI's own behavior, and ours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, decollate_batch, list_data_collate, pad_list_data_collate
from monai.transforms import CutMix, CutMixd, CutOut, MixUp, MixUpd, ScaleIntensity

from monai_ethics.transforms import (
    TaintSafe,
    keep_marks,
    marked_list_data_collate,
    marked_pad_list_data_collate,
    taint_of,
    tainted,
)
from monai_ethics.transforms.taint import state_in

pytestmark = pytest.mark.filterwarnings("ignore:Using a non-tuple sequence:UserWarning")  # MONAI's CutMix
REAL, MADE = "sha256:" + "0" * 64, "sha256:" + "f" * 64


def image(state=None, record=None, size=4, value=1.0):
    meta = {"filename_or_obj": f"{state}.nii"}
    meta |= {} if state is None else {"synthetic": state}
    meta |= {} if record is None else {"record": record}
    return MetaTensor(torch.full((1, size, size, size), value), meta=meta)


def flags(tensor):
    return tensor.meta.get("synthetic")


def test_monai_drops_the_flag_of_a_batch_with_one_unflagged_item_and_ours_keeps_it():
    batch = [{"image": image("yes", MADE)}, {"image": image()}]
    stock = list_data_collate(batch)["image"]
    assert "synthetic" not in stock.meta
    assert [flags(one) for one in decollate_batch(stock)] == [None, None]
    ours = marked_list_data_collate(batch)["image"]
    assert (ours.meta["synthetic"], ours.meta["record"]) == (["yes", "unknown"], [MADE, ""])
    assert [flags(one) for one in decollate_batch(ours)] == ["yes", "unknown"]
    assert "synthetic" not in batch[1]["image"].meta
    assert torch.equal(ours, stock)


@pytest.mark.parametrize("nested", [False, True])
def test_unmarked_batches_are_monais_own(nested):
    item = [{"image": image(), "n": 1}]
    batch = [item, item] if nested else item * 2
    ours, stock = marked_list_data_collate(batch), list_data_collate(batch)
    assert ours["image"].meta.keys() == stock["image"].meta.keys()
    assert torch.equal(ours["image"], stock["image"])


def test_lists_of_items_pairs_and_padded_batches_keep_their_marks():
    crops = [[{"image": image("yes")}, {"image": image()}], [{"image": image("no")}]]
    assert marked_list_data_collate(crops)["image"].meta["synthetic"] == ["yes", "unknown", "no"]
    pairs = [(image("yes"), image()), (image(), image())]
    first, second = marked_list_data_collate(pairs)
    assert flags(first) == ["yes", "unknown"]
    assert flags(second) is None
    uneven = [{"image": image("partial")}, {"image": image(size=6)}]
    assert "synthetic" not in pad_list_data_collate(uneven)["image"].meta
    padded = marked_pad_list_data_collate(uneven)["image"]
    assert padded.shape[2:] == (6, 6, 6)
    assert flags(padded) == ["partial", "unknown"]


def test_bools_and_words_in_one_batch_become_words():
    with pytest.raises((TypeError, ValueError)):
        list_data_collate([image(True), image("no")])
    ours = marked_list_data_collate([image(True), image("no"), image(np.bool_(False)), image(1)])
    assert flags(ours) == ["yes", "no", "no", "yes"]


def test_arithmetic_takes_the_first_operands_flag_and_ours_all_operands():
    real, made = image("no", REAL), image("yes", MADE)
    assert flags(real + made) == flags(torch.stack([real, made])) == flags(torch.where(real > 0, real, made)) == "no"
    with keep_marks():
        for mixed in (real + made, made * 0.5 + real, torch.stack([real, made]), torch.where(real > 0, real, made)):
            assert flags(mixed) == "partial"
            assert mixed.meta["record"] == f"{REAL} {MADE}"
        assert flags(made + made) == flags(made * 2) == "yes"
        assert flags(real + real) == flags(2 - real) == "no"
        assert flags(image() + real) == "unknown"
        assert flags(image() + image()) is None
    assert (flags(real), flags(made)) == ("no", "yes")
    assert flags(tainted(real + made, real, made)) == "partial"
    assert flags(tainted(torch.ones(1), made)) == "yes"
    assert flags(tainted(torch.ones(1), torch.ones(1))) is None


def test_pasting_a_part_of_a_synthetic_image_marks_the_whole():
    real, made = image("no"), image("yes")
    real[:, :2] = made[:, :2]
    assert flags(real) == "no"
    with keep_marks():
        real[:, :2] = made[:, :2]
        real[0, 0, 0, 0] = 3.0
    assert flags(real) == "partial"


def test_batches_are_combined_and_reordered_item_by_item():
    with keep_marks():
        batch = list_data_collate([image("yes", MADE), image("no", REAL)])
        assert flags(batch * 0.5 + batch) == ["yes", "no"]
        turned = batch[torch.tensor([1, 0])]
        assert (turned.meta["synthetic"], turned.meta["record"]) == (["no", "yes"], [REAL, MADE])
        assert flags(batch[torch.tensor([False, True])]) == ["no"]
        assert flags(batch + turned) == ["partial", "partial"]
        assert flags(torch.cat([batch, turned])) == ["yes", "no", "no", "yes"]
        assert flags(batch[0]) == "yes"
        assert flags(torch.nn.Conv3d(1, 2, 1)(batch)) == ["yes", "no"]
    stock = list_data_collate([image("yes"), image("no")])
    assert flags(stock[torch.tensor([1, 0])]) == ["yes", "no"]


def test_taint_of_reads_tensors_lists_dicts_and_batches():
    assert taint_of(image("yes"), image("yes")) == "yes"
    assert taint_of(image("yes"), torch.ones(1)) == "partial"
    assert taint_of(torch.ones(1)) == taint_of() == "unknown"
    assert taint_of({"a": [image("no")], "b": (image("no"),)}) == "no"
    assert taint_of(marked_list_data_collate([image("yes"), image()])) == "partial"
    assert state_in({"synthetic": torch.tensor([True, False])}) == ["yes", "no"]


def mixed_with(transform, batch):
    transform.set_random_state(seed=0)
    return transform(batch)


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_monais_mixers_leave_the_flags_or_raise_and_ours_follow_each_sample(kind):
    items = [image("yes", MADE), image("no", REAL, value=2.0)]
    unbatched = torch.stack(items)
    assert flags(mixed_with(kind(batch_size=2), unbatched)) == "yes"
    batch = marked_list_data_collate([*items, image("no", REAL, value=3.0)])
    with pytest.raises(ValueError, match="ambiguous"):  # of MONAI 1.6.1
        mixed_with(kind(batch_size=3), batch)
    mixer = kind(batch_size=3)
    ours = mixed_with(TaintSafe(mixer), batch)
    met = [{("yes", "no", "no")[i], ("yes", "no", "no")[j]} for i, j in enumerate(mixer._params[1])]
    assert flags(ours) == ["partial" if len(states) == 2 else states.pop() for states in met]
    assert "partial" in flags(ours)
    plain = kind(batch_size=3)
    plain.set_random_state(seed=0)
    assert torch.equal(ours.as_tensor(), plain(batch.as_tensor()))
    assert flags(batch) == ["yes", "no", "no"]


def test_mixers_for_dicts_and_labels_are_followed_too():
    batch = marked_list_data_collate([{"image": image(s), "label": image(s)} for s in ("yes", "no")])
    for transform in (MixUpd(["image", "label"], batch_size=2), CutMixd("image", batch_size=2)):
        out = None
        for seed in range(20):
            safe = TaintSafe(transform)
            inner = getattr(transform, "mixup", None) or transform.mixer
            inner.set_random_state(seed=seed)
            out = safe(batch)
            if list(inner._params[1]) == [1, 0]:
                break
        assert flags(out["image"]) == ["partial", "partial"]
    both = TaintSafe(MixUp(batch_size=2))(batch["image"], batch["label"])
    assert [flags(one) for one in both] in ([["partial"] * 2] * 2, [["yes", "no"]] * 2)


def test_cutout_adds_nothing_of_another_sample():
    batch = marked_list_data_collate([image("yes"), image("no")])
    assert flags(CutOut(batch_size=2)(batch)) == flags(TaintSafe(CutOut(batch_size=2))(batch)) == ["yes", "no"]


def test_any_other_transform_is_assumed_to_use_all_it_was_given():
    def add(item):
        return {**item, "image": item["image"] + item["lesion"]}

    item = {"image": image("no"), "lesion": image("yes")}
    assert flags(add(item)["image"]) == "no"
    out = TaintSafe(add)(item)
    assert (flags(out["image"]), flags(out["lesion"])) == ("partial", "yes")
    assert flags(TaintSafe(ScaleIntensity())(image("yes"))) == "yes"
    assert flags(TaintSafe(ScaleIntensity())(image())) is None
