# SPDX-License-Identifier: Apache-2.0
"""The config of docs/how-to/train-for-the-worst-group.md, laid over the shipped bundle as it stands on the page."""

import json
import re
from pathlib import Path

import pytest

from monai_ethics.cohort import Cohort, Lesions, write_cohort

pytestmark = pytest.mark.bundle
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "train-for-the-worst-group.md"


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slices") / "data"
    splits = {"training": range(8), "validation": range(8, 16)}
    write_cohort(Cohort(n=16, seed=50, lesions=Lesions(prevalence=1.0)), folder, splits=splits)
    return folder


@pytest.fixture
def overlay(tmp_path):
    (text,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    config = json.loads(text)
    config["validate#key_metric"]["val_worst_dice"]["min_group_size"] = 1
    config["validate#handlers#1#key_metric_filename"] = None  # the saver then names the file by the value
    path = tmp_path / "worst_group.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def train(launch, overlay, slices, out, configs="'configs/train.json'", **more):
    return launch(
        "run",
        config_file=f"[{configs},'{overlay}']",
        dataset_dir=slices,
        ckpt_dir=out,
        output_dir=out,
        epochs=2,
        val_interval=1,
        train_batch_size=4,
        **more,
    )


def test_the_checkpoint_of_the_best_worst_group_is_kept(launch, overlay, slices, tmp_path):
    printed = train(launch, overlay, slices, tmp_path / "out")
    values = [float(v) for v in re.findall(r"val_worst_dice: ([0-9.e-]+)", printed)]
    (saved,) = (tmp_path / "out").glob("model_key_metric=*.pt")
    assert f"{max(values):.4f}" == saved.stem.split("=")[1]
    assert "val_mean_dice_sex_F" in printed
    assert "val_mean_dice_sex_worst" in printed


@pytest.mark.dist
def test_two_processes_train_with_it(launch, overlay, slices, tmp_path):
    train(
        launch,
        overlay,
        slices,
        tmp_path / "out",
        configs="'configs/train.json','configs/multi_gpu_train.json'",
        ranks=2,
    )
    assert len(list((tmp_path / "out").glob("model_key_metric=*.pt"))) == 1
