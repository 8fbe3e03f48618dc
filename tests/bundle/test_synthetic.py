# SPDX-License-Identifier: Apache-2.0
"""A generator that runs in an engine, as mednist_gan's inference does: latents in, images out, saved by the engine."""

from __future__ import annotations

import json

import pytest

CONFIG = {
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
    "saver": {
        "_target_": "SaveImaged",
        "keys": "pred",
        "output_dir": "@output_dir",
        "output_ext": ".nii",
        "print_log": False,
    },
    "evaluator": {
        "_target_": "SupervisedEvaluator",
        "device": "$torch.device('cpu')",
        "val_data_loader": {"_target_": "DataLoader", "dataset": "@latents", "batch_size": 1},
        "network": "@network",
        "postprocessing": {"_target_": "Compose", "transforms": ["@saver"]},
    },
    "run": ["$monai.utils.set_determinism(seed=1)", "$@evaluator.run()"],
}


@pytest.fixture
def launch(write_bundle, tmp_path, monkeypatch):
    from monai_ethics.__main__ import main

    def run(*words, **items):
        monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
        path = write_bundle({**CONFIG, **items})
        assert main(["run", "--config_file", path, "--logging_file", "False", *words]) == 0
        return tmp_path / "bundle" / "eval"

    return run


@pytest.mark.parametrize("how", ["section", "command"])
def test_what_an_engine_saves_is_marked_if_the_run_is_declared_synthetic(launch, capfd, how):
    folder = launch(ethics={"synthetic": True}) if how == "section" else launch("--ethics#synthetic", "true")
    images = sorted(folder.rglob("*.nii"))
    sidecars = [json.loads(path.with_name(path.name + ".prov.json").read_text()) for path in images]
    assert [one["synthetic"] for one in sidecars] == ["yes"] * 3
    assert "synthetic, add" not in capfd.readouterr().err


def test_a_generator_that_nobody_declared_gets_a_hint_and_no_mark(launch, capfd):
    folder = launch()
    assert len(list(folder.rglob("*.nii"))) == 3
    assert not list(folder.rglob("*.prov.json"))
    assert "synthetic, add --ethics#synthetic true" in capfd.readouterr().err
