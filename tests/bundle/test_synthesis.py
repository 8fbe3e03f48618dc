# SPDX-License-Identifier: Apache-2.0
"""A bundle that trains a generator, and one that saves its images, audited without a change to the bundle."""

from __future__ import annotations

import json

import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.log.reading.entries import read_report

TRAIN = {
    "imports": ["$import torch"],
    "bundle_root": ".",
    "output_dir": "$@bundle_root + '/eval'",
    "items": "$[{'image': torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(i))} for i in range(8)]",
    "network": {
        "_target_": "monai.networks.nets.DiffusionModelUNet",
        "spatial_dims": 2,
        "in_channels": 1,
        "out_channels": 1,
        "channels": [8, 8],
        "attention_levels": [False, False],
        "num_res_blocks": 1,
        "norm_num_groups": 4,
        "num_head_channels": 4,
    },
    "scheduler": {"_target_": "monai.networks.schedulers.DDPMScheduler", "num_train_timesteps": 10},
    "train": {
        "dataloader": {"_target_": "DataLoader", "dataset": "@items", "batch_size": 4},
        "handlers": [{"_target_": "StatsHandler", "tag_name": "loss", "output_transform": "$lambda x: x[0]['loss']"}],
        "trainer": {
            "_target_": "SupervisedTrainer",
            "max_epochs": 2,
            "device": "$torch.device('cpu')",
            "train_data_loader": "@train#dataloader",
            "network": "@network",
            "loss_function": {"_target_": "torch.nn.MSELoss"},
            "optimizer": {"_target_": "torch.optim.Adam", "params": "$@network.parameters()", "lr": 0.001},
            "inferer": {"_target_": "DiffusionInferer", "scheduler": "@scheduler"},
            "prepare_batch": {"_target_": "monai.engines.utils.DiffusionPrepareBatch", "num_train_timesteps": 10},
            "train_handlers": "@train#handlers",
        },
    },
    "run": ["$monai.utils.set_determinism(seed=1)", "$@train#trainer.run()"],
}
INFER = {
    "imports": ["$import torch"],
    "bundle_root": ".",
    "output_dir": "$@bundle_root + '/eval'",
    "latents": "$[torch.full((4,), float(i + 1)) for i in range(3)]",
    "network": {
        "_target_": "monai.networks.nets.Generator",
        "latent_shape": 4,
        "start_shape": [2, 4, 4, 4],
        "channels": [4, 1],
        "strides": [2, 1],
    },
    "evaluator": {
        "_target_": "SupervisedEvaluator",
        "device": "$torch.device('cpu')",
        "val_data_loader": {"_target_": "DataLoader", "dataset": "@latents", "batch_size": 1},
        "network": "@network",
        "postprocessing": {
            "_target_": "SaveImaged",
            "keys": "pred",
            "output_dir": "@output_dir",
            "output_ext": ".nii",
            "print_log": False,
        },
    },
    "run": ["$monai.utils.set_determinism(seed=1)", "$@evaluator.run()"],
}


def store(folder, dims):
    rng = np.random.default_rng(0)
    width = 16**dims
    for name in ("t", "h"):
        np.savez(folder / f"{name}.npz", features=rng.standard_normal((10, width)).astype(np.float32))
    return {"train": str(folder / "t.npz"), "holdout": str(folder / "h.npz")}


@pytest.fixture
def launch(write_bundle, tmp_path, monkeypatch):
    def run(config, *words):
        monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
        path = write_bundle(config)
        assert main(["run", "--config_file", path, "--logging_file", "False", *words]) == 0
        found = read_report(tmp_path / "bundle" / "eval" / "evidence").findings
        return {finding.check: finding for finding in found}

    return run


def test_a_generator_in_training_is_audited_in_an_unchanged_bundle(launch, tmp_path):
    given = {**store(tmp_path, 2), "n": 8, "every": 1, "steps": 3, "split_random": True}
    found = launch(TRAIN, "--ethics#synthesis", json.dumps(given).replace("true", "True"))
    assert found["synthesis.memorization_looks"].accounting["looks_judged"] == 2
    assert found["synthesis.memorization_membership"].accounting["synthetic_images"] == 8


def test_settings_may_be_given_one_by_one_and_refer_to_the_bundle(launch, tmp_path):
    given = store(tmp_path, 2)
    words = ["--ethics#synthesis#train", given["train"], "--ethics#synthesis#holdout", given["holdout"]]
    sampler = "$lambda n, generator, net=@network: torch.rand(n, 1, 16, 16, generator=generator)"
    found = launch(TRAIN, *words, "--ethics#synthesis#sampler", sampler, "--ethics#synthesis#n", "5")
    assert found["synthesis.memorization_membership"].accounting["synthetic_images"] == 5
    assert "on record" in found["synthesis.memorization_membership"].reason


def test_a_setting_that_cannot_be_built_is_told_in_one_sentence(write_bundle, tmp_path, capfd):
    words = ["--ethics#synthesis", json.dumps({**store(tmp_path, 2), "sampler": "@nowhere"})]
    assert main(["run", "--config_file", write_bundle(TRAIN), "--logging_file", "False", *words]) == 2
    assert "`ethics#synthesis` must be a mapping" in capfd.readouterr().err


def test_saved_images_that_are_declared_synthetic_are_audited_at_the_end(launch, tmp_path):
    given = {**store(tmp_path, 3), "split_random": True}
    words = ["--ethics#synthesis", json.dumps(given).replace("true", "True"), "--ethics#synthetic", "true"]
    found = launch(INFER, *words)
    assert found["synthesis.memorization_membership"].accounting["synthetic_images"] == 3
    assert "synthesis.memorization_looks" not in found


def test_saved_images_that_nobody_declared_are_not_audited_and_it_says_why(launch, tmp_path):
    found = launch(INFER, "--ethics#synthesis", json.dumps(store(tmp_path, 3)))
    assert "synthetic true" in found["synthesis.memorization_membership"].reason
