# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.cli.overlay import command
from monai_ethics.errors import InputError


def test_an_overlay_never_takes_the_place_of_a_config(tmp_path):
    config, other = tmp_path / "evaluate.json", tmp_path / "link.json"
    config.write_text('{"evaluator": {"_target_": "SupervisedEvaluator"}}')
    other.symlink_to(config)
    for out in (config, other):
        with pytest.raises(InputError, match="one of the configs"):
            command([config], out=out)
    assert "SupervisedEvaluator" in config.read_text()
