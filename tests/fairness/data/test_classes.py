# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import pytest

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.fairness.data.classes import TOP_ONE_RATES, ClassScores, clean_name, is_top_one
from monai_ethics.fairness.group_rates import GroupRates

CLASSES = ClassScores(
    target="tissue",
    cases=("a", "b", "c", "d"),
    patients=("p", "p", "q", "r"),
    classes=("benign", "no finding", "malignant"),
    y_true=("benign", "malignant", "no finding", "malignant"),
    y_score=((0.8, 0.1, 0.1), (0.5, 0.0, 0.5), (0.2, 0.7, 0.1), (0.1, 0.1, 0.8)),
    probabilities=True,
    groups={"sex": ("F", "F", "M", None)},
)


def test_each_class_against_the_rest_has_its_own_score_and_shares_the_decisions():
    benign, empty, malignant = CLASSES.one_vs_rest()
    assert [data.target for data in (benign, empty, malignant)] == ["benign", "no_finding", "malignant"]
    assert malignant.y_true == (False, True, False, True)
    assert malignant.y_score == (0.1, 0.5, 0.1, 0.8)
    assert malignant.y_pred == (False, False, False, True)  # a tie goes to the class named first
    assert benign.y_pred == (True, True, False, False)
    assert benign.decided_by == "the class with the highest score"
    assert benign.threshold is None
    assert benign.probabilities
    assert (benign.groups, benign.patients) == (CLASSES.groups, CLASSES.patients)


def test_decisions_that_came_with_the_scores_are_kept():
    named = replace(CLASSES, y_pred=("benign", "malignant", "benign", "malignant"), decided_by="a reader")
    assert named.one_vs_rest()[2].y_pred == (False, True, False, True)
    assert named.one_vs_rest()[2].decided_by == "a reader"
    without_scores = replace(named, y_score=(), probabilities=False)
    assert without_scores.one_vs_rest()[0].y_score == ()


def test_accuracy_is_a_rate_over_all_cases():
    table = CLASSES.top_one()
    assert table.target == "tissue_top_one"
    assert table.y_pred == (True, False, True, True)
    assert all(table.y_true)
    assert sum(p == t for p, t in zip(table.y_pred, table.y_true, strict=True)) / len(table) == 0.75
    assert table.groups == CLASSES.groups
    assert TOP_ONE_RATES == ("accuracy",)
    assert is_top_one(table)
    assert not any(is_top_one(one) for one in CLASSES.one_vs_rest())


def test_a_report_of_accuracy_speaks_of_classes_and_of_nothing_else(pick):
    many = ClassScores(
        target="tissue",
        cases=tuple(f"c{i}" for i in range(40)),
        patients=tuple(f"c{i}" for i in range(40)),
        classes=("a", "b", "c"),
        y_true=tuple("abc"[i % 3] for i in range(40)),
        y_pred=tuple("abc"[i % 3] if i % 4 else "a" for i in range(40)),
        decided_by="a reader",
        groups={"sex": ("F", "M") * 20},
    )
    finding = GroupRates()(many.top_one())
    assert pick(finding, "accuracy").value == 34 / 40
    assert {item.name for item in finding.estimates} == {"accuracy", "patients", "cases", "positives", "design_effect"}
    assert "34 of 40 cases were given their own class" in finding.statement
    assert "positive" not in finding.statement


def test_nothing_decided_has_no_accuracy():
    bare = replace(CLASSES, y_score=(), probabilities=False)
    assert bare.top_one() is None
    assert [data.y_pred for data in bare.one_vs_rest()] == [(), (), ()]
    assert len(CLASSES.reordered([]).top_one()) == 0


def test_it_is_written_read_and_reordered_whole():
    again = ClassScores.from_dict(json.loads(json.dumps(CLASSES.to_dict())))
    assert again == CLASSES
    turned = CLASSES.reordered([3, 0])
    assert (turned.cases, turned.y_score[0], turned.groups["sex"]) == (("d", "a"), (0.1, 0.1, 0.8), (None, "F"))
    assert CLASSES.with_groups({"site": ("x",) * 4}).groups.keys() == {"sex", "site"}
    assert not CLASSES.without_groups().groups
    assert not CLASSES.with_patients(CLASSES.cases).patients_named


@pytest.mark.parametrize("change", [{"surplus": 1}, {"y_true": ["x"] * 4}, {"classes": 3}, {"y_score": [1]}])
def test_anything_else_is_not_read(change):
    with pytest.raises(SchemaError):
        ClassScores.from_dict({**CLASSES.to_dict(), **change})
    with pytest.raises(SchemaError):
        ClassScores.from_dict({name: value for name, value in CLASSES.to_dict().items() if name != "groups"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": "a b"}, "target's name"),
        ({"patients": ("p",)}, "one entry per case"),
        ({"cases": ("a", "a", "c", "d")}, "1 repeated"),
        ({"groups": {"sex": (1, 2, 3, 4)}}, "text or None"),
        ({"classes": ("benign",)}, "at least 2"),
        ({"classes": ("benign", "benign", "malignant")}, "at least 2"),
        ({"classes": ("", "benign", "malignant")}, "named by text"),
        ({"classes": ("benign", "other", "malignant")}, "case 2 has another"),
        ({"y_score": ((0.1, 0.2),) * 4}, "case 0 has others"),
        ({"y_score": ((0.1, 0.2, float("nan")),) * 4}, "another at case 0"),
        ({"y_score": ((0.1, 0.2, 7.0),) * 4}, "between 0 and 1"),
        ({"y_pred": ("benign",) * 4}, "Fill `decided_by`"),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(change, words):
    with pytest.raises(InputError, match=words):
        replace(CLASSES, **change)


def test_classes_that_cannot_be_told_apart_by_name_are_refused():
    clash = replace(
        CLASSES, classes=("benign", "no finding", "no/finding", "malignant"), y_score=(), y_true=("benign",) * 4
    )
    with pytest.raises(InputError, match="must differ"):
        clash.one_vs_rest()
    assert clean_name(" no finding/1 ") == "no_finding_1"
