# SPDX-License-Identifier: Apache-2.0
import numpy as np

from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.planted_copies import PlantedCopies
from monai_ethics.synthesis.limits import INTRINSIC_LIMITS
from monai_ethics.synthesis.run import AuditPlan, audit_findings, compared_attributes, left_out_attributes


def sets(n=30):
    rng = np.random.default_rng(0)
    train, holdout, synthetic = rng.standard_normal((3, n, 5))
    labels = {
        "sex": ["F", "M"] * (n // 2),
        "age": [str(i) for i in range(n)],
        "one": ["x"] * n,
        "voxels": [str(i % 9) for i in range(n)],
    }
    return FeatureSets(
        train=train,
        train_patients=[f"t{i}" for i in range(n)],
        holdout=holdout,
        holdout_patients=[f"h{i}" for i in range(n)],
        synthetic=synthetic,
        split_random=True,
        holdout_attributes=labels,
        synthetic_attributes={**labels, "only here": ["y"] * n},
    )


def test_every_check_of_three_sets_speaks_and_says_the_intrinsic_limits():
    seen = []
    findings = audit_findings(sets(), progress=lambda *step: seen.append(step))
    assert [finding.check for finding in findings] == [
        "synthesis.real_overlap",
        "synthesis.memorization_membership",
        "synthesis.memorization_proximity",
        "synthesis.fidelity",
        "synthesis.coverage",
        "synthesis.diversity",
        "synthesis.group_coverage",
        "synthesis.group_realism",
        "synthesis.group_coverage",
        "synthesis.group_coverage",
    ]
    assert all(tuple(finding.limitations[:3]) == INTRINSIC_LIMITS for finding in findings)
    assert seen[-1][1:] == (len(findings), len(findings))


def test_attributes_that_make_no_groups_are_not_compared_unless_asked_for():
    assert compared_attributes(sets(), AuditPlan()) == ["sex"]
    assert compared_attributes(sets(), AuditPlan(attributes=["age", "sex"])) == ["age", "sex"]
    family = [f.parameters["family"] for f in audit_findings(sets(), plan=AuditPlan(attributes=["age", "sex"]))[-3:]
              if f.check.endswith("realism")]  # fmt: skip
    assert set(family) == {2}


def test_attributes_that_are_left_out_are_told_with_the_reason():
    left = {item.parameters["attribute"]: item for item in audit_findings(sets())[-2:]}
    assert {item.verdict for item in left.values()} == {Verdict.NOT_ASSESSABLE}
    assert left["age"].reason == "An attribute of 30 labels forms no groups: at most 20 can be compared."
    assert left["voxels"].reason.startswith("9 numbers count or measure something")
    assert left["age"].statement == "Groups by age were not compared."
    assert left_out_attributes(sets(), AuditPlan(attributes=["sex"])) == {}


def test_planted_copies_come_after_the_test_whose_power_they_state():
    data = sets()
    copies = {"exact": {"features": data.rows("train", "features")}}
    found = audit_findings(data, planted=PlantedCopies(sets=data, patients=data.train_patients, copies=copies))
    assert [finding.check for finding in found][1:3] == [
        "synthesis.memorization_membership",
        "synthesis.memorization_planted",
    ]
