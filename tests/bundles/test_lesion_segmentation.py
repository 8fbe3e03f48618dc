# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math

import nibabel as nib
import numpy as np
import pytest

from monai_ethics.cohort import Bias, Cohort, Lesions, write_cohort

CONFIGS = ("train", "evaluate", "inference", "multi_gpu_train", "metadata")
ZOO_KEYS = (
    "version changelog monai_version pytorch_version numpy_version required_packages_version name task description "
    "authors copyright data_source data_type image_classes label_classes pred_classes eval_metrics intended_use "
    "references network_data_format"
)
MIB = 2**20


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    """8 training, 4 validation and 12 testing slices, made of the founders at hand."""
    folder = tmp_path_factory.mktemp("slices") / "data"
    splits = {"training": range(8), "validation": range(8, 12), "testing": range(12, 24)}
    write_cohort(Cohort(n=24, seed=50, lesions=Lesions(prevalence=0.8)), folder, splits=splits)
    return folder


@pytest.mark.parametrize("name", CONFIGS)
def test_the_bundle_knows_nothing_of_this_package(bundle, name):
    text = (bundle / "configs" / f"{name}.json").read_text(encoding="utf-8")
    if name == "metadata":
        text = text.replace("monai_ethics developers", "")
    assert "ethics" not in text


def test_the_bundle_has_the_layout_and_keys_of_the_zoo(bundle):
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert set(ZOO_KEYS.split()) <= set(metadata)
    assert metadata["version"] in metadata["changelog"]
    assert (bundle / "LICENSE").is_file()
    assert (bundle / "docs" / "README.md").is_file()
    assert (bundle / "models" / "model.pt").stat().st_size <= 3 * MIB


@pytest.mark.bundle
def test_monai_verifies_the_network_against_the_metadata(launch):
    out = launch(
        "verify_net_in_out",
        "network_def",
        meta_file="configs/metadata.json",
        config_file="configs/inference.json",
        n=4,
    )
    assert "verified with no error" in out


@pytest.mark.bundle
@pytest.mark.parametrize("config", ["configs/evaluate.json", "['configs/train.json','configs/evaluate.json']"])
@pytest.mark.parametrize("batch_size", [1, 5])
def test_it_evaluates_alone_and_as_an_overlay_with_any_batch_size(launch, scores, slices, tmp_path, config, batch_size):
    launch("run", config_file=config, dataset_dir=slices, output_dir=tmp_path, val_batch_size=batch_size)
    dice = scores(tmp_path)
    assert len(dice) == 12
    assert (tmp_path / "val_hd95_raw.csv").is_file()
    assert np.nanmean(list(dice.values())) > 0.7


@pytest.mark.bundle
def test_it_writes_a_mask_for_each_image(launch, slices, tmp_path):
    launch("run", config_file="configs/inference.json", dataset_dir=slices, output_dir=tmp_path)
    written = sorted(tmp_path.glob("*_lesion.nii.gz"))
    assert len(written) == 12
    mask, image = nib.load(written[0]), nib.load(slices / written[0].name.replace("_lesion", ""))
    assert mask.shape == image.shape
    assert np.allclose(mask.affine, image.affine)
    assert set(np.unique(mask.dataobj)) <= {0, 1}


@pytest.mark.bundle
def test_it_trains_and_the_same_seed_gives_the_same_weights(launch, slices, tmp_path):
    import torch

    weights = []
    for name in "ab":
        folder = tmp_path / name
        launch(
            "run",
            config_file="configs/train.json",
            dataset_dir=slices,
            ckpt_dir=folder,
            epochs=1,
            val_interval=1,
            train_batch_size=4,
        )
        weights.append(torch.load(folder / "model.pt", weights_only=True))
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


@pytest.mark.bundle
@pytest.mark.dist
def test_it_trains_on_two_ranks(launch, slices, tmp_path):
    launch(
        "run",
        config_file="['configs/train.json','configs/multi_gpu_train.json']",
        ranks=2,
        dataset_dir=slices,
        ckpt_dir=tmp_path,
        epochs=1,
        val_interval=1,
        train_batch_size=2,
    )
    assert (tmp_path / "model.pt").is_file()


def by_sex(cohort, dice):
    values = {"F": [], "M": []}
    for subject in cohort:
        score = dice[f"{subject.subject_id}_image.nii.gz"]
        if not math.isnan(score):
            values[str(subject.attributes["sex"])].append(score)
    return {sex: np.array(v) for sex, v in values.items()}


@pytest.mark.bundle
@pytest.mark.slow
def test_blob_lesions_are_found_and_only_a_biased_cohort_shows_a_gap(launch, scores, tmp_path):
    gaps = {}
    for contrast in (0.0, 0.5):
        cohort = Cohort(n=120, seed=7700, lesions=Lesions(prevalence=1.0), bias=Bias(contrast=contrast))
        data, out = tmp_path / f"data{contrast}", tmp_path / f"out{contrast}"
        write_cohort(cohort, data)
        launch("run", config_file="configs/evaluate.json", dataset_dir=data, output_dir=out)
        dice = by_sex(cohort, scores(out))
        gaps[contrast] = dice["M"].mean() - dice["F"].mean()
        print(f"contrast bias {contrast}:", {k: f"Dice {v.mean():.3f}, n {len(v)}" for k, v in dice.items()})
        if not contrast:
            assert np.concatenate(list(dice.values())).mean() >= 0.8
    assert abs(gaps[0.0]) < 0.03
    assert gaps[0.5] > 0.1
