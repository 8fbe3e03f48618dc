# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from monai_ethics.handlers import StratifiedScores
from monai_ethics.provenance.log.reading.entries import read_report

pytestmark = pytest.mark.dist
WORKER = Path(__file__).with_name("two_ranks.py")


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory, warm):
    folder = tmp_path_factory.mktemp("ranks")
    done = warm([WORKER, folder], env={"MONAI_ETHICS_KEY_HOME": str(folder / "keys")}, ranks=2)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]


def alone(toy, n):
    items = toy.items(12)[:n]
    for i, item in enumerate(items):
        item["sex"] = "M" if i < 4 else "F x"
    scores = StratifiedScores(attributes=["sex"])
    evaluator = toy.evaluator(items, handlers=[scores])
    evaluator.run()
    return scores.tables[0], evaluator.state.metrics


def by_case(table):
    return {
        case: (value, outcome, sex)
        for case, value, outcome, sex in zip(
            table["cases"], table["values"], table["outcomes"], table["groups"]["sex"], strict=True
        )
    }


@pytest.mark.parametrize(("setting", "n"), [("uneven", 12), ("padded", 7), ("exact", 7), ("partition", 7)])
def test_two_processes_give_what_one_gives(two_ranks, toy, setting, n):
    table, shown = alone(toy, n)
    for seen in two_ranks[1]:
        assert seen[setting]["table"] == {**table.to_dict(), "groups": seen[setting]["table"]["groups"]}
        assert by_case(seen[setting]["table"]) == by_case(table.to_dict())
        ours = {key: value for key, value in seen[setting]["shown"].items() if "_sex_" in key}
        expected = {key: value for key, value in shown.items() if "_sex_" in key}
        assert set(ours) == {"val_mean_dice_sex_M", "val_mean_dice_sex_F-x", "val_mean_dice_sex_worst"}
        assert ours == pytest.approx(expected, abs=1e-9)


def test_a_process_without_a_case_adds_nothing_and_shifts_nobody(two_ranks):
    for seen in two_ranks[1]:
        assert [(row["case"], row["n"], row["rank"]) for row in seen["rows"]] == [("a\tb", 1, 1), ("", 2, 1)]


def test_repeated_training_cases_without_a_name_are_refused(two_ranks):
    for seen in two_ranks[1]:
        assert seen["unnamed"]["tables"] == 0
        assert "count each once" in seen["unnamed"]["reasons"]["train_dice"]


def test_only_process_zero_writes(two_ranks):
    folder, (first, second) = two_ranks
    assert first["findings"] > 0
    assert second["findings"] == 0
    report = read_report(folder / "evidence")
    assert report.environment["processes"] == 2
    assert len(report.findings) == first["findings"]
    assert read_report(folder / "idle").findings[0].check == "lifecycle.run_coverage"
