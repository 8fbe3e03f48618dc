# SPDX-License-Identifier: Apache-2.0
"""Engines are found in an unbuilt config, by rule and without evaluating anything."""

from __future__ import annotations

import pytest

from monai_ethics.bundle.engines import find_engines, is_rank_dependent, references


def ids(config, **kwargs):
    return {ref.id: ref for ref in find_engines(config, **kwargs)}


TRAIN = {
    "train": {"trainer": {"_target_": "SupervisedTrainer", "train_handlers": "@train::handlers"}},
    "validate": {"evaluator": {"_target_": "SupervisedEvaluator", "val_handlers": "@validate::handlers"}},
    "run": ["$@train::trainer.run()"],
}


def test_zoo_names_are_found_and_classified():
    found = ids(TRAIN)
    assert {key: ref.kind for key, ref in found.items()} == {
        "train::trainer": "train",
        "validate::evaluator": "validate",
    }
    assert found["train::trainer"].handlers == "@train::handlers"


def test_an_evaluator_that_the_run_starts_evaluates_even_beside_a_trainer():
    found = ids({**TRAIN, "run": ["$@validate#evaluator.run()"]})
    assert found["validate::evaluator"].kind == "evaluate"


def test_a_missing_run_is_another_run_id():
    config = {key: value for key, value in TRAIN.items() if key != "run"}
    assert ids(config)["validate::evaluator"].kind == "evaluate"
    assert ids({**config, "training": TRAIN["run"]}, run_id="training")["validate::evaluator"].kind == "validate"


def test_flat_keys_are_found():
    config = {
        "trainer": {"_target_": "SupervisedTrainer", "train_handlers": "@handlers"},
        "evaluator": {"_target_": "SupervisedEvaluator", "val_handlers": [{"_target_": "StatsHandler"}]},
        "training": ["$@trainer.run()"],
    }
    assert set(ids(config, run_id="training")) == {"trainer", "evaluator"}


@pytest.mark.parametrize(
    "target",
    [
        "GanTrainer",
        "scripts.monai_utils.SupervisedTrainerMGPU",
        "scripts.trainer.Vista3dTrainer",
        "monai.engines.EnsembleEvaluator",
        "$monai.engines.SupervisedEvaluator",
    ],
)
def test_a_class_of_any_home_is_found_by_the_end_of_its_name(target):
    assert set(ids({"x": [{"_target_": target}]})) == {"x::0"}


@pytest.mark.parametrize("target", ["TrainerConfig", "EvaluatorFactory", "SaveImage", "torch.optim.Adam"])
def test_other_classes_are_no_engines(target):
    assert not ids({"x": {"_target_": target}})


def test_a_handler_key_is_added_only_where_the_signature_is_known():
    config = {"a": {"_target_": "GanTrainer"}, "b": {"_target_": "lib.Trainer"}, "c": {"_target_": "lib.MyEvaluator"}}
    found = ids(config)
    assert found["a"].handlers_key == "train_handlers"
    assert found["b"].handlers_key is None
    assert not found["c"].rewritable


def test_none_expression_is_no_key_metric():
    config = {
        "a": {"_target_": "GanTrainer", "key_train_metric": "$None"},
        "b": {"_target_": "SupervisedEvaluator", "key_val_metric": "@metric"},
    }
    found = ids(config)
    assert not found["a"].key_metric
    assert found["b"].key_metric


def test_disabled_engines_are_found_but_not_rewritten():
    found = ids({"a": {"_target_": "SupervisedTrainer", "_disabled_": True}})
    assert not found["a"].rewritable


def test_an_engine_written_as_an_expression_is_found():
    text = "$SupervisedTrainer(max_epochs=@epochs, device=@device, train_handlers=@handlers, key_train_metric=None)"
    ref = ids({"trainer": text})["trainer"]
    assert (ref.form, ref.handlers_key, ref.handlers, ref.key_metric) == (
        "expression",
        "train_handlers",
        "$@handlers",
        False,
    )


def test_metadata_and_broken_expressions_are_ignored():
    config = {
        "_meta_": {"x": {"_target_": "SupervisedTrainer"}},
        "y": "$SupervisedTrainer(",
        "z": "SupervisedTrainer()",
    }
    assert not ids(config)


def test_rank_dependent_handlers_are_recognized():
    assert is_rank_dependent("$None if dist.get_rank() > 0 else @validate::handlers")
    assert is_rank_dependent("$@train#handlers[: -2 if dist.get_rank() > 0 else None]")
    assert not is_rank_dependent("@train#handlers")


def test_references_are_read_from_expressions_and_plain_ids():
    assert references(["$@a#b.run(@c)", "@d", "x@e"]) == {"a::b", "c", "d"}
