# SPDX-License-Identifier: Apache-2.0
import numpy as np

from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.group_coverage import GroupCoverage

CHECK = GroupCoverage(attribute="sex", splits=4, replicated=2)


def sets(asked, *, n=120, apart=6.0, seed=0):
    """Real images of men and women that lie apart, and synthetic ones as they were asked for."""
    rng = np.random.default_rng(seed)
    group = [("F", "M")[i % 2] for i in range(n)]
    train, holdout, synthetic = rng.standard_normal((3, n, 6))
    holdout[:, 0] += [apart * (label == "M") for label in group]
    synthetic[:, 0] += [apart * (label == "M") for label in asked]
    return FeatureSets(
        train=train,
        train_patients=[f"t{i}" for i in range(n)],
        holdout=holdout,
        holdout_patients=[f"h{i}" for i in range(n)],
        synthetic=synthetic,
        holdout_attributes={"sex": group},
        synthetic_attributes={"sex": list(asked)},
    )


def value(finding, name, label):
    found = [row for row in finding.estimates if row.name == name and dict(row.group) == {"sex": label}]
    assert len(found) == 1
    return found[0]


def test_a_group_that_is_never_generated_is_named_and_not_covered():
    finding = CHECK(sets(["F"] * 120))
    assert finding.verdict is Verdict.MEASURED
    assert value(finding, "share_of_synthetic_images", "M").value == 0
    assert abs(value(finding, "share_of_held_out_patients", "M").value - 0.5) < 1e-12
    assert value(finding, "coverage", "M").value < 0.1
    assert value(finding, "coverage_excess", "M").high < 0
    assert value(finding, "coverage", "F").value > 0.8
    assert "no synthetic image was requested of M" in finding.statement
    assert "sex M: left out more than real images leave out" in finding.statement


def test_groups_in_their_shares_reach_their_floor():
    finding = CHECK(sets([("F", "M")[i % 2] for i in range(120)]))
    for label in ("F", "M"):
        excess = value(finding, "coverage_excess", label)
        assert excess.low <= 0 <= excess.high
    assert "is not shown" in finding.statement


def test_a_small_group_has_its_share_and_no_coverage():
    finding = GroupCoverage(attribute="sex", splits=4, replicated=2, min_group_size=70)(sets(["F"] * 120))
    row = value(finding, "coverage", "F")
    assert row.value is None
    assert row.reason == "60 held-out patients, fewer than 70"
    assert value(finding, "share_of_held_out_patients", "F").low is not None
    assert "No group of sex is large enough" in finding.statement


def test_unrecorded_labels_are_a_group_of_their_own():
    asked = ["F"] * 100 + [None] * 20
    finding = CHECK(sets(asked))
    assert abs(value(finding, "share_of_synthetic_images", None).value - 20 / 120) < 1e-12


def test_no_interval_of_a_share_leaves_0_and_1():
    finding = CHECK(sets([("F", "M")[i % 2] for i in range(120)]))
    shares = [row for row in finding.estimates if not row.name.endswith("excess") and row.low is not None]
    assert shares
    assert all(row.low >= 0 and row.high <= 1 for row in shares)


def test_images_that_are_all_the_same_are_not_assessable():
    flat = FeatureSets(
        train=np.ones((2, 4)),
        train_patients=["a", "b"],
        holdout=np.ones((120, 4)),
        holdout_patients=[f"h{i}" for i in range(120)],
        synthetic=np.ones((120, 4)),
        holdout_attributes={"sex": ["F", "M"] * 60},
        synthetic_attributes={"sex": ["F", "M"] * 60},
    )
    finding = GroupCoverage(attribute="sex", splits=2, replicated=1)(flat)
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "no extent" in finding.reason
