# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.dist
WORKER = Path(__file__).with_name("worst_ranks.py")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory, warm):
    folder = tmp_path_factory.mktemp("ranks")

    def launch(world):
        done = warm([WORKER, folder, world], ranks=world)
        assert done.returncode == 0, done.stderr[-3000:]
        return [json.loads((folder / f"{world}-{rank}.json").read_text()) for rank in range(world)]

    return {world: launch(world) for world in (1, 2, 3)}


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("setting", ["blocks", "padded", "exact", "partition"])
def test_every_process_has_the_value_of_one(ranks, world, setting):
    expected = ranks[1][0]["blocks"]
    for seen in ranks[world]:
        assert seen[setting]["worst"] == pytest.approx(expected["worst"], abs=1e-9)
        assert seen[setting]["best"] == seen[setting]["worst"]
        assert seen[setting]["groups"] == pytest.approx(expected["groups"], abs=1e-9)


@pytest.mark.parametrize("world", [2, 3])
def test_a_distance_counts_down_on_every_process(ranks, world):
    expected = ranks[1][0]["distance"]
    assert expected["worst"] < 0
    for seen in ranks[world]:
        assert seen["distance"]["groups"] == pytest.approx(expected["groups"], abs=1e-9)


@pytest.mark.parametrize("world", [2, 3])
def test_the_robust_loss_takes_the_steps_of_one_process(ranks, world):
    for seen in ranks[world]:
        for ours, alone in zip(seen["robust"], ranks[1][0]["robust"], strict=True):
            assert ours == pytest.approx(alone, abs=1e-12)
