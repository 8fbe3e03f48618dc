# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.errors import InputError, NotAssessableError
from monai_ethics.synthesis.methods.floor import beside, design, drawn_rows

SETTINGS = {"size": 250, "splits": 20, "groups": 20, "seed": 0}


def named(prefix, units, images=1):
    return [f"{prefix}{unit:03d}" for unit in range(units) for _ in range(images)]


def test_halves_are_of_different_patients_and_all_sides_are_equally_large():
    patients, units = named("p", 31, images=3), named("s", 80)
    drawn = design(patients, units, **SETTINGS)
    assert (drawn.size, drawn.patients, drawn.units, len(drawn.splits)) == (15, 31, 80, 20)
    for split in drawn.splits:
        real, other = ({patients[row] for row in rows} for rows in (split.real, split.other))
        assert not real & other
        assert len(real) == len(other) == len(set(split.synthetic.tolist())) == 15
        assert split.synthetic.min() >= len(patients)


def test_few_synthetic_units_set_the_size_and_are_all_used():
    drawn = design(named("p", 100), named("s", 12, images=4), **SETTINGS)
    assert drawn.size == 12
    assert drawn.groups == 12
    rows = {int(row) - 100 for split in drawn.splits for row in split.synthetic}
    assert {row // 4 for row in rows} == set(range(12))
    assert len(rows) > 40  # another image of a unit in another split


def test_the_size_asked_for_is_not_exceeded_and_all_patients_are_used_in_turn():
    drawn = design(named("p", 300), named("s", 300), **{**SETTINGS, "size": 30})
    assert drawn.size == 30
    used = np.concatenate([np.concatenate([split.real, split.other]) for split in drawn.splits])
    assert len(set(used.tolist())) > 290


def test_leaving_out_a_group_takes_as_many_from_each_side():
    drawn = design(named("p", 200), named("s", 300), **SETTINGS)
    for split in drawn.splits:
        for group in range(20):
            left = split.without(group)
            sizes = len(left.real), len(left.other), len(left.synthetic)
            assert max(sizes) - min(sizes) <= 1
            assert len(left.other) == len(left.synthetic)
            assert min(sizes) >= split.smallest_without(20)


def test_excess_is_the_difference_with_an_interval_of_its_own():
    rows = np.concatenate([np.zeros(100), np.ones(100)]) + np.random.default_rng(0).standard_normal(200)
    drawn = design(named("p", 100), named("s", 100), **SETTINGS)
    (found,) = beside(lambda real, other: [rows[other].mean() - rows[real].mean()], drawn, replicated=20)
    assert found.excess.value == pytest.approx(found.value.value - found.floor.value)
    assert found.excess.low < 1 < found.excess.high
    assert found.excess.low > 0


def test_what_is_undefined_in_a_replicate_has_no_number():
    drawn = design(named("p", 40), named("s", 40), **SETTINGS)
    found = beside(lambda real, other: (None if len(other) < 20 else 1.0, 2.0), drawn, replicated=3)
    assert found[0].value is None
    assert found[1].value.value == 2.0
    assert found[1].value.error == 0


def test_too_few_patients_are_not_assessable():
    with pytest.raises(NotAssessableError, match="19 held-out patients and 40 synthetic units leave 9 to a side"):
        design(named("p", 19), named("s", 40), **SETTINGS)
    with pytest.raises(InputError, match="5 groups or more"):
        design(named("p", 40), named("s", 40), **{**SETTINGS, "groups": 2})


def test_of_too_many_images_equally_many_of_each_unit_are_kept():
    units = named("a", 10, images=50) + named("b", 1)
    rows = drawn_rows(units, most=101, rng=np.random.default_rng(0))
    counts = np.unique([units[row] for row in rows], return_counts=True)[1]
    assert counts.tolist() == [10] * 10 + [1]
    assert drawn_rows(units, most=1000, rng=np.random.default_rng(0)).tolist() == list(range(501))
