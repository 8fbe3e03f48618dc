# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.split_inheritance import CONFLICT, SplitInheritance, SplitList, inherited_split

CHECK = SplitInheritance()
REAL = {"anna": "train", "ben": "train", "cara": "test", "dan": "val"}


def items(*sources, **kept):
    """Four acquired items, and one synthetic training item for each of `sources`."""
    made = len(sources)
    return SplitList(
        splits=[*REAL.values(), *["train"] * made],
        synthetic=[False] * 4 + [True] * made,
        patients=[*REAL, *[None] * made],
        sources=[(), (), (), (), *sources],
        **kept,
    )


def number(finding, name, **group):
    (row,) = [row for row in finding.estimates if row.name == name and dict(row.group) == group]
    return row.value


def test_a_training_item_made_from_a_test_patient_is_counted_without_a_name():
    finding = CHECK(items(["anna"], ["cara"], ["cara", "ben"], [], None))
    assert number(finding, "source_patients_held_out", split="test") == 1
    assert number(finding, "synthetic_items_from_held_out_patients", split="test") == 2
    assert number(finding, "source_patients_held_out", split="val") == 0
    assert number(finding, "synthetic_items_of_several_splits") == 1
    assert "of 1 are not on record" in finding.statement.replace("the sources ", "")
    assert all(name not in json.dumps(finding.to_dict()) for name in REAL)
    assert finding.accounting["synthetic_training_items_of_unrecorded_condition"] == 1
    assert sum(finding.accounting.values()) == 9


def test_a_source_without_a_split_is_counted_and_said():
    finding = CHECK(items(["anna"], ["eve"], []))
    assert number(finding, "source_patients_not_listed") == 1
    assert "Of 2 patients they were made from, 1 are in no split of the list." in finding.statement
    without = CHECK(items([]))
    assert number(without, "source_patients_not_listed") == 0
    assert "no split of the list" not in without.statement


def test_patients_of_the_generator_who_are_held_out_are_counted():
    finding = CHECK(items(["anna"], generator_patients=["anna", "cara"]))
    assert number(finding, "generator_patients_held_out", split="test") == 1
    assert not [row for row in CHECK(items(["anna"])).estimates if row.name == "generator_patients_held_out"]


def test_an_acquired_patient_on_both_sides_is_counted():
    data = items(["anna"])
    finding = CHECK(replace(data, patients=["anna", "cara", "cara", "dan", None]))
    assert number(finding, "acquired_patients_on_both_sides", split="test") == 1


def test_what_cannot_be_said_is_not_said():
    assert "none of the 1" in CHECK(items(None)).reason
    assert "no synthetic item" in CHECK(items()).reason
    only = replace(items(["anna"]), splits=["train"] * 5)
    assert "held out" in CHECK(only).reason
    assert CHECK(only).verdict is Verdict.NOT_ASSESSABLE


def test_an_item_inherits_the_split_of_its_sources():
    assert inherited_split(["anna", "ben"], REAL) == "train"
    assert inherited_split(["anna", "cara"], REAL) == CONFLICT
    assert inherited_split(["nobody"], REAL) is None


def test_lists_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="one entry per item"):
        replace(items(), sources=[])
    with pytest.raises(InputError, match="must name its patient"):
        replace(items(), patients=[None] * 4)
