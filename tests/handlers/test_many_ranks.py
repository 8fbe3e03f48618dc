# SPDX-License-Identifier: Apache-2.0
"""Groups of 2, 3 and 4 processes give what one process gives, whatever the sampler and the size of batches."""

import json
from itertools import product
from pathlib import Path

import pytest

pytestmark = pytest.mark.dist
WORKER = Path(__file__).with_name("many_ranks.py")
SETTINGS = ("padded", "padded, shuffled", "exact", "exact, shuffled", "fewer cases than processes")


@pytest.fixture(scope="module")
def run(tmp_path_factory, warm):
    def seen(what):
        folder = tmp_path_factory.mktemp(what)
        done = warm([WORKER, folder, what], env={"MONAI_ETHICS_KEY_HOME": str(folder / "keys")})
        assert done.returncode == 0, done.stderr[-3000:]
        return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}

    return seen


@pytest.fixture(scope="module")
def exact(run):
    return run("exact")


@pytest.fixture(scope="module")
def empty(run):
    return run("empty")


def test_every_process_came_to_its_end(exact):
    assert exact["codes"] == {"2": [0] * 2, "3": [0] * 3, "4": [0] * 4}


@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("world", [2, 3, 4])
def test_several_processes_give_what_one_gives(exact, world, setting, size):
    key = f"{setting}, batches of {size}"
    one = exact["alone"][key]
    for rank in range(world):
        seen = exact[f"w{world}-{rank}"][key]
        assert seen["reasons"] == one["reasons"]
        assert [t["metric"] for t in seen["tables"]] == ["dice", "mse"]
        for ours, expected in zip(seen["tables"], one["tables"], strict=True):
            assert ours["cases"] == expected["cases"]
            assert ours["groups"] == expected["groups"]
            assert ours["outcomes"] == expected["outcomes"]
            assert ours["values"] == pytest.approx(expected["values"], abs=1e-9)
        assert seen["labels"] == one["labels"]
        assert set(seen["shown"]) == set(one["shown"])
        assert seen["shown"] == pytest.approx(one["shown"], abs=1e-9)


def test_the_reference_has_groups_classes_and_a_group_of_one_process(exact):
    for setting, size in product(SETTINGS[:4], (1, 3, 8)):
        one = exact["alone"][f"{setting}, batches of {size}"]
        assert {"dice_sex_F", "dice_sex_X", "mse_sex_M"} <= set(one["shown"])
        assert any(key.startswith("auc_sex_") for key in one["shown"])
        assert len(one["labels"][0]["y_score"]) == 13
        assert one["tables"][0]["groups"]["sex"].count("X") == 1


@pytest.mark.parametrize("world", [2, 3])
def test_a_process_without_a_case_is_no_matter_to_metrics_that_bear_it(empty, world):
    expected = {t["metric"]: t for t in empty["alone"]["streamed"]["tables"]}
    assert set(expected) == {"mse", "accuracy"}
    for rank in range(world):
        seen = empty[f"w{world}-{rank}"]["streamed"]
        assert seen["reasons"] == {}
        assert {t["metric"]: t for t in seen["tables"]} == expected
        shown = empty["alone"]["streamed"]["metrics"]
        assert seen["metrics"] == pytest.approx(shown, abs=1e-6)
        assert {k: v for k, v in seen["metrics"].items() if "_sex_" in k} == pytest.approx(
            {k: v for k, v in shown.items() if "_sex_" in k}, abs=1e-9
        )
        assert {k: seen["metrics"][k] for k in ("mse", "accuracy")} == empty[f"w{world}-{rank}"]["alone"]


@pytest.mark.parametrize(("kind", "errors"), [("share", ["TypeError", None]), ("stream", ["TypeError", "ValueError"])])
def test_monais_own_metrics_end_there_with_or_without_us(empty, kind, errors):
    for watched in (False, True):  # MONAI alone first
        seen = [empty[f"{kind}-{watched}-{rank}"] for rank in (0, 1)]
        assert [one["error"] for one in seen] == errors
        assert all(one["seconds"] < 20 for one in seen)
