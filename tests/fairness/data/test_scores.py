# SPDX-License-Identifier: Apache-2.0
import json
import math

import pytest

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.fairness.data.scores import OUTCOMES, ScoreTable


def make(**changes):
    base = {
        "metric": "val_mean_dice",
        "unit": "1",
        "higher_is_better": True,
        "cases": ("a", "b", "c", "d", "e"),
        "patients": ("p1", "p1", "p2", "p2", "p3"),
        "values": (0.8, 0.6, 0.0, None, None),
        "outcomes": ("scored", "scored", "missed", "false_positive", "true_negative"),
        "groups": {"sex": ("F", "F", "M", "M", None)},
    }
    return ScoreTable(**{**base, **changes})


def test_a_table_comes_back_from_json_unchanged():
    table = make(bounds=(0, 1))
    assert ScoreTable.from_dict(json.loads(table.to_json())) == table


@pytest.mark.parametrize("damage", [{"extra": 1}, {"values": 3}, {"cases": None}, {"bounds": 4}])
def test_a_stored_table_with_other_fields_is_refused(damage):
    with pytest.raises(SchemaError, match="Stored scores"):
        ScoreTable.from_dict({**make().to_dict(), **damage})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": "mean dice"}, "made of"),
        ({"cases": ("a", "a", "b", "c", "d")}, "1 repeated"),
        ({"patients": ("p1",)}, "got 1 for 5"),
        ({"groups": {"sex": ("F",)}}, "got 1 for 5"),
        ({"values": (math.nan, 0.6, 0.0, None, None)}, "finite"),
        ({"values": (None, 0.6, 0.0, None, None)}, "opposite at case 0"),
        ({"outcomes": ("bad", "scored", "missed", "undefined", "undefined")}, "must be one of"),
        ({"outcomes": ("undefined", "scored", "missed", "undefined", "undefined")}, "opposite at case 0"),
        ({"bounds": (0.7, 1)}, "within `bounds`"),
        ({"groups": {"site": (1, 2, 3, 4, 5)}}, "text or None"),
    ],
)
def test_a_wrong_table_is_refused_in_one_sentence(changes, words):
    with pytest.raises(InputError, match=words):
        make(**changes)


def test_a_patient_counts_once_with_the_mean_of_the_cases_that_have_a_reference():
    assert make().patient_values() == {"p1": 0.7, "p2": 0.0, "p3": None}


def test_a_missed_case_without_a_value_is_the_worst_score():
    values = (3.0, 5.0, None, None, None)
    assert make(metric="hd95", unit="mm", higher_is_better=False, values=values).patient_values()["p2"] == math.inf
    assert make(values=(0.8, 0.6, None, None, None)).patient_values()["p2"] == 0.0
    assert make(higher_is_better=None, values=(3.0, 5.0, None, None, None)).patient_values()["p2"] is None


def test_the_accounting_adds_up_to_all_cases():
    assert sum(make().accounting().values()) == len(make())
    assert tuple(make().accounting()) == OUTCOMES


def test_rows_can_be_reordered_with_everything_that_belongs_to_them():
    turned = make().reordered([4, 3, 2, 1, 0])
    assert turned.cases[0] == "e"
    assert turned.groups["sex"] == (None, "M", "M", "F", "F")
    assert turned.patient_values() == make().patient_values()


def test_groups_are_added_and_replaced():
    table = make().with_groups({"site": list("AABBB"), "sex": (None,) * 5})
    assert tuple(table.groups) == ("sex", "site")
    assert table.groups["sex"] == (None,) * 5


@pytest.mark.parametrize(
    ("metric", "unit", "expected"),
    [("val_mean_dice", "1", (0, 1)), ("dice_loss", "1", None), ("psnr", "1", None), ("dice", "mm", None)],
)
def test_only_overlap_scores_and_rates_are_known_to_be_bounded(metric, unit, expected):
    assert make(metric=metric, unit=unit).score_bounds == expected


def test_the_table_of_misses_counts_only_cases_with_a_reference():
    table = make().missed()
    assert table.values == (0.0, 0.0, 1.0)
    assert table.metric == "val_mean_dice_missed"
    assert make(values=(0.8, 0.6, 0.1, None, None), outcomes=("scored",) * 3 + ("undefined",) * 2).missed() is None
