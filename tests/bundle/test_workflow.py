# SPDX-License-Identifier: Apache-2.0
"""`EthicsWorkflow` on tiny bundles that reproduce the traps of the zoo, in this process and with stand-in handlers."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_every_engine_gets_parts_of_its_own_first_and_last(base, write_bundle, fakes, reached, run):
    workflow = run(write_bundle(base))
    assert sorted(reached(fakes)) == ["train#trainer", "validate#evaluator"]
    handlers = workflow.parser.get_parsed_content("train::trainer::train_handlers")
    assert [type(h).__name__ for h in handlers] == [
        "_Mark",
        "FakePart",
        "ValidationHandler",
        "StatsHandler",
        "FakePart",
    ]
    assert len(fakes["sessions"]) == 1
    assert fakes["sessions"][0].ended == [None]


def test_evidence_goes_to_the_output_folder_and_only_run_engines_are_expected(base, write_bundle, fakes, run):
    base["run"] = ["$@validate#evaluator.run()"]
    run(write_bundle(base))
    session = fakes["sessions"][0]
    assert Path(str(session.settings["out"])) == Path("eval/evidence")
    assert set(session.config["engines"]) == {"validate#evaluator"}
    assert session.config["engines"]["validate#evaluator"]["kind"] == "evaluate"
    assert "configs/train.json" in session.config["files"]
    assert "./eval" in session.config["outputs"]


def test_without_output_dir_evidence_goes_below_the_bundle(base, write_bundle, fakes, run):
    del base["output_dir"]
    run(write_bundle(base))
    assert Path(str(fakes["sessions"][0].settings["out"])) == Path("evidence")


def test_relative_ids_keep_their_level(base, write_bundle, fakes, reached, run):
    base["train"]["trainer"]["train_handlers"] = "@##handlers"
    run(write_bundle(base))
    assert sorted(reached(fakes)) == ["train#trainer", "validate#evaluator"]


def test_an_engine_from_another_file_by_macro(base, write_bundle, fakes, reached, tmp_path, run):
    import json

    other = tmp_path / "other.json"
    other.write_text(json.dumps({"ev": base["validate"]["evaluator"]}))
    base["evaluator"] = f"%{other}#ev"
    base["run"] = ["$@evaluator.run()"]
    run(write_bundle(base))
    assert reached(fakes) == ["evaluator"]


def test_an_engine_copied_by_macro_has_instances_of_its_own(base, write_bundle, fakes, reached, run):
    base["second"] = "%validate#evaluator"
    base["run"] = ["$@validate#evaluator.run()", "$@second.run()"]
    run(write_bundle(base))
    assert reached(fakes) == ["validate#evaluator", "second"]
    assert all(len(part.engines) == 1 for part in fakes["parts"])


@pytest.mark.parametrize("key", ["imports", "import"])
@pytest.mark.parametrize("value", ["$import os", ["$import os"]])
def test_imports_of_any_spelling(base, write_bundle, fakes, reached, key, value, run):
    del base["imports"]
    base[key] = value
    run(write_bundle(base))
    assert len(reached(fakes)) == 2


def test_an_engine_written_as_an_expression(base, write_bundle, fakes, reached, run):
    engine = base["validate"]["evaluator"]
    arguments = ", ".join(f"{k}={'@validate#evaluator_args#' + k}" for k in engine if k != "_target_")
    base["validate"]["evaluator_args"] = {k: v for k, v in engine.items() if k != "_target_"}
    base["validate"]["evaluator"] = f"$monai.engines.SupervisedEvaluator({arguments})"
    run(write_bundle(base))
    assert sorted(reached(fakes)) == ["train#trainer", "validate#evaluator"]


def test_an_engine_that_no_rule_finds_joins_when_it_starts(base, write_bundle, fakes, reached, run):
    engine = base["validate"].pop("evaluator")
    base["maker"] = {**engine, "_mode_": "callable", "_target_": "scripts_of_the_bundle.build"}
    base["validate"]["evaluator"] = "$@maker()"
    path = write_bundle(base)
    Path("scripts_of_the_bundle.py").write_text(
        "from monai.engines import SupervisedEvaluator\n\n\n"
        "def build(**kwargs):\n    return SupervisedEvaluator(**kwargs)\n"
    )
    import sys

    sys.path.insert(0, ".")
    run(path)
    assert sorted(reached(fakes)) == ["train#trainer", "validate#evaluator"]


def test_the_word_import_in_an_engines_id_is_no_statement(base, write_bundle, fakes, reached, run):
    base["important"] = "%validate#evaluator"
    base["train"]["handlers"][0]["validator"] = "@important"
    run(write_bundle(base))
    assert sorted(reached(fakes)) == ["important", "train#trainer"]


def test_flat_keys_missing_run_and_inline_handlers(base, write_bundle, fakes, reached, run):
    flat = {k: v for k, v in base.items() if k not in ("train", "validate", "run")}
    trainer = {**base["train"]["trainer"], "train_handlers": "@handlers", "train_data_loader": "@loader"}
    trainer["inferer"] = {"_target_": "SimpleInferer"}
    trainer["key_train_metric"] = "$None"
    evaluator = {
        **base["validate"]["evaluator"],
        "val_data_loader": "@loader",
        "inferer": {"_target_": "SimpleInferer"},
    }
    evaluator["key_val_metric"] = base["validate"]["key_metric"]
    evaluator["val_handlers"] = [{"_target_": "StatsHandler", "output_transform": "$lambda x: None"}]
    flat.update(
        loader={"_target_": "DataLoader", "dataset": {"_target_": "Dataset", "data": "@items"}, "batch_size": 2},
        handlers=[{"_target_": "ValidationHandler", "validator": "@evaluator", "interval": 1}],
        trainer=trainer,
        evaluator=evaluator,
        training=["$@trainer.run()"],
    )
    run(write_bundle(flat), run_id="training")
    assert sorted(reached(fakes)) == ["evaluator", "trainer"]
    assert fakes["sessions"][0].config["engines"]["trainer"]["key_metric"] is False


@pytest.mark.parametrize(
    "handlers",
    [
        "$@validate#handlers[: -1 if os.environ.get('NO_SUCH') is None else None]",
        "$None if os.environ.get('NO_SUCH') is None else @validate#handlers",
        "$None",
        None,
        {"_target_": "StatsHandler", "iteration_log": False},
    ],
)
def test_sliced_none_and_single_handlers(base, write_bundle, fakes, reached, handlers, run):
    base["validate"]["evaluator"]["val_handlers"] = handlers
    run(write_bundle(base))
    assert "validate#evaluator" in reached(fakes)


def test_an_engine_without_a_handler_key(base, write_bundle, fakes, reached, run):
    del base["validate"]["evaluator"]["val_handlers"]
    run(write_bundle(base))
    assert "validate#evaluator" in reached(fakes)


def test_a_disabled_engine_is_neither_built_nor_expected(base, write_bundle, fakes, reached, run):
    base["validate"]["evaluator"]["_disabled_"] = True
    base["train"]["handlers"].pop(0)
    run(write_bundle(base))
    assert reached(fakes) == ["train#trainer"]


def test_a_disabled_handler_still_vanishes(base, write_bundle, fakes, run):
    base["train"]["handlers"][1]["_disabled_"] = True
    workflow = run(write_bundle(base))
    names = [type(h).__name__ for h in workflow.parser.get_parsed_content("train::trainer::train_handlers")]
    assert names == ["_Mark", "FakePart", "ValidationHandler", "FakePart"]
