# SPDX-License-Identifier: Apache-2.0
import json

import nibabel
import numpy as np
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import CheckpointLoader, CheckpointSaver
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Rotate90d, SaveImaged

from monai_ethics.handlers import attach
from monai_ethics.handlers._items import ItemDigests
from monai_ethics.handlers._model_digest import model_digest
from monai_ethics.handlers._sweep import OutputSweep
from monai_ethics.provenance.log.reading.entries import read_entries, read_private


def record_of(folder):
    (entry,) = [e for e in read_entries(folder) if e.kind == "record" and "set" not in e.body["activity"]]
    return entry.body


def test_a_model_is_known_by_its_weights_not_by_their_order():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    first = model_digest(net)
    assert first == model_digest(torch.nn.DataParallel(net))
    assert first["tensors"] == 7
    with torch.no_grad():
        net[0].bias[0] += 1
    assert model_digest(net)["sha256"] != first["sha256"]


def test_the_model_is_read_after_a_loader_replaced_its_weights(toy, tmp_path):
    trained = toy.Shift()
    trained.bias.data.fill_(0.25)
    torch.save({"net": trained.state_dict()}, tmp_path / "model.pt")
    network = toy.Shift()
    loader = CheckpointLoader(load_path=str(tmp_path / "model.pt"), load_dict={"net": network})
    evaluator = toy.evaluator(toy.items(), network=network, handlers=[loader])
    attach(evaluator, out=tmp_path / "e")
    evaluator.run()
    model = record_of(tmp_path / "e")["model"]
    assert model["SupervisedEvaluator.network.start"]["sha256"] == model_digest(trained)["sha256"]


def test_files_read_and_written_are_pseudonyms_in_the_log_and_names_in_private(tmp_path, toy):
    data = []
    for i in range(3):
        for kind in ("image", "label"):
            array = np.random.default_rng(i).random((16, 16, 1)).astype(np.float32)
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / f"sub-{i}_{kind}.nii.gz")
        data.append({kind: str(tmp_path / f"sub-{i}_{kind}.nii.gz") for kind in ("image", "label")})
    keys = ["image", "label"]
    transform = Compose([LoadImaged(keys), EnsureChannelFirstd(keys), Rotate90d(keys)])
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(data, transform), batch_size=2),
        network=toy.Shift(),
        postprocessing=SaveImaged("pred", output_dir=tmp_path / "saved", print_log=False),
    )
    attach(evaluator, out=tmp_path / "e")
    evaluator.run()
    ((_, payload),) = read_private(tmp_path / "e", "items")
    items = json.loads(payload)
    assert len(items["read"]) == 6
    assert all(item["error"] is None and item["digests"]["file_sha256"] for item in items["read"])
    assert len(items["written"]) == 3
    record = record_of(tmp_path / "e")
    assert record["type"] == "inference"
    assert len(record["subjects"]) == 6
    facts = record["activity"]["SupervisedEvaluator"]
    assert facts["transforms_declared"] == ["LoadImaged", "EnsureChannelFirstd", "Rotate90d"]
    assert facts["transforms_applied_partial"] == ["Rotate90"]
    log = (tmp_path / "e" / "log.jsonl").read_text()
    assert "sub-" not in log
    assert [e.body["role"] for e in read_entries(tmp_path / "e") if e.kind == "stored"] == ["output"] * 3


def test_checkpoints_are_found_with_their_digests_also_when_the_run_fails(tmp_path, toy):
    network = toy.Shift()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=3,
        train_data_loader=DataLoader(toy.Items(toy.items()), batch_size=3),
        network=network,
        optimizer=optimizer,
        loss_function=torch.nn.MSELoss(),
        train_handlers=[
            CheckpointSaver(save_dir=str(tmp_path / "models"), save_dict={"net": network}, save_interval=1)
        ],
    )
    attach(trainer, out=tmp_path / "e")
    trainer.run()
    stored = [e.body for e in read_entries(tmp_path / "e") if e.kind == "stored"]
    assert len(stored) == 3
    assert all(body["role"] == "checkpoint" and len(body["sha256"]) == 64 for body in stored)
    model = record_of(tmp_path / "e")["model"]
    assert model["SupervisedTrainer.network.start"]["sha256"] != model["SupervisedTrainer.network.end"]["sha256"]


def test_a_sweep_takes_new_and_changed_files_only(tmp_path):
    (tmp_path / "evidence").mkdir()
    (tmp_path / "old.txt").write_text("a")
    (tmp_path / "changed.pt").write_text("a")
    sweep = OutputSweep(exclude=tmp_path / "evidence")
    sweep.watch(tmp_path)
    (tmp_path / "changed.pt").write_text("bb")
    (tmp_path / "new.txt").write_text("c")
    (tmp_path / "evidence" / "log.jsonl").write_text("d")
    sweep.note(tmp_path / "gone.txt", "output")
    assert [(f.path.name, f.role) for f in sweep.collect()] == [("changed.pt", "checkpoint"), ("new.txt", "output")]


def test_a_file_is_read_once_and_a_broken_one_says_so(tmp_path):
    good, link, bad = tmp_path / "a.npy", tmp_path / "b.npy", tmp_path / "c.nii.gz"
    np.save(good, np.arange(12.0).reshape(3, 4))
    link.hardlink_to(good)
    bad.write_bytes(b"not an image")
    queue = ItemDigests()
    queue.add({"image": str(good), "label": str(bad), "again": str(link), "none": str(tmp_path / "none.nii"), "n": 3})
    results = {item["role"]: item for item in queue.results(wait=True)}
    queue.close()
    assert sorted(results) == ["again", "image", "label"]
    assert results["image"]["digests"] == results["again"]["digests"] is not None
    assert len(queue._by_key) == 2
    assert results["label"]["error"]
