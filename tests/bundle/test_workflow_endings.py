# SPDX-License-Identifier: Apache-2.0
"""How a run of `EthicsWorkflow` ends: with an error, without an engine, in a workflow class of the bundle's own."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from monai_ethics.errors import InputError


def test_a_failing_run_is_finished_and_finalized_and_its_error_propagates(base, write_bundle, fakes, make):
    base["run"] = ["$@train#trainer.run()", "$1 / 0"]
    base["finalize"] = ["$open('finalized', 'w').close()"]
    workflow = make(write_bundle(base))
    workflow.initialize()
    with pytest.raises(RuntimeError, match="Failed to evaluate"):
        workflow.run()
    assert Path("finalized").exists()
    assert [type(error).__name__ for error in fakes["sessions"][0].ended] == ["RuntimeError"]


def test_a_bundle_that_cannot_be_built_leaves_evidence_too(base, write_bundle, fakes, make):
    base["initialize"] = ["$1 / 0"]
    workflow = make(write_bundle(base))
    with pytest.raises(RuntimeError, match="Failed to evaluate"):
        workflow.initialize()
    assert [type(error).__name__ for error in fakes["sessions"][0].ended] == ["RuntimeError"]


def test_our_own_error_is_not_wrapped_by_the_host(base, write_bundle, fakes, monkeypatch, make):
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


def test_a_failing_finalization_does_not_hide_the_error(base, write_bundle, fakes, capsys, make):
    base["run"] = ["$1 / 0"]
    base["finalize"] = ["$[][0]"]
    workflow = make(write_bundle(base))
    workflow.initialize()
    with pytest.raises(RuntimeError, match="1 / 0"):
        workflow.run()
    assert "RuntimeError came up" in capsys.readouterr().err


def test_the_watch_is_gone_after_the_run(base, write_bundle, fakes, run):
    from ignite.engine import Engine

    before = Engine.run
    run(write_bundle(base))
    assert Engine.run is before


def test_a_workflow_class_of_the_bundles_own_is_wrapped(base, write_bundle, fakes, reached, run):
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


def test_generative_inference_without_an_engine_gets_its_saver_wrapped(base, write_bundle, fakes, reached, run):
    config = {key: base[key] for key in ("imports", "bundle_root", "output_dir")}
    config["saver"] = {"_target_": "SaveImage", "output_dir": "@output_dir", "print_log": False}
    config["folder"] = "@saver#output_dir"
    config["run"] = ["$@saver(torch.zeros(1, 8, 8, 8))", "$len(@folder)"]
    workflow = run(write_bundle(config))
    assert reached(fakes) == []
    assert [Path(path).name for path in fakes["sessions"][0].files] == ["0_trans.nii.gz"]
    assert Path("eval/0/0_trans.nii.gz.prov.json").exists()
    assert workflow.ethics_exit_code == 0


def test_what_a_generators_script_saves_itself_is_marked(base, write_bundle, fakes, run):
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


def test_launchers_that_run_the_engines_themselves_finish_in_finalize(base, write_bundle, fakes, make):
    workflow = make(write_bundle(base))
    workflow.initialize()
    workflow.trainer.run()
    fakes["sessions"][-1].start()
    workflow.finalize()
    assert fakes["sessions"][-1].ended == [None]


def test_the_bundles_files_stay_as_they_are(base, write_bundle, fakes, run):
    path = Path(write_bundle(base))
    before = path.read_bytes()
    run(str(path))
    assert path.read_bytes() == before
