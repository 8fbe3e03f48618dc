# SPDX-License-Identifier: Apache-2.0
"""Settings, properties and overlays of `EthicsWorkflow`: what is ours and what stays the bundle's."""

from __future__ import annotations

import pytest

from monai_ethics.errors import InputError

pytestmark = pytest.mark.slow


def test_check_properties_passes_as_it_does_without_us(base, write_bundle, fakes, make):
    from monai.bundle import ConfigWorkflow

    path = write_bundle(base)
    theirs = ConfigWorkflow(config_file=path, logging_file=False)
    theirs.initialize()
    ours = make(path)
    ours.initialize()
    assert ours.check_properties() == theirs.check_properties()


def test_a_later_property_set_is_rewritten_at_the_next_initialize(base, write_bundle, fakes, reached, make):
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


def test_a_property_set_after_initialize_is_rewritten_by_run(base, write_bundle, fakes, reached, make):
    workflow = make(write_bundle(base))
    workflow.initialize()
    workflow.parser["train::trainer::train_handlers"] = "@train::handlers"
    workflow.run()
    assert "train#trainer" in reached(fakes)


def test_an_engine_object_set_as_a_property_joins_when_it_starts(base, write_bundle, fakes, reached, make):
    from monai.bundle import ConfigWorkflow

    path = write_bundle(base)
    theirs = ConfigWorkflow(config_file=path, logging_file=False)
    theirs.initialize()
    workflow = make(path)
    workflow.initialize()
    workflow.trainer = theirs.trainer
    workflow.run()
    assert "train#trainer" in reached(fakes)


def test_our_attributes_never_reach_the_config(base, write_bundle, fakes, tmp_path, make):
    import json

    properties = tmp_path / "properties.json"
    item = {"description": "", "required": False, "id": "epochs"}
    properties.write_text(json.dumps({"train": {"version": item, "device": {**item, "id": "device"}}}))
    workflow = make(write_bundle(base), properties_path=str(properties))
    workflow.initialize()
    assert workflow.parser["epochs"] == 1
    assert workflow.parser["device"] == "$torch.device('cpu')"


def test_yaml_with_an_overlay_and_an_alias(base, write_bundle, fakes, reached, run):
    base["second"] = base["validate"]["evaluator"]  # dumped as a YAML alias
    overlay = {"train#trainer#max_epochs": 2, "+train#handlers": [{"_target_": "GarbageCollector"}]}
    overlay["run"] = ["$@train#trainer.run()", "$@second.run()"]
    files = write_bundle(base, overlay, suffix=".yaml")
    workflow = run(files)
    assert sorted(reached(fakes)) == ["second", "train#trainer", "validate#evaluator"]
    names = [type(h).__name__ for h in workflow.parser.get_parsed_content("train::trainer::train_handlers")]
    assert names[-2:] == ["GarbageCollector", "FakePart"]


def test_monais_own_tracking_is_kept(base, write_bundle, fakes, reached, run):
    settings = {
        "handlers_id": {"trainer": {"id": "train#trainer", "handlers": "train#handlers"}},
        "configs": {"trainer": {"_target_": "GarbageCollector"}, "save_execute_config": False},
    }
    workflow = run(write_bundle(base), tracking=settings)
    names = [type(h).__name__ for h in workflow.parser.get_parsed_content("train::trainer::train_handlers")]
    assert names == ["_Mark", "FakePart", "ValidationHandler", "StatsHandler", "GarbageCollector", "FakePart"]
    assert "train#trainer" in reached(fakes)


def test_settings_come_from_section_and_override(base, write_bundle, fakes, run):
    base["ethics"] = {"strata": "sex", "out": "$@output_dir + '/proof'", "attributes": "cases#1.tsv"}
    run(write_bundle(base), **{"ethics#strata": ("sex", "site"), "ethics::log": False, "epochs": 1})
    settings = fakes["sessions"][0].settings
    assert settings["out"] == "./eval/proof"
    assert settings["strata"] == ("sex", "site")
    assert settings["log"] is False
    assert settings["attributes"] == "cases#1.tsv"


def test_settings_without_a_section_raise_no_key_error(base, write_bundle, fakes, run):
    run(write_bundle(base), ethics={"out": "here"}, **{"ethics#attributes": "a.tsv"})
    assert fakes["sessions"][0].settings == {"out": "here", "attributes": "a.tsv"}


def test_an_override_named_like_a_setting_is_the_bundles(base, write_bundle, fakes, make):
    base["groups"], base["attributes"], base["out"] = 1, 1, 1
    workflow = make(write_bundle(base), groups=5, attributes=6, out=7)
    assert [workflow.parser[key] for key in ("groups", "attributes", "out")] == [5, 6, 7]


def test_a_bundles_own_ethics_item_is_left_to_it(base, write_bundle, fakes, capsys, run):
    base["ethics"] = "$'approved'"
    workflow = run(write_bundle(base))
    assert workflow.parser.get_parsed_content("ethics") == "approved"
    assert "left to it" in capsys.readouterr().err


def test_an_unknown_setting_is_one_sentence(base, write_bundle, fakes, make):
    with pytest.raises(InputError, match="Did you mean `attributes`"):
        make(write_bundle(base), **{"ethics#atributes": "x"})


def test_evidence_among_the_configs_is_refused(base, write_bundle, fakes, make):
    workflow = make(write_bundle(base), **{"ethics#out": "configs/evidence"})
    workflow.initialize()
    with pytest.raises(InputError, match="outside the bundle's configs"):
        workflow.run()
