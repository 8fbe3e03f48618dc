# SPDX-License-Identifier: Apache-2.0
import numpy as np

from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.group_realism import GroupRealism

CHECK = GroupRealism(attribute="sex", splits=4, replicated=2)


def sets(shift=0.0, *, n=120, seed=0, labels=("F", "M"), made=None):
    """Real images of two groups that differ, and synthetic ones of which the first group's are shifted."""
    rng = np.random.default_rng(seed)
    group = np.array([labels[i % len(labels)] for i in range(n)], dtype=object)
    place = np.array([{label: 2.0 * i for i, label in enumerate(labels)}[label] for label in group])
    train, holdout, synthetic = rng.standard_normal((3, n, 6))
    for part in (holdout, synthetic):
        part[:, 0] += place
    synthetic[group == labels[0], 1] += shift
    return FeatureSets(
        train=train,
        train_patients=[f"t{i}" for i in range(n)],
        holdout=holdout,
        holdout_patients=[f"h{i}" for i in range(n)],
        synthetic=synthetic,
        holdout_attributes={"sex": group.tolist()},
        synthetic_attributes={"sex": group.tolist() if made is None else made},
    )


def value(finding, name, group=None):
    found = [row for row in finding.estimates if row.name == name and dict(row.group) == (group or {})]
    assert len(found) == 1
    return found[0]


def test_a_group_that_is_generated_worse_is_found_beside_its_floor():
    finding = CHECK(sets(shift=1.5))
    assert finding.verdict is Verdict.MEASURED
    assert value(finding, "p_value").value < 0.01
    assert value(finding, "difference", {"sex": "F - M"}).low > 0
    for label in ("F", "M"):
        for name in ("mmd", "mmd_floor", "coverage", "coverage_floor", "coverage_excess"):
            assert value(finding, name, {"sex": label}).low is not None
    assert value(finding, "mmd", {"sex": "F"}).low > 0
    assert "farthest from real ones of their group for sex F" in finding.statement
    assert "at 30 a side" in value(finding, "mmd_floor", {"sex": "F"}).estimand


def test_groups_served_alike_are_not_told_apart():
    finding = CHECK(sets())
    assert value(finding, "p_value").value > 0.05
    assert "not equality" in finding.statement


def test_a_group_without_enough_patients_is_listed_with_the_reason():
    few = GroupRealism(attribute="sex", splits=4, replicated=2)(sets(labels=("F", "M"), n=160, made=["F"] * 160))
    assert few.verdict is Verdict.NOT_ASSESSABLE
    mixed = sets(labels=("F", "M", "X"), n=180)
    small = CHECK(mixed.taken(holdout=[i for i in range(180) if i % 3 != 2 or i < 60]))
    row = value(small, "mmd", {"sex": "X"})
    assert row.value is None
    assert row.reason == "20 held-out patients, fewer than 50"


def test_the_attribute_must_be_known_on_both_sides():
    finding = GroupRealism(attribute="age")(sets())
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "have no attribute age" in finding.reason


def test_the_family_corrects():
    alone, family = (
        value(GroupRealism(attribute="sex", splits=4, replicated=2, family=size)(sets(shift=0.4)), "p_adjusted").value
        for size in (1, 3)
    )
    assert family == min(1.0, 3 * alone)


def test_few_patients_or_equal_images_give_a_reason_and_no_error():
    few = GroupRealism(attribute="sex", min_group_size=5)(sets(n=30))
    assert few.verdict is Verdict.NOT_ASSESSABLE
    assert "Two groups of 20 held-out patients and 10 synthetic units are needed" in few.reason
    given = sets()
    equal = given.taken(holdout=range(120))
    flat = FeatureSets(
        train=np.ones((2, 6)),
        train_patients=["a", "b"],
        holdout=np.ones((120, 6)),
        holdout_patients=equal.holdout_patients,
        synthetic=np.ones((120, 6)),
        holdout_attributes=equal.holdout_attributes,
        synthetic_attributes=equal.synthetic_attributes,
    )
    finding = CHECK(flat)
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "set no scale" in finding.reason


def test_groups_that_share_patients_are_told_apart_less_easily():
    given = sets(shift=0.6)
    names = [f"h{i // 2}" for i in range(120)]  # each patient has an image in both groups
    joined = FeatureSets(
        train=given.train,
        train_patients=given.train_patients,
        holdout=given.holdout,
        holdout_patients=names,
        synthetic=given.synthetic,
        holdout_attributes=given.holdout_attributes,
        synthetic_attributes=given.synthetic_attributes,
    )
    apart, shared = (value(CHECK(part), "difference", {"sex": "F - M"}) for part in (given, joined))
    assert shared.high - shared.low > apart.high - apart.low
