# SPDX-License-Identifier: Apache-2.0
"""What a training and an inference recorded by themselves, exported: models, sets and files, and nobody's name."""

import nibabel
import numpy as np
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import CheckpointSaver
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

from monai_ethics.handlers import attach
from monai_ethics.provenance.exports.cyclonedx import cyclonedx
from monai_ethics.provenance.exports.formats import FORMATS
from monai_ethics.provenance.exports.material import Told, as_bytes, read_material
from monai_ethics.provenance.log.reading.entries import read_entries

TRANSFORM = Compose([LoadImaged(["image", "label"]), EnsureChannelFirstd(["image", "label"])])


def run(tmp_path, toy):
    items = []
    for i in range(4):
        item = {"patient": f"Doe-{i // 2}"}
        for kind in ("image", "label"):
            array = np.random.default_rng([i, kind == "label"]).random((8, 8, 2)).astype(np.float32)
            item[kind] = str(tmp_path / f"surname-{i}_{kind}.nii.gz")
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), item[kind])
        items.append(item)
    network, loader = toy.Shift(), DataLoader(Dataset(items, TRANSFORM), batch_size=2)
    saver = CheckpointSaver(save_dir=str(tmp_path / "models"), save_dict={"net": network}, save_final=True)
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=loader,
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=torch.nn.MSELoss(),
        train_handlers=[saver],
    )
    attach(trainer, out=tmp_path / "e")
    trainer.run()
    evaluator = SupervisedEvaluator(device=torch.device("cpu"), val_data_loader=loader, network=network)
    attach(evaluator, out=tmp_path / "e")
    evaluator.run()
    return tmp_path / "e"


def test_runs_are_exported_with_their_model_and_without_any_name(tmp_path, toy):
    folder = run(tmp_path, toy)
    entries, material = read_entries(folder), read_material(folder)
    kinds = sorted((one.kind, one.type) for one in material.made)
    assert kinds == [("model", "training"), ("run", "inference"), ("set", "import"), ("set", "import")]
    hidden = {str(entry.body["item"]) for entry in entries if "item" in entry.body}
    hidden |= {
        str(s[key]) for e in entries if e.kind == "record" for s in e.body["subjects"] for key in s if key != "role"
    }
    assert len(hidden) > 5
    bill = cyclonedx(material, Told())
    (model,) = [one for one in bill["components"] if one["type"] == "machine-learning-model"]
    assert {one["type"] for one in model["components"]} == {"file"}
    assert len(model["modelCard"]["modelParameters"]["datasets"]) == 1
    for form, (function, _) in FORMATS.items():
        about = {"about": "training"} if form == "croissant" else {}
        text = as_bytes(function(material, Told(), **about)).decode()
        assert not [name for name in (*hidden, "Doe", "surname", str(tmp_path)) if name in text], form
