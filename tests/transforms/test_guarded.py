# SPDX-License-Identifier: Apache-2.0
import logging
import os
import pickle

import nibabel as nib
import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset

from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.log.reading.entries import read_report
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.registry.admission import Judgement, Refusal, RegistryJudge
from monai_ethics.provenance.registry.stamp import stamp_files
from monai_ethics.transforms.guarded import GuardedDataset, items_of

AFFINE = np.diag([-1.5, -1.5, 2, 1])


@pytest.fixture(autouse=True)
def key_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))


def write(path, seed):
    array = np.random.default_rng(seed).normal(100, 30, size=(12, 10, 8)).astype(np.float32)
    nib.save(nib.Nifti1Image(array, AFFINE), path)
    return {"image": str(path)}


@pytest.fixture
def site(tmp_path):
    """Volume 0 is registered as synthetic, volume 1 as acquired."""
    write(tmp_path / "made.nii", 0)
    write(tmp_path / "scanned.nii", 1)
    with EvidenceLog.open(tmp_path / "site", run_id="stamp") as log:
        stamp_files([tmp_path / "made.nii"], log)
        stamp_files([tmp_path / "scanned.nii"], log, synthetic="no")
    return log.folder


@pytest.fixture
def items(tmp_path):
    """Five items; the second is a copy of the synthetic volume."""
    return [write(tmp_path / f"doe_{seed}.nii", seed) for seed in (5, 0, 6, 7, 8)]


class Shown(torch.utils.data.Dataset):
    """As MONAI's: `data` holds the items, access loads one."""

    def __init__(self, data):
        self.data, self.read = data, []

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        self.read.append(index)
        return self.data[index]


class Hidden(torch.utils.data.Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def test_the_first_access_raises_with_positions_and_pseudonyms_and_nothing_was_read(site, items):
    inner = Shown(items)
    guarded = GuardedDataset(inner, site=site)
    for access in (lambda: guarded[0], lambda: len(guarded), lambda: DataLoader(guarded, shuffle=True)):
        with pytest.raises(
            GateError, match=r"1 of 5 items are refused, at 2 \([0-9a-f]{32}: synthetic-by-digest\)"
        ) as e:
            access()
        assert "doe" not in str(e.value)
    assert inner.read == []


def test_dropping_leaves_refused_items_out_and_logs_them(site, items, tmp_path, caplog):
    with EvidenceLog.open(tmp_path / "run", run_id="r") as log, caplog.at_level(logging.WARNING):
        guarded = GuardedDataset(Shown(items), site=site, drop=True, log=log)
        assert len(guarded) == 4
        assert guarded.dropped == (2,)
        log.seal()
    assert [guarded[index] for index in range(4)] == [items[0], *items[2:]]
    assert [item["image"] for item in guarded.data] == [item["image"] for item in (items[0], *items[2:])]
    assert "left out 1 of 5 items: 2 (" in caplog.text
    assert "doe" not in caplog.text
    assert [one.check for one in read_report(tmp_path / "run").findings] == ["provenance.synthetic_guard"]
    batches = list(DataLoader(guarded, batch_size=2, num_workers=0))
    assert sum(len(batch["image"]) for batch in batches) == 4


def test_the_allow_list_takes_attested_items_only(site, items, tmp_path):
    attested = write(tmp_path / "again.nii", 1)
    assert len(GuardedDataset([attested], policy="allow-list", site=site)) == 1
    assert GuardedDataset([*items, attested], policy="allow-list", site=site, drop=True).data == [attested]


@pytest.mark.parametrize(
    "wrap",
    [
        Shown,
        Hidden,
        list,
        lambda items: Subset(Shown([*items, *items]), range(5, 10)),
        lambda items: ConcatDataset([Shown(items[:2]), Subset(Shown(items), [2, 3, 4])]),
    ],
)
def test_items_are_found_in_every_kind_of_dataset(site, items, wrap):
    assert GuardedDataset(wrap(items), site=site, drop=True).dropped == (2,)


def test_a_dataset_that_hides_its_items_is_told_from_an_empty_one(items):
    assert items_of(Hidden(items)) is None
    assert items_of(Shown([])) == []
    assert items_of(ConcatDataset([Shown(items), Hidden(items)])) is None
    assert items_of(Shown([1, 2])) is None


def test_a_datalist_that_says_synthetic_is_believed_and_one_that_denies_it_is_a_conflict(site, items):
    said = [{**items[0], "synthetic": True}, {**items[1], "synthetic": "no"}, {**items[2], "synthetic": False}]
    guarded = GuardedDataset(said, site=site, drop=True)
    assert {one.position: one.kind for one in guarded.judge().refusals} == {1: "synthetic-declared", 2: "conflict"}


def test_items_without_a_file_and_unread_formats_pass_the_deny_list_only(site, tmp_path):
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0004")
    (tmp_path / "table.csv").write_text("a")
    listed = [{"image": str(tmp_path / "a.nrrd"), "table": str(tmp_path / "table.csv")}, {"image": torch.zeros(2)}]
    assert len(GuardedDataset(listed, site=site)) == 2
    assert GuardedDataset(listed, policy="allow-list", site=site, drop=True).dropped == (1, 2)


def test_a_sidecar_speaks_for_a_format_that_is_not_read(site, tmp_path):
    from monai_ethics.provenance.log.tree.canonical import file_sha256

    path = tmp_path / "a.nrrd"
    path.write_bytes(b"NRRD0004")
    text = f'{{"schema":"monai_ethics.sidecar/1","sha256":"{file_sha256(path)}","synthetic":"yes"}}'
    (tmp_path / "a.nrrd.prov.json").write_text(text)
    assert GuardedDataset([{"image": str(path)}], site=site, drop=True).dropped == (1,)


def test_folders_of_slices_are_judged_by_every_file_in_them(site, tmp_path):
    (tmp_path / "series").mkdir()
    write(tmp_path / "series" / "0.nii", 9)
    write(tmp_path / "series" / "1.nii", 0)
    assert GuardedDataset([{"image": str(tmp_path / "series")}], site=site, drop=True).dropped == (1,)


@pytest.mark.parametrize(
    "hide",
    [
        lambda path: {"image": [[path]]},
        lambda path: {"image": {"path": path}},
        lambda path: {"image": np.array([path])},
        lambda path: {"image": {path}},
        lambda path: {"image": f"~/{path.rpartition('/')[2]}"},
        lambda path: path,
        lambda path: [path],
    ],
)
def test_files_are_found_wherever_an_item_names_them(site, items, tmp_path, monkeypatch, hide):
    monkeypatch.setenv("HOME", str(tmp_path))
    data = [hide(item["image"]) for item in items]
    assert GuardedDataset(Shown(data), site=site, drop=True).dropped == (2,)


def test_items_are_found_in_datasets_of_monai_without_a_datalist(site, items):
    from monai.data import ArrayDataset, ImageDataset, MetaTensor, ZipDataset

    files = [item["image"] for item in items]
    for dataset in (
        ImageDataset(files),
        ImageDataset(files[2:], files[:3]),
        ArrayDataset(files),
        ZipDataset([Shown(files), Shown(items)]),
    ):
        assert 2 in GuardedDataset(dataset, site=site, drop=True).dropped
    loaded = [MetaTensor(torch.zeros(2), meta={"filename_or_obj": file}) for file in files]
    assert GuardedDataset(Hidden(loaded), site=site, drop=True).dropped == (2,)


def test_an_image_is_judged_whatever_its_suffix(site, items, tmp_path):
    odd = tmp_path / "other.npz"
    np.savez(odd, a=np.zeros(3))
    item = {**write(tmp_path / "again.nii", 1), "more": str(odd)}
    assert GuardedDataset([item], policy="allow-list", site=site, drop=True).dropped == (1,)


def test_under_the_allow_list_a_label_may_be_unknown_and_not_synthetic(site, items, tmp_path):
    image = write(tmp_path / "again.nii", 1)["image"]
    listed = [{"image": image, "label": items[0]["image"]}, {"image": image, "label": items[1]["image"]}]
    guarded = GuardedDataset(listed, policy="allow-list", site=site, drop=True)
    assert [(one.position, one.kind) for one in guarded.judge().refusals] == [(2, "synthetic-by-digest")]


def test_a_file_that_was_replaced_under_its_old_times_is_judged_anew(site, items, tmp_path):
    judge = RegistryJudge(site=site)
    path = tmp_path / "late.nii"
    write(path, 11)
    times = path.stat().st_mtime_ns
    assert judge.judge([{"image": str(path)}]).refusals == ()
    with path.open("r+b") as file:
        file.write((tmp_path / "doe_0.nii").read_bytes())
    os.utime(path, ns=(times, times))
    assert judge.judge([{"image": str(path)}]).positions == (1,)


def test_slices_of_the_dataset_and_copies_in_workers_stay_guarded(site, items):
    guarded = GuardedDataset(Shown(items), site=site, drop=True)
    assert len(guarded[:2]) == 2
    assert guarded[[0, 3]][1] == items[4]
    assert guarded[-1] == items[4]
    with pytest.raises(IndexError):
        guarded[4]
    again = pickle.loads(pickle.dumps(guarded))
    assert again.dropped == (2,)
    with pytest.raises(GateError):
        pickle.dumps(GuardedDataset(Shown(items), site=site))


def test_another_judge_joins(items):
    class Consent:
        def judge(self, items, *, pseudonym=None):
            return Judgement(n=len(items), refusals=(Refusal(position=4, item="p", kind="withdrawn", why="w"),))

    assert GuardedDataset(items, judges=[Consent()], drop=True).dropped == (4,)


def test_nobody_to_judge_and_an_altered_registry_are_refused(site, items):
    with pytest.raises(InputError, match="Expected a registry to ask"):
        GuardedDataset(items)
    with pytest.raises(InputError, match="deny-list or allow-list"):
        GuardedDataset(items, policy="other", site=site)
    guarded = GuardedDataset(items[:1], site=site)
    path = site / "log.jsonl"
    path.write_bytes(b"".join(row for row in path.read_bytes().splitlines(True) if b'"registered"' not in row))
    with pytest.raises(GateError, match="altered"):
        guarded[0]
