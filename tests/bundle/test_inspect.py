# SPDX-License-Identifier: Apache-2.0
"""`inspect` predicts from the text of a config and evaluates nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_ethics.__main__ import main
from monai_ethics.bundle.inspect import inspect_config
from monai_ethics.errors import InputError


def test_the_zoos_names_are_predicted_and_nothing_is_evaluated(base, write_bundle, capsys):
    base["imports"].append("$open('touched', 'w')")
    path = write_bundle(base)
    assert main(["inspect", path]) == 0
    out = capsys.readouterr().out
    assert "train#trainer: train, SupervisedTrainer, built by this run; reached in the config; no key metric" in out
    assert "validate#evaluator: validate, SupervisedEvaluator, built by this run" in out
    assert "way: python -m monai_ethics run\n" in out
    assert not Path("touched").exists()


def test_a_missing_run_names_the_run_id(base, write_bundle, capsys):
    base["evaluating"] = ["$@validate#evaluator.run()"]
    del base["run"]
    assert main(["inspect", write_bundle(base), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["way"] == "python -m monai_ethics run evaluating"
    assert [one["built"] for one in found["engines"]] == [False, True]
    base["training"] = ["$@train#trainer.run()"]
    assert "RUN_ID, with one of: evaluating, training" in inspect_config(base).way


def test_rank_slicing_and_tracking_are_told():
    config = {
        "a": {"_target_": "SupervisedTrainer", "train_handlers": "$@h[: -2 if dist.get_rank() > 0 else None]"},
        "b": {"_target_": "SupervisedEvaluator", "val_handlers": "@h"},
        "c": {"_target_": "lib.MyEvaluator"},
        "d": {"_target_": "SupervisedEvaluator", "_disabled_": True, "val_handlers": [1]},
        "run": ["$@a.run()"],
    }
    found = {one.engine: one for one in inspect_config(config).engines}
    assert (found["a"].every_rank, found["a"].tracking) == (False, False)
    assert (found["b"].every_rank, found["b"].tracking) == (True, True)
    assert [found[name].reach for name in "abcd"] == ["in the config", "in the config", "when it starts", "disabled"]


def test_generative_inference_is_told_about_its_saver():
    config = {"saver": {"_target_": "SaveImage"}, "run": ["$@sampler.run(@noise, @saver)"]}
    found = inspect_config(config)
    assert found.savers == ("saver",)
    assert "wrap_saver" in found.way
    assert "recorded" in inspect_config({"run": ["$@sampler.run()"]}).way


@pytest.mark.parametrize("text", ["{", '{"a": "%nowhere#b"}', "[1]"])
def test_unusable_configs_are_one_sentence(tmp_path, text):
    from monai_ethics.bundle.loading import load_config

    path = tmp_path / "train.json"
    path.write_text(text)
    with pytest.raises(InputError, match="bundle configs that fit together"):
        load_config([path])


def test_a_missing_config_is_one_sentence(tmp_path, capsys):
    assert main(["inspect", str(tmp_path / "none.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
