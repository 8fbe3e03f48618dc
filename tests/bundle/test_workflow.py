# SPDX-License-Identifier: Apache-2.0
"""`EthicsWorkflow` on tiny bundles that reproduce the traps of the zoo, in this process and with stand-in handlers."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from monai_ethics.errors import InputError


def make(path, **kwargs):
    from monai_ethics.bundle.workflow import EthicsWorkflow

    return EthicsWorkflow(config_file=path, logging_file=False, **kwargs)


def run(path, **kwargs):
    workflow = make(path, **kwargs)
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    return workflow


def test_every_engine_gets_parts_of_its_own_first_and_last(base, write_bundle, fakes, reached):
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


def test_evidence_goes_to_the_output_folder_and_only_run_engines_are_expected(base, write_bundle, fakes):
    base["run"] = ["$@validate#evaluator.run()"]
    run(write_bundle(base))
    session = fakes["sessions"][0]
    assert Path(str(session.settings["out"])) == Path("eval/evidence")
    assert set(session.config["engines"]) == {"validate#evaluator"}
    assert session.config["engines"]["validate#evaluator"]["kind"] == "evaluate"
    assert "configs/train.json" in session.config["files"]
    assert "./eval" in session.config["outputs"]


def test_without_output_dir_evidence_goes_below_the_bundle(base, write_bundle, fakes):
    del base["output_dir"]
    run(write_bundle(base))
    assert Path(str(fakes["sessions"][0].settings["out"])) == Path("evidence")


def test_relative_ids_keep_their_level(base, write_bundle, fakes, reached):
    base["train"]["trainer"]["train_handlers"] = "@##handlers"
    run(write_bundle(base))
    assert sorted(reached(fakes)) == ["train#trainer", "validate#evaluator"]


def test_an_engine_from_another_file_by_macro(base, write_bundle, fakes, reached, tmp_path):
    import json

    other = tmp_path / "other.json"
    other.write_text(json.dumps({"ev": base["validate"]["evaluator"]}))
    base["evaluator"] = f"%{other}#ev"
    base["run"] = ["$@evaluator.run()"]
    run(write_bundle(base))
    assert reached(fakes) == ["evaluator"]


def test_an_engine_copied_by_macro_has_instances_of_its_own(base, write_bundle, fakes, reached):
    base["second"] = "%validate#evaluator"
    base["run"] = ["$@validate#evaluator.run()", "$@second.run()"]
    run(write_bundle(base))
    assert reached(fakes) == ["validate#evaluator", "second"]
    assert all(len(part.engines) == 1 for part in fakes["parts"])


@pytest.mark.parametrize("key", ["imports", "import"])
@pytest.mark.parametrize("value", ["$import os", ["$import os"]])
def test_imports_of_any_spelling(base, write_bundle, fakes, reached, key, value):
    del base["imports"]
    base[key] = value
    run(write_bundle(base))
    assert len(reached(fakes)) == 2


def test_an_engine_written_as_an_expression(base, write_bundle, fakes, reached):
    engine = base["validate"]["evaluator"]
    arguments = ", ".join(f"{k}={'@validate#evaluator_args#' + k}" for k in engine if k != "_target_")
    base["validate"]["evaluator_args"] = {k: v for k, v in engine.items() if k != "_target_"}
    base["validate"]["evaluator"] = f"$monai.engines.SupervisedEvaluator({arguments})"
    run(write_bundle(base))
    assert sorted(reached(fakes)) == ["train#trainer", "validate#evaluator"]


def test_an_engine_that_no_rule_finds_joins_when_it_starts(base, write_bundle, fakes, reached):
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


def test_the_word_import_in_an_engines_id_is_no_statement(base, write_bundle, fakes, reached):
    base["important"] = "%validate#evaluator"
    base["train"]["handlers"][0]["validator"] = "@important"
    run(write_bundle(base))
    assert sorted(reached(fakes)) == ["important", "train#trainer"]


def test_flat_keys_missing_run_and_inline_handlers(base, write_bundle, fakes, reached):
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
def test_sliced_none_and_single_handlers(base, write_bundle, fakes, reached, handlers):
    base["validate"]["evaluator"]["val_handlers"] = handlers
    run(write_bundle(base))
    assert "validate#evaluator" in reached(fakes)


def test_an_engine_without_a_handler_key(base, write_bundle, fakes, reached):
    del base["validate"]["evaluator"]["val_handlers"]
    run(write_bundle(base))
    assert "validate#evaluator" in reached(fakes)


def test_a_disabled_engine_is_neither_built_nor_expected(base, write_bundle, fakes, reached):
    base["validate"]["evaluator"]["_disabled_"] = True
    base["train"]["handlers"].pop(0)
    run(write_bundle(base))
    assert reached(fakes) == ["train#trainer"]


def test_a_disabled_handler_still_vanishes(base, write_bundle, fakes):
    base["train"]["handlers"][1]["_disabled_"] = True
    workflow = run(write_bundle(base))
    names = [type(h).__name__ for h in workflow.parser.get_parsed_content("train::trainer::train_handlers")]
    assert names == ["_Mark", "FakePart", "ValidationHandler", "FakePart"]


def test_check_properties_passes_as_it_does_without_us(base, write_bundle, fakes):
    from monai.bundle import ConfigWorkflow

    path = write_bundle(base)
    theirs = ConfigWorkflow(config_file=path, logging_file=False)
    theirs.initialize()
    ours = make(path)
    ours.initialize()
    assert ours.check_properties() == theirs.check_properties()


def test_a_later_property_set_is_rewritten_at_the_next_initialize(base, write_bundle, fakes, reached):
    workflow = make(write_bundle(base))
    workflow.initialize()
    workflow.max_epochs = 2
    workflow.parser["train::trainer::train_handlers"] = "@train::handlers"
    workflow.initialize()
    workflow.initialize()
    workflow.run()
    assert sorted(set(reached(fakes))) == ["train#trainer", "validate#evaluator"]
    assert workflow.trainer.state.max_epochs == 2
    assert sum(session.ended == [None] for session in fakes["sessions"]) == 1


def test_a_property_set_after_initialize_is_rewritten_by_run(base, write_bundle, fakes, reached):
    workflow = make(write_bundle(base))
    workflow.initialize()
    workflow.parser["train::trainer::train_handlers"] = "@train::handlers"
    workflow.run()
    assert "train#trainer" in reached(fakes)


def test_an_engine_object_set_as_a_property_joins_when_it_starts(base, write_bundle, fakes, reached):
    from monai.bundle import ConfigWorkflow

    path = write_bundle(base)
    theirs = ConfigWorkflow(config_file=path, logging_file=False)
    theirs.initialize()
    workflow = make(path)
    workflow.initialize()
    workflow.trainer = theirs.trainer
    workflow.run()
    assert "train#trainer" in reached(fakes)


def test_our_attributes_never_reach_the_config(base, write_bundle, fakes, tmp_path):
    import json

    properties = tmp_path / "properties.json"
    item = {"description": "", "required": False, "id": "epochs"}
    properties.write_text(json.dumps({"train": {"version": item, "device": {**item, "id": "device"}}}))
    workflow = make(write_bundle(base), properties_path=str(properties))
    workflow.initialize()
    assert workflow.parser["epochs"] == 1
    assert workflow.parser["device"] == "$torch.device('cpu')"


def test_yaml_with_an_overlay_and_an_alias(base, write_bundle, fakes, reached):
    base["second"] = base["validate"]["evaluator"]  # dumped as a YAML alias
    overlay = {"train#trainer#max_epochs": 2, "+train#handlers": [{"_target_": "GarbageCollector"}]}
    overlay["run"] = ["$@train#trainer.run()", "$@second.run()"]
    files = write_bundle(base, overlay, suffix=".yaml")
    workflow = run(files)
    assert sorted(reached(fakes)) == ["second", "train#trainer", "validate#evaluator"]
    names = [type(h).__name__ for h in workflow.parser.get_parsed_content("train::trainer::train_handlers")]
    assert names[-2:] == ["GarbageCollector", "FakePart"]


def test_monais_own_tracking_is_kept(base, write_bundle, fakes, reached):
    settings = {
        "handlers_id": {"trainer": {"id": "train#trainer", "handlers": "train#handlers"}},
        "configs": {"trainer": {"_target_": "GarbageCollector"}, "save_execute_config": False},
    }
    workflow = run(write_bundle(base), tracking=settings)
    names = [type(h).__name__ for h in workflow.parser.get_parsed_content("train::trainer::train_handlers")]
    assert names == ["_Mark", "FakePart", "ValidationHandler", "StatsHandler", "GarbageCollector", "FakePart"]
    assert "train#trainer" in reached(fakes)


def test_settings_come_from_section_and_override(base, write_bundle, fakes):
    base["ethics"] = {"strata": "sex", "out": "$@output_dir + '/proof'", "attributes": "cases#1.tsv"}
    run(write_bundle(base), **{"ethics#strata": ("sex", "site"), "ethics::log": False, "epochs": 1})
    settings = fakes["sessions"][0].settings
    assert settings["out"] == "./eval/proof"
    assert settings["strata"] == ("sex", "site")
    assert settings["log"] is False
    assert settings["attributes"] == "cases#1.tsv"


def test_settings_without_a_section_raise_no_key_error(base, write_bundle, fakes):
    run(write_bundle(base), ethics={"out": "here"}, **{"ethics#attributes": "a.tsv"})
    assert fakes["sessions"][0].settings == {"out": "here", "attributes": "a.tsv"}


def test_an_override_named_like_a_setting_is_the_bundles(base, write_bundle, fakes):
    base["groups"], base["attributes"], base["out"] = 1, 1, 1
    workflow = make(write_bundle(base), groups=5, attributes=6, out=7)
    assert [workflow.parser[key] for key in ("groups", "attributes", "out")] == [5, 6, 7]


def test_a_bundles_own_ethics_item_is_left_to_it(base, write_bundle, fakes, capsys):
    base["ethics"] = "$'approved'"
    workflow = run(write_bundle(base))
    assert workflow.parser.get_parsed_content("ethics") == "approved"
    assert "left to it" in capsys.readouterr().err


def test_an_unknown_setting_is_one_sentence(base, write_bundle, fakes):
    with pytest.raises(InputError, match="Did you mean `attributes`"):
        make(write_bundle(base), **{"ethics#atributes": "x"})


def test_evidence_among_the_configs_is_refused(base, write_bundle, fakes):
    workflow = make(write_bundle(base), **{"ethics#out": "configs/evidence"})
    workflow.initialize()
    with pytest.raises(InputError, match="outside the bundle's configs"):
        workflow.run()


def test_a_failing_run_is_finished_and_finalized_and_its_error_propagates(base, write_bundle, fakes):
    base["run"] = ["$@train#trainer.run()", "$1 / 0"]
    base["finalize"] = ["$open('finalized', 'w').close()"]
    workflow = make(write_bundle(base))
    workflow.initialize()
    with pytest.raises(RuntimeError, match="Failed to evaluate"):
        workflow.run()
    assert Path("finalized").exists()
    assert [type(error).__name__ for error in fakes["sessions"][0].ended] == ["RuntimeError"]


def test_a_bundle_that_cannot_be_built_leaves_evidence_too(base, write_bundle, fakes):
    base["initialize"] = ["$1 / 0"]
    workflow = make(write_bundle(base))
    with pytest.raises(RuntimeError, match="Failed to evaluate"):
        workflow.initialize()
    assert [type(error).__name__ for error in fakes["sessions"][0].ended] == ["RuntimeError"]


def test_our_own_error_is_not_wrapped_by_the_host(base, write_bundle, fakes, monkeypatch):
    from monai_ethics.bundle import injector

    class Refusing:
        def attach(self, engine):
            raise InputError("One sentence.")

    monkeypatch.setattr(injector, "ethics_parts", lambda *_: ((Refusing(),), ()))
    workflow = make(write_bundle(base))
    workflow.initialize()
    with pytest.raises(InputError, match="One sentence"):
        workflow.run()
    assert [type(error).__name__ for error in fakes["sessions"][0].ended] == ["InputError"]


def test_a_failing_finalization_does_not_hide_the_error(base, write_bundle, fakes, capsys):
    base["run"] = ["$1 / 0"]
    base["finalize"] = ["$[][0]"]
    workflow = make(write_bundle(base))
    workflow.initialize()
    with pytest.raises(RuntimeError, match="1 / 0"):
        workflow.run()
    assert "RuntimeError came up" in capsys.readouterr().err


def test_the_watch_is_gone_after_the_run(base, write_bundle, fakes):
    from ignite.engine import Engine

    before = Engine.run
    run(write_bundle(base))
    assert Engine.run is before


def test_a_workflow_class_of_the_bundles_own_is_wrapped(base, write_bundle, fakes, reached):
    from monai.bundle import ConfigWorkflow

    from monai_ethics.bundle.workflow import EthicsWorkflow, ethics_workflow

    class Own(ConfigWorkflow):
        def __init__(self, config_file, **override):
            super().__init__(config_file, logging_file=False, **override)
            self.initialize()

        def run(self):
            logging.getLogger("own").info("own run")
            self.seen = True
            return super().run()

    wrapped = ethics_workflow(Own)
    assert ethics_workflow(wrapped) is wrapped
    assert ethics_workflow(ConfigWorkflow) is EthicsWorkflow
    workflow = wrapped(write_bundle(base), **{"ethics#out": "here"})
    workflow.run()
    assert workflow.seen
    assert sorted(reached(fakes)) == ["train#trainer", "validate#evaluator"]
    assert fakes["sessions"][-1].config["workflow"].endswith("Own")


def test_generative_inference_without_an_engine_gets_its_saver_wrapped(base, write_bundle, fakes, reached):
    config = {key: base[key] for key in ("imports", "bundle_root", "output_dir")}
    config["saver"] = {"_target_": "SaveImage", "output_dir": "@output_dir", "print_log": False}
    config["folder"] = "@saver#output_dir"
    config["run"] = ["$@saver(torch.zeros(1, 8, 8, 8))", "$len(@folder)"]
    workflow = run(write_bundle(config))
    assert reached(fakes) == []
    assert [Path(path).name for path in fakes["sessions"][0].files] == ["0_trans.nii.gz"]
    assert Path("eval/0/0_trans.nii.gz.prov.json").exists()
    assert workflow.ethics_exit_code == 0


def test_what_a_generators_script_saves_itself_is_marked(base, write_bundle, fakes):
    config = {key: base[key] for key in ("imports", "bundle_root", "output_dir")}
    config["imports"] += ["$import pathlib", "$import numpy as np"]
    config["made"] = "$pathlib.Path(@output_dir).mkdir()"
    config["net"] = {"_target_": "monai.networks.schedulers.DDIMScheduler", "num_train_timesteps": 2}
    config["run"] = [
        "$@made",
        "$[@net, np.save(@output_dir + '/image.npy', np.eye(3))]",
        "$pathlib.Path(@output_dir + '/log.txt').write_text('')",
    ]
    run(write_bundle(config))
    assert [path.name for path in fakes["sessions"][0].files] == ["image.npy"]
    assert Path("eval/image.npy.prov.json").exists()


def test_launchers_that_run_the_engines_themselves_finish_in_finalize(base, write_bundle, fakes):
    workflow = make(write_bundle(base))
    workflow.initialize()
    workflow.trainer.run()
    fakes["sessions"][-1].start()
    workflow.finalize()
    assert fakes["sessions"][-1].ended == [None]


def test_the_bundles_files_stay_as_they_are(base, write_bundle, fakes):
    path = Path(write_bundle(base))
    before = path.read_bytes()
    run(str(path))
    assert path.read_bytes() == before
