# SPDX-License-Identifier: Apache-2.0
"""Tiny bundles that reproduce the shapes and traps of the model zoo, and stand-ins for the handlers."""

from __future__ import annotations

import copy
import functools
import json
import sys
import types
from pathlib import Path

import pytest

ITEMS = (
    "$[{'image': torch.full((1, 8, 8), i / 7), 'label': (torch.arange(64).reshape(1, 8, 8) % (i + 2) == 0).float()} "
    "for i in range(4)]"
)

BASE = {
    "imports": ["$import os"],
    "bundle_root": ".",
    "output_dir": "$@bundle_root + '/eval'",
    "dataset_dir": ".",
    "device": "$torch.device('cpu')",
    "epochs": 1,
    "val_interval": 1,
    "items": ITEMS,
    "network_def": {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 2, "kernel_size": 1},
    "network": "$@network_def.to(@device)",
    "optimizer": {"_target_": "torch.optim.SGD", "params": "$@network.parameters()", "lr": 0.1},
    "post": {
        "_target_": "Compose",
        "transforms": [{"_target_": "AsDiscreted", "keys": ["pred", "label"], "argmax": [True, False], "to_onehot": 2}],
    },
    "train": {
        "dataset": {"_target_": "Dataset", "data": "@items"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@train#dataset", "batch_size": 3},
        "inferer": {"_target_": "SimpleInferer"},
        "handlers": [
            {"_target_": "ValidationHandler", "validator": "@validate#evaluator", "interval": "@val_interval"},
            {"_target_": "StatsHandler", "tag_name": "loss", "output_transform": "$lambda x: x[0]['loss']"},
        ],
        "trainer": {
            "_target_": "SupervisedTrainer",
            "max_epochs": "@epochs",
            "device": "@device",
            "train_data_loader": "@train#dataloader",
            "network": "@network",
            "loss_function": {"_target_": "DiceLoss", "to_onehot_y": True, "softmax": True},
            "optimizer": "@optimizer",
            "inferer": "@train#inferer",
            "train_handlers": "@train#handlers",
        },
    },
    "validate": {
        "dataset": {"_target_": "Dataset", "data": "@items"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@validate#dataset", "batch_size": 3},
        "inferer": {"_target_": "SimpleInferer"},
        "handlers": [{"_target_": "StatsHandler", "iteration_log": False}],
        "key_metric": {
            "val_mean_dice": {
                "_target_": "MeanDice",
                "include_background": False,
                "output_transform": "$monai.handlers.from_engine(['pred', 'label'])",
            }
        },
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@validate#dataloader",
            "network": "@network",
            "inferer": "@validate#inferer",
            "postprocessing": "@post",
            "key_val_metric": "@validate#key_metric",
            "val_handlers": "@validate#handlers",
        },
    },
    "initialize": ["$monai.utils.set_determinism(seed=1)"],
    "run": ["$@train#trainer.run()"],
}


METADATA = {
    "version": "0.1.0",
    "changelog": {"0.1.0": "first"},
    "monai_version": "1.6.1",
    "pytorch_version": "2.13.0",
    "numpy_version": "2.4.6",
    "name": "tiny",
    "task": "a test",
    "description": "a test",
    "authors": "a test",
    "copyright": "a test",
    "network_data_format": {"inputs": {}, "outputs": {}},
}


class FakeSession:
    """What the workflow needs of a session; nothing is written."""

    evidence = None
    fit = types.SimpleNamespace(check=lambda: None)

    def __init__(self, settings, config):
        self.settings, self.config = settings, config
        self.started, self.exit_code, self.run_id = False, 0, "fake"
        self.ended, self.files = [], []

    def start(self):
        self.started = True

    def finish(self, error=None):
        if self.started:
            self.ended.append(error)
            self.started = False

    def output_file(self, path):
        self.files.append(path)


class FakePart:
    def __init__(self, place, engine_id):
        self.place, self.engine_id, self.engines = place, engine_id, []

    def attach(self, engine, name=None):
        self.engines.append(engine)


@pytest.fixture
def base():
    """A config with the zoo's names, as a fresh nested dict."""
    return copy.deepcopy(BASE)


@pytest.fixture
def write_bundle(tmp_path, monkeypatch):
    """Write configs into a bundle folder and make it the current directory; returns the first config's path."""

    def write(config, *more, suffix=".json", folder="bundle"):
        root = tmp_path / folder
        (root / "configs").mkdir(parents=True, exist_ok=True)
        (root / "configs" / "metadata.json").write_text(json.dumps(METADATA))
        names = []
        for number, item in enumerate((config, *more)):
            path = root / "configs" / f"{'train' if number == 0 else f'overlay_{number}'}{suffix}"
            if suffix == ".json":
                path.write_text(json.dumps(item, indent=1))
            else:
                import yaml

                path.write_text(yaml.safe_dump(item, sort_keys=False))
            names.append(str(path))
        monkeypatch.chdir(root)
        monkeypatch.setattr(sys, "path", list(sys.path))
        return names if more else names[0]

    return write


@pytest.fixture
def fakes(monkeypatch):
    """Stand-ins for the session and the handlers; returns what was made."""
    from monai_ethics.bundle import injector, workflow

    made = {"sessions": [], "parts": []}

    def session(settings, *, config):
        made["sessions"].append(FakeSession(settings, config))
        return made["sessions"][-1]

    def parts(_, engine_id):
        first, last = FakePart("first", engine_id), FakePart("last", engine_id)
        made["parts"] += [first, last]
        return (first,), (last,)

    monkeypatch.setattr(workflow, "new_session", session)
    monkeypatch.setattr(injector, "ethics_parts", parts)
    return made


@pytest.fixture
def make():
    """Build an `EthicsWorkflow` from a config file."""
    from monai_ethics.bundle.workflow import EthicsWorkflow

    return functools.partial(EthicsWorkflow, logging_file=False)


@pytest.fixture
def run(make):
    """Build an `EthicsWorkflow` and take it from start to end."""

    def whole(path, **kwargs):
        workflow = make(path, **kwargs)
        workflow.initialize()
        workflow.run()
        workflow.finalize()
        return workflow

    return whole


@pytest.fixture
def reached():
    """Ids of the engines that got a first and a last part, in the order in which they were built."""

    def read(made):
        return [part.engine_id for part in made["parts"] if part.place == "first" and part.engines]

    return read


@pytest.fixture
def listing():
    """Every file below a folder, by name, with its bytes."""

    def read(root: Path):
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}

    return read


@pytest.fixture
def image_bundle(base, tmp_path):
    """A bundle that reads and writes image files, uses random numbers everywhere and saves all a bundle can save."""
    import nibabel
    import numpy as np

    def write(name, *, dims=2, n=7):
        root = tmp_path / name
        (root / "configs").mkdir(parents=True)
        (root / "configs" / "metadata.json").write_text(json.dumps(METADATA))
        numbers = np.random.default_rng(0)
        data = tmp_path / f"data_{dims}d"
        if not data.exists():
            data.mkdir()
            for case in range(n):
                label = (numbers.random((16,) * dims) > 0.7).astype(np.float32)
                image = label + numbers.normal(0, 0.3, label.shape).astype(np.float32)
                nibabel.save(nibabel.Nifti1Image(image.astype(np.float32), np.eye(4)), data / f"case{case}_image.nii")
                nibabel.save(nibabel.Nifti1Image(label, np.eye(4)), data / f"case{case}_label.nii")
            rows = "".join(f"case{case}_image.nii\t{'FM'[case % 2]}\n" for case in range(n))
            (data / "attributes.tsv").write_text("case\tsex\n" + rows)
        config = _image_config(copy.deepcopy(base), str(data), dims)
        (root / "configs" / "train.json").write_text(json.dumps(config, indent=1))
        (root / "configs" / "multi.json").write_text(json.dumps(TWO_RANKS, indent=1))
        return root

    return write


def _image_config(config, data, dims):
    load = [
        {"_target_": "LoadImaged", "keys": ["image", "label"]},
        {"_target_": "EnsureChannelFirstd", "keys": ["image", "label"], "channel_dim": "no_channel"},
    ]
    noise = {"_target_": "RandGaussianNoised", "keys": "image", "prob": 0.7, "std": 0.1}
    config["imports"] += ["$import glob"]
    config["dataset_dir"] = data
    config["ckpt_dir"] = "$@bundle_root + '/models'"
    config["items"] = (
        "$[{'image': p, 'label': p.replace('image', 'label')} "
        "for p in sorted(glob.glob(@dataset_dir + '/*_image.nii'))]"
    )
    config["epochs"] = 2
    config["network_def"] = {
        "_target_": "UNet",
        "spatial_dims": dims,
        "in_channels": 1,
        "out_channels": 2,
        "channels": [4, 8],
        "strides": [2],
        "dropout": 0.3,
    }
    config["train"]["dataset"]["transform"] = {"_target_": "Compose", "transforms": [*load, noise]}
    config["validate"]["dataset"]["transform"] = {"_target_": "Compose", "transforms": load}
    config["train"]["dataloader"]["shuffle"] = True
    save = {
        "_target_": "SaveImaged",
        "keys": "pred",
        "output_dir": "@output_dir",
        "output_ext": ".nii",
        "print_log": False,
    }
    config["post"]["transforms"].append(save)
    final = {"_target_": "CheckpointSaver", "save_dir": "@ckpt_dir", "save_dict": {"model": "@network"}}
    config["train"]["handlers"] += [{**final, "save_final": True, "final_filename": "final.pt"}]
    config["validate"]["handlers"] += [
        {**final, "save_key_metric": True, "key_metric_filename": "model.pt"},
    ]
    config["metrics_saver"] = {
        "_target_": "MetricsSaver",
        "save_dir": "@output_dir",
        "metric_details": "*",
        "batch_transform": "$lambda x: [item['image'].meta for item in x]",
        "delimiter": ",",
    }
    config["validate"]["handlers"].append("@metrics_saver")
    return config


TWO_RANKS = {
    "network": {
        "_target_": "torch.nn.parallel.DistributedDataParallel",
        "module": "$@network_def.to(@device)",
        "find_unused_parameters": True,
    },
    "train#sampler": {
        "_target_": "DistributedSampler",
        "dataset": "@train#dataset",
        "even_divisible": True,
        "shuffle": True,
    },
    "train#dataloader#sampler": "@train#sampler",
    "train#dataloader#shuffle": False,
    "train#trainer#train_handlers": "$@train#handlers[: -2 if dist.get_rank() > 0 else None]",
    "validate#sampler": {
        "_target_": "DistributedSampler",
        "dataset": "@validate#dataset",
        "even_divisible": False,
        "shuffle": False,
    },
    "validate#dataloader#sampler": "@validate#sampler",
    "validate#evaluator#val_handlers": "$None if dist.get_rank() > 0 else @validate#handlers[:2]",
    "initialize": [
        "$import torch.distributed as dist",
        "$dist.is_initialized() or dist.init_process_group(backend='gloo')",
        "$monai.utils.set_determinism(seed=123)",
    ],
    "run": ["$@train#trainer.run()"],
    "finalize": ["$dist.is_initialized() and dist.destroy_process_group()"],
}
