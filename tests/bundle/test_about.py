# SPDX-License-Identifier: Apache-2.0
import json

from monai_ethics.bundle.about import about_bundle
from monai_ethics.bundle.settings import checked, pop_settings


def test_a_bundle_is_told_by_name_version_and_licenses(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "docs").mkdir()
    metadata = {"name": "net", "version": "0.1.2", "intended_use": "demo", "data_source": "somewhere", "task": "x"}
    (tmp_path / "configs" / "metadata.json").write_text(json.dumps(metadata))
    (tmp_path / "LICENSE").write_text("Apache License\nVersion 2.0, January 2004\n")
    (tmp_path / "docs" / "data_license.txt").write_text("Data: Creative Commons Attribution-NonCommercial 4.0.")
    config = {"scheduler": {"_target_": "monai.networks.schedulers.DDIMScheduler", "num_train_timesteps": 1000}}
    assert about_bundle(tmp_path, config) == {
        "bundle": {"name": "net", "version": "0.1.2"},
        "license": "Apache-2.0",
        "data_license": "CC-BY-NC-4.0",
        "intended_use": "demo",
        "data_source": "somewhere",
        "sampler": {"class": "DDIMScheduler", "num_train_timesteps": 1000},
    }


def test_a_folder_that_is_no_bundle_tells_nothing_and_two_schedulers_are_not_guessed_at(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text("[")
    one = {"_target_": "DDPMScheduler"}
    assert about_bundle(tmp_path, {"a": one, "b": one}) == {}


def test_the_setting_record_takes_a_file_or_parts():
    given = pop_settings({"ethics#record": "r.json"})
    assert checked(None, given)[0]["record"] == "r.json"
    given = pop_settings({"ethics#record#weights_license": "MIT", "ethics#record": {"uses": ["share"]}})
    assert checked({"record": {"intended_use": "demo"}}, given)[0]["record"] == {
        "weights_license": "MIT",
        "uses": ["share"],
        "intended_use": "demo",
    }
