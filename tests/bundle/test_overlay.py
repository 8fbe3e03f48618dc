# SPDX-License-Identifier: Apache-2.0
"""An overlay, or settings for tracking, let MONAI's own launcher leave evidence."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from monai_ethics.__main__ import main
from monai_ethics.bundle.overlay import write_overlay
from monai_ethics.errors import InputError


@pytest.fixture
def stock_run(fakes, monkeypatch):
    """Run with MONAI's own workflow; the overlay's session is a stand-in."""
    from monai.bundle import ConfigWorkflow

    from monai_ethics.bundle import standalone, workflow

    def session(*, config, **settings):
        return workflow.new_session(settings, config=config)

    monkeypatch.setattr(standalone, "RunSession", session)
    monkeypatch.setattr(standalone, "ethics_parts", workflow_parts(fakes))

    def run(files, **kwargs):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore")
            workflow = ConfigWorkflow(config_file=files, logging_file=False, **kwargs)
            workflow.initialize()
            workflow.run()
            workflow.finalize()
        return workflow

    return run


def workflow_parts(fakes):
    from monai_ethics.bundle import injector

    assert fakes is not None
    return injector.ethics_parts


@pytest.mark.parametrize("name", ["ethics.json", "ethics.yaml"])
def test_an_overlay_reaches_every_engine_under_monais_launcher(base, write_bundle, stock_run, fakes, reached, name):
    path = write_bundle(base)
    assert main(["overlay", path, "--out", f"configs/{name}", "--attributes", "a.tsv"]) == 0
    workflow = stock_run([path, str(Path(path).parent / name)])
    assert sorted(reached(fakes)) == ["train#trainer", "validate#evaluator"]
    session = fakes["sessions"][0]
    assert session.settings["attributes"] == "a.tsv"
    assert session.settings["out"] == Path("eval/evidence").absolute()
    assert set(session.config["engines"]) == {"train#trainer", "validate#evaluator"}
    names = [type(h).__name__ for h in workflow.parser.get_parsed_content("train::trainer::train_handlers")]
    assert names == ["FakePart", "ValidationHandler", "StatsHandler", "FakePart"]
    assert len(fakes["sessions"]) == 1


def test_an_engine_that_is_a_macro_is_written_out_whole(base, write_bundle, stock_run, fakes, reached):
    base["second"] = "%validate#evaluator"
    base["run"] = ["$@second.run()"]
    path = write_bundle(base)
    write_overlay([Path(path)], Path("configs/ethics.json"))
    content = json.loads(Path("configs/ethics.json").read_text())
    assert content["second"]["_target_"] == "SupervisedEvaluator"
    stock_run([path, str(Path(path).parent / "ethics.json")])
    assert reached(fakes) == ["second"]


def test_rank_slicing_survives_in_an_overlay(base, write_bundle, stock_run, fakes, reached):
    base["validate"]["evaluator"]["val_handlers"] = "$@validate#handlers[: 0 if os.environ.get('X') is None else None]"
    path = write_bundle(base)
    write_overlay([Path(path)], Path("configs/ethics.json"))
    stock_run([path, str(Path(path).parent / "ethics.json")])
    assert "validate#evaluator" in reached(fakes)


def test_tracking_settings_reach_flat_bundles_rightly(base, write_bundle, stock_run, fakes, reached):
    base["val_handlers"] = base["validate"]["handlers"]
    base["validate"]["evaluator"]["val_handlers"] = "@val_handlers"
    path = write_bundle(base)
    assert main(["overlay", path, "--tracking", "--out", "tracking.json"]) == 0
    workflow = stock_run(path, tracking="tracking.json")
    assert sorted(reached(fakes)) == ["train#trainer", "validate#evaluator"]
    assert len(workflow.parser.get_parsed_content("val_handlers")) == 2


def test_tracking_refuses_what_would_miss_a_process(base, write_bundle):
    base["validate"]["evaluator"]["val_handlers"] = "$None if dist.get_rank() > 0 else @validate#handlers"
    with pytest.raises(InputError, match="without `--tracking`"):
        write_overlay([Path(write_bundle(base))], Path("t.json"), tracking=True)
    assert not Path("t.json").exists()


def test_unusable_requests_are_one_sentence(base, write_bundle):
    path = Path(write_bundle(base))
    with pytest.raises(InputError, match="another suffix"):
        write_overlay([path], Path("x.toml"))
    with pytest.raises(InputError, match="found none that it could reach"):
        write_overlay([Path(write_bundle({"run": ["$1"]}, folder="other"))], Path("x.json"))
    with pytest.raises(InputError, match="found none"):
        write_overlay([path], Path("x.json"), tracking=True, run_id="nothing")


def test_a_saver_is_wrapped_by_an_overlay(base, write_bundle, stock_run, fakes):
    config = {key: base[key] for key in ("imports", "bundle_root", "output_dir")}
    config["saver"] = {"_target_": "SaveImage", "output_dir": "@output_dir", "print_log": False}
    config["run"] = ["$@saver(torch.zeros(1, 8, 8, 8))"]
    path = write_bundle(config)
    write_overlay([Path(path)], Path("configs/ethics.json"))
    stock_run([path, str(Path(path).parent / "ethics.json")])
    assert [Path(p).name for p in fakes["sessions"][0].files] == ["0_trans.nii.gz"]
