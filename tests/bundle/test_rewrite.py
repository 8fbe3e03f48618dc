# SPDX-License-Identifier: Apache-2.0
"""The rewrite puts ours on every engine and leaves the bundle's own items alone (plain dicts, nothing is built)."""

from __future__ import annotations

import copy

from monai_ethics.bundle.names import INJECTOR
from monai_ethics.bundle.rewrite import own_id, rewrite, wrap_savers


def ours(engine_id):
    return f"${INJECTOR}.handlers('{engine_id}', @{own_id(engine_id)})"


def bundle(**changes):
    config = {
        "train": {
            "handlers": [{"_target_": "StatsHandler"}],
            "trainer": {"_target_": "SupervisedTrainer", "train_handlers": "@train::handlers"},
        },
        "validate": {
            "handlers": [{"_target_": "StatsHandler"}],
            "evaluator": {"_target_": "SupervisedEvaluator", "val_handlers": "@validate::handlers"},
        },
        "run": ["$@train::trainer.run()"],
    }
    return {**config, **changes}


def test_the_old_expression_moves_to_an_id_of_its_own_and_the_key_stays_an_expression():
    config = bundle()
    assert rewrite(config)
    assert config["train"]["trainer"]["train_handlers"] == ours("train::trainer")
    assert config[own_id("train::trainer")] == "@train::handlers"
    assert config["validate"]["evaluator"]["val_handlers"] == ours("validate::evaluator")


def test_the_bundles_handler_lists_are_never_touched():
    config, untouched = bundle(), bundle()
    rewrite(config)
    assert config["train"]["handlers"] == untouched["train"]["handlers"]
    assert config["validate"]["handlers"] == untouched["validate"]["handlers"]


def test_a_second_rewrite_changes_nothing():
    config = bundle()
    rewrite(config)
    once = copy.deepcopy(config)
    assert not rewrite(config)
    assert config == once


def test_rank_slicing_stays_inside_the_moved_expression():
    config = bundle()
    sliced = "$@train::handlers[: -2 if dist.get_rank() > 0 else None]"
    config["train"]["trainer"]["train_handlers"] = sliced
    config["validate"]["evaluator"]["val_handlers"] = "$None if dist.get_rank() > 0 else @validate::handlers"
    rewrite(config)
    assert config[own_id("train::trainer")] == sliced
    assert config["train"]["trainer"]["train_handlers"] == ours("train::trainer")
    assert config["validate"]["evaluator"]["val_handlers"] == ours("validate::evaluator")


def test_an_engine_without_handlers_gets_ours():
    config = {
        "trainer": {"_target_": "GanTrainer"},
        "evaluator": {"_target_": "SupervisedEvaluator", "val_handlers": None},
    }
    rewrite(config)
    assert config["trainer"]["train_handlers"] == ours("trainer")
    assert config[own_id("trainer")] is None
    assert config["evaluator"]["val_handlers"] == ours("evaluator")


def test_inline_handlers_move_and_references_to_them_follow():
    config = {
        "evaluator": {"_target_": "SupervisedEvaluator", "val_handlers": [{"_target_": "StatsHandler"}]},
        "second": {"_target_": "SupervisedEvaluator", "val_handlers": "@evaluator::val_handlers"},
        "first_handler": "@evaluator#val_handlers#0",
        "count": "$len(@evaluator::val_handlers) + @evaluator::val_handlers_extra",
    }
    rewrite(config)
    own = own_id("evaluator")
    assert config[own] == [{"_target_": "StatsHandler"}]
    assert config["first_handler"] == f"@{own}::0"
    assert config["count"] == f"$len(@{own}) + @evaluator::val_handlers_extra"
    assert config[own_id("second")] == f"@{own}"  # the bundle's list, not ours
    assert config["second"]["val_handlers"] == ours("second")


def test_a_later_property_set_is_rewritten_again():
    config = bundle()
    rewrite(config)
    config["train"]["trainer"]["train_handlers"] = "@other"
    assert rewrite(config)
    assert config["train"]["trainer"]["train_handlers"] == ours("train::trainer")
    assert config[own_id("train::trainer")] == "@other"


def test_a_copy_of_a_rewritten_engine_gets_instances_of_its_own():
    config = bundle()
    rewrite(config)
    config["again"] = copy.deepcopy(config["validate"]["evaluator"])
    rewrite(config)
    assert config["again"]["val_handlers"] == ours("again")
    assert config[own_id("again")] == "@validate::handlers"


def test_one_dict_at_two_places_becomes_two_engines():
    engine = {"_target_": "SupervisedEvaluator", "val_handlers": "@handlers"}
    section = {"evaluator": engine}
    config = {"a": section, "b": section, "c": engine, "handlers": []}
    rewrite(config)
    for place, key in (("a", "a::evaluator"), ("b", "b::evaluator")):
        assert config[place]["evaluator"]["val_handlers"] == ours(key)
    assert config["c"]["val_handlers"] == ours("c")


def test_disabled_engines_and_unknown_signatures_stay_as_they_are():
    config = {"a": {"_target_": "SupervisedTrainer", "_disabled_": "true"}, "b": {"_target_": "lib.Trainer"}}
    before = copy.deepcopy(config)
    assert not rewrite(config)
    assert config == before


def test_an_engine_in_an_expression_is_rewritten_within_it():
    config = {
        "trainer": "$SupervisedTrainer(max_epochs=1, train_handlers = @handlers[:-1], loss=@loss)",
        "bare": "$monai.engines.SupervisedEvaluator(@device, val_data_loader=@loader,)",
        "both": "$[GanTrainer(é='é', train_handlers=(@h)), GanTrainer()]",
        "spread": "$SupervisedTrainer(**@arguments)",
    }
    assert rewrite(config)
    assert config["trainer"] == (
        f"$SupervisedTrainer(max_epochs=1, train_handlers ={INJECTOR}.handlers('trainer', @handlers[:-1]), loss=@loss)"
    )
    assert config["bare"] == (
        "$monai.engines.SupervisedEvaluator(@device, val_data_loader=@loader,"
        f"val_handlers={INJECTOR}.handlers('bare', None))"
    )
    assert config["both"] == (
        f"$[GanTrainer(é='é', train_handlers={INJECTOR}.handlers('both', (@h))), "
        f"GanTrainer(train_handlers={INJECTOR}.handlers('both(1)', None))]"
    )
    assert config["spread"] == "$SupervisedTrainer(**@arguments)"
    assert not rewrite(config)


def test_ids_of_two_engines_never_share_an_item():
    names = ["a::b", "a__b", "a_b", "a-b", "a b", "a::b(1)"]
    assert len({own_id(name) for name in names}) == len(names)


def test_savers_named_in_the_run_are_wrapped_under_an_id_of_their_own():
    config = {
        "saver": {"_target_": "SaveImage", "output_dir": "x"},
        "unused": {"_target_": "SaveImage"},
        "where": "@saver::output_dir",
        "run": ["$@inferer.run(@noise, @saver)"],
    }
    assert wrap_savers(config) == ["saver"]
    own = own_id("saver", prefix="ethics_saver")
    assert config["saver"] == f"${INJECTOR}.saver(@{own}, 'unknown')"
    assert config["where"] == f"@{own}::output_dir"
    assert config["unused"] == {"_target_": "SaveImage"}
    assert wrap_savers(config) == []
    generative = {"saver": {"_target_": "SaveImage"}, "net": {"_target_": "DiffusionModelUNet"}}
    wrap_savers({**generative, "run": "$1"})
    generative["run"] = "$@inferer.run(@net, @saver)"
    wrap_savers(generative)
    assert generative["saver"].endswith("'yes')")
