# SPDX-License-Identifier: Apache-2.0
"""The launcher reads its words as MONAI's own does, and its exit code tells what happened."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest


def launch(*words):
    from monai_ethics.bundle.launch import launch as run

    return run([*words, "--logging_file", "False"])


@pytest.fixture(autouse=True)
def _quiet():
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="parsing config_file")
        yield


def probe(base, **items):
    """A config whose run writes what it was given."""
    base.update(items)
    base["imports"].append("$import pathlib")
    base["run"] = ["$@validate#evaluator.run()", "$pathlib.Path('seen').write_text(repr([@lr, @name]))"]
    return base


def test_fire_literals_and_overrides_mean_what_they_mean_to_monai(base, write_bundle, fakes):
    path = write_bundle(probe(base, lr=1, name="a"))
    assert launch("--config_file", path, "--lr", "1e-3", "--name", "[1, 'x']", "--optimizer#lr=0.5") == 0
    assert Path("seen").read_text() == "[0.001, [1, 'x']]"


def test_the_run_id_is_the_first_positional(base, write_bundle, fakes):
    base["evaluating"] = ["$@validate#evaluator.run()"]
    del base["run"]
    assert launch("evaluating", "--config_file", write_bundle(base)) == 0
    assert fakes["sessions"][0].config["run_id"] == "evaluating"


def test_several_configs_and_an_args_file(base, write_bundle, fakes, reached):
    files = write_bundle(base, {"run": ["$@validate#evaluator.run()"], "lr": 2})
    arguments = {"config_file": files, "run_id": "run", "ethics": {"out": "proof"}, "ethics#strata": "sex"}
    Path("args.json").write_text(json.dumps(arguments))
    assert launch("--args_file", "args.json", "--ethics#policy", "p") == 0
    assert fakes["sessions"][0].settings == {"out": "proof", "strata": "sex", "policy": "p"}
    assert reached(fakes) == ["validate#evaluator"]
    assert launch("--config_file", str(files)) == 0  # a Fire list


def test_short_flags_are_settings_unless_the_bundle_uses_the_name(base, write_bundle, fakes, capsys):
    base["policy"] = "cosine"
    workflow = launch(
        "--config_file", write_bundle(base), "--policy", "linear", "--attributes", "a.tsv", "--strata", "sex,site"
    )
    assert workflow == 0
    assert fakes["sessions"][0].settings["attributes"] == "a.tsv"
    assert fakes["sessions"][0].settings["strata"] == ("sex", "site")
    assert "policy" not in fakes["sessions"][0].settings
    assert "`--policy` is an item of this bundle" in capsys.readouterr().err


def test_the_bundles_error_propagates_after_the_evidence(base, write_bundle, fakes):
    base["run"] = ["$1 / 0"]
    with pytest.raises(RuntimeError, match="Failed to evaluate"):
        launch("--config_file", write_bundle(base))
    assert [type(error) for error in fakes["sessions"][0].ended] == [RuntimeError]


def test_a_missing_config_gets_monais_own_message(fakes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="Cannot find the config file"):
        launch("--config_file", "configs/none.json")


def test_an_unknown_workflow_gets_monais_own_message(base, write_bundle, fakes):
    with pytest.raises(ValueError, match="cannot locate specified workflow class"):
        launch("--config_file", write_bundle(base), "--workflow_name", "no_such_module.Workflow")


def test_help_is_fires_own(capsys):
    import fire

    from monai_ethics.bundle.launch import launch as run

    with pytest.raises(fire.core.FireExit) as stop:
        run(["--help"])
    assert stop.value.code == 0
    assert "config_file" in capsys.readouterr().err


OWN = """
from monai.bundle import BundleWorkflow, ConfigWorkflow

class Configured(ConfigWorkflow):
    def run(self):
        with open("own", "w"):
            pass
        return super().run()

class Pure(BundleWorkflow):
    def __init__(self, config_file=None, size=1, **kwargs):
        super().__init__(workflow_type="train")
        self.size, self.kwargs = size, kwargs
    def initialize(self):
        pass
    def run(self):
        with open("pure", "w") as file:
            file.write(f"{self.size} {sorted(self.kwargs)}")
    def finalize(self):
        pass
    def _get_property(self, name, property):
        raise AttributeError(name)
    def _set_property(self, name, property, value):
        raise AttributeError(name)
"""


def test_a_config_workflow_of_the_bundles_own_is_wrapped(base, write_bundle, fakes, reached, monkeypatch):
    path = write_bundle(base)
    Path("own_workflow_a.py").write_text(OWN)
    monkeypatch.syspath_prepend(".")
    assert launch("--config_file", path, "--workflow_name", "own_workflow_a.Configured") == 0
    assert Path("own").exists()
    assert len(reached(fakes)) == 2


def test_another_workflow_class_is_recorded_only(write_bundle, base, fakes, monkeypatch, capsys):
    from monai_ethics.bundle import launch as module

    monkeypatch.setattr(module, "new_session", sys.modules["monai_ethics.bundle.workflow"].new_session)
    write_bundle(base)
    Path("own_workflow_b.py").write_text(OWN)
    monkeypatch.syspath_prepend(".")
    assert launch("--workflow_name", "own_workflow_b.Pure", "--size", "3", "--ethics#out", "proof") == 0
    assert Path("pure").read_text().startswith("3 ")
    assert "ethics" not in Path("pure").read_text()
    assert fakes["sessions"][0].ended == [None]
    assert fakes["sessions"][0].settings["out"] == "proof"
    assert "recorded" in capsys.readouterr().err


def test_a_refusing_policy_is_exit_code_one(base, write_bundle, fakes, monkeypatch):
    from monai_ethics.bundle import workflow as module

    make = module.new_session

    def refusing(settings, *, config):
        session = make(settings, config=config)
        session.exit_code = 1
        return session

    monkeypatch.setattr(module, "new_session", refusing)
    assert launch("--config_file", write_bundle(base)) == 1


def test_engines_that_never_run_are_exit_code_two(base, write_bundle, fakes, capsys):
    base["run"] = ["$len(@validate#evaluator.state.metrics)"]
    assert launch("--config_file", write_bundle(base)) == 2
    assert "none did here" in capsys.readouterr().err


def test_overrides_are_named_without_their_values(base, write_bundle, fakes):
    launch("--config_file", write_bundle(base), "--optimizer#lr", "0.5", "--epochs", "1", "--ethics#out", "x")
    assert fakes["sessions"][0].config["overrides"] == ["epochs", "optimizer#lr"]


def test_settings_may_stand_in_a_tracking_file(base, write_bundle, fakes):
    path = write_bundle(base)
    Path("tracking.json").write_text(
        '{"handlers_id": {}, "configs": {"ethics": {"out": "x"}, "save_execute_config": false}}'
    )
    assert launch("--config_file", path, "--tracking", "tracking.json") == 0
    assert fakes["sessions"][0].settings["out"] == "x"
