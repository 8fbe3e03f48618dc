# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.fairness.calibration import Calibration
from monai_ethics.fairness.data.roster import Roster, TargetPopulation
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.fairness.representation import Representation

SEX = TargetPopulation(shares={"F": 0.5, "M": 0.49, "X": 0.01}, source="National census 2021, table 3")


def roster(sexes, sites=None, *, patients=None, positives=(), **more):
    n = len(sexes)
    groups = {"sex": tuple(sexes), **({"site": tuple(sites)} if sites else {})}
    keys = tuple(f"c{i:04d}" for i in range(n))
    return Roster(cases=keys, patients=tuple(patients or keys), groups=groups, positives=positives, **more)


def test_every_group_and_every_crossed_cell_is_counted_by_patient_and_case(pick):
    sexes, sites = ["F"] * 20 + ["M"] * 10 + [None] * 6, ["A"] * 20 + ["B"] * 16
    patients = [f"p{i // 2}" for i in range(36)]
    found = Representation()(roster(sexes, sites, patients=patients, positives=[i % 3 == 0 for i in range(36)]))
    assert found.verdict is Verdict.MEASURED
    assert pick(found, "patients").value == 18
    assert pick(found, "patients", {"sex": "F"}).value == 10
    assert pick(found, "cases", {"sex": "F"}).value == 20
    assert pick(found, "positives", {"sex": "F"}).value == 7
    assert pick(found, "design_effect", {"sex": "F"}).value >= 1
    assert pick(found, "patients", {"sex": "F", "site": "A"}).value == 10
    assert pick(found, "patients", {"sex": "F", "site": "B"}).value == 0
    assert "sex=F, site=B" in found.parameters["empty_cells"]
    assert found.accounting["counted"] == 36
    assert "No target population was declared" in found.statement
    assert dict(found.parameters["attributes"]) == {"sex": "not stated", "site": "not stated"}


def test_missing_labels_are_a_row_and_a_share_of_their_own(pick):
    found = Representation()(roster(["F"] * 15 + ["M"] * 15 + [None] * 10))
    assert pick(found, "patients", {"sex": None}).value == 10
    share = pick(found, "missing_share", {"sex": None})
    assert share.value == 0.25
    assert share.low < 0.25 < share.high
    whole = Representation()(roster(["F"] * 15 + ["M"] * 15))
    assert pick(whole, "missing_share", {"sex": None}).value == 0


def test_a_count_under_five_patients_is_written_nowhere(pick):
    found = Representation()(roster(["F"] * 30 + ["M"] * 3, positives=[i in (0, 1, 31) for i in range(33)]))
    for name in ("patients", "cases", "positives", "design_effect"):
        hidden = pick(found, name, {"sex": "M"})
        assert hidden.value is None
        assert hidden.reason == "fewer than 5 patients"
        assert hidden.n == 33
    assert pick(found, "positives", {"sex": "F"}).value is None
    assert found.parameters["below_minimum"] == {"sex": ("M",)}
    assert "Fewer than 10 patients: sex M" in found.statement


def test_a_declared_population_says_who_is_not_represented(pick):
    target = {"sex": SEX, "age": TargetPopulation(shares={"young": 0.2, "old": 0.8}, source="register")}
    found = Representation()(roster(["F"] * 60 + ["M"] * 20, target=target, obtained={"sex": "DICOM tag"}))
    assert dict(found.parameters["not_represented"]) == {"sex": ("X",)}
    assert "Not represented at all: sex X" in found.statement
    assert pick(found, "patients", {"sex": "X"}).value == 0
    assert pick(found, "target_p_adjusted", {"sex": "(every label)"}).value < 0.01
    difference = pick(found, "share_difference", {"sex": "F"})
    assert difference.value == pytest.approx(0.25)
    assert difference.low > 0
    assert found.parameters["attributes"]["sex"] == "DICOM tag"
    assert found.parameters["not_compared"] == {"age": "the data have no such attribute"}
    assert any(source.title == SEX.source for source in found.sources)


def test_a_label_without_a_declared_share_is_named_and_left_out_of_the_comparison(pick):
    target = {"sex": TargetPopulation(shares={"F": 0.5, "M": 0.5}, source="census")}
    found = Representation()(roster(["F"] * 20 + ["M"] * 20 + ["O"] * 10, target=target))
    assert found.parameters["without_a_declared_share"] == {"sex": ("O",)}
    assert pick(found, "share_difference", {"sex": "F"}).n == 40
    assert pick(found, "target_p_value", {"sex": "(every label)"}).value == 1


def test_patients_with_several_labels_are_counted_but_not_tested(pick):
    target = {"sex": TargetPopulation(shares={"AP": 0.5, "PA": 0.5}, source="register")}
    patients = [f"p{i % 20}" for i in range(40)]
    found = Representation()(roster(["AP"] * 20 + ["PA"] * 20, patients=patients, target=target))
    assert pick(found, "patients", {"sex": "AP"}).value == 20
    assert "20 patients have several labels" in found.parameters["not_compared"]["sex"]


@pytest.mark.parametrize("n", [0, 1, 4])
def test_too_few_patients_are_not_assessable_and_no_case_is_lost(n):
    found = Representation()(roster(["F"] * n, target={"sex": SEX}))
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert not found.estimates
    assert found.accounting["not_counted"] == n


def test_without_an_attribute_it_says_that_nobody_is_known():
    found = Representation()(Roster(cases=tuple("abcdefgh"), patients=tuple("abcdefgh")))
    assert "No attribute is recorded" in found.statement


def test_crossings_of_too_many_cells_are_left_out_by_name():
    rows = Roster(
        cases=tuple(map(str, range(60))),
        patients=tuple(map(str, range(60))),
        groups={"a": tuple(map(str, range(20))) * 3, "b": tuple(map(str, range(15))) * 4, "c": ("x", "y") * 30},
    )
    found = Representation()(rows)
    assert found.parameters["crossings_left_out"] == ("a*b",)
    assert len(found.to_dict()["estimates"]) > 80


def test_a_roster_comes_from_scores_or_labels_and_knows_its_outcome():
    assert Roster.of_scores(GroupScores.example(30, 0)).groups.keys() == {"sex"}
    labels = Calibration.example(30, 0)
    rows = Roster.of_labels(labels).declared({"sex": SEX}, {"sex": "self-report"})
    assert rows.outcome == "finding"
    assert rows.positives == labels.y_true
    assert Representation()(rows).subjects == ("finding",)


@pytest.mark.parametrize(
    ("shares", "source", "match"),
    [({"F": 0.5, "M": 0.3}, "s", "add up to 1"), ({"F": -0.1, "M": 1.1}, "s", "lie in"), ({"F": 1.0}, " ", "source")],
)
def test_a_target_population_must_add_up_and_have_a_source(shares, source, match):
    with pytest.raises(InputError, match=match):
        TargetPopulation(shares=shares, source=source)


def test_unequal_columns_and_repeated_cases_are_refused():
    with pytest.raises(InputError, match="one entry per case"):
        Roster(cases=("a",), patients=("a", "b"))
    with pytest.raises(InputError, match="unique"):
        Roster(cases=("a", "a"), patients=("a", "a"))


def test_the_order_of_cases_changes_no_byte():
    rows = roster(["F"] * 30 + ["M"] * 9, ["A", "B", "C"] * 13, target={"sex": SEX})
    again = rows.reordered(list(reversed(range(39))))
    assert json.dumps(Representation()(rows).to_dict()) == json.dumps(Representation()(again).to_dict())


def test_small_groups_are_named_and_those_of_intersections_counted(pick):
    bands = ["[18, 40)"] * 12 + ["[40, 65)"] * 6 + [None] * 6
    sexes = ["F", "M"] * 12
    data = roster(sexes, ["A"] * 24, positives=[True, False] * 12)
    crossed = tuple(f"{sex}*{band}" for sex, band in zip(sexes, bands, strict=True))
    found = Representation()(replace(data, groups={"band": tuple(bands), "sex*band": crossed}))
    assert "Fewer than 10 patients: band [40, 65), band not recorded, 6 groups of intersections." in found.statement


def test_a_group_of_nobody_has_counts_and_no_design_effect(pick):
    found = Representation()(roster(["F"] * 15 + ["M"] * 15, positives=[True, False] * 15))
    assert pick(found, "cases", {"sex": None}).value == 0
    rows = [row for row in found.estimates if row.name == "design_effect"]
    assert {row.group.get("sex") for row in rows} == {None, "F", "M"}
    assert sum(dict(row.group) == {"sex": None} for row in rows) == 0
