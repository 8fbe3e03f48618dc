# SPDX-License-Identifier: Apache-2.0
import numpy as np

from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.coverage import SynthesisCoverage
from monai_ethics.synthesis.data.feature_sets import FeatureSets

CHECK = SynthesisCoverage(splits=6, replicated=2)


def sets(*, synthetic=None, n=80, seed=0):
    """Real images of two kinds."""
    train, holdout, made = np.random.default_rng(seed).standard_normal((3, n, 6))
    for rows in (train, holdout, made):
        rows[: n // 2, 0] += 10
    return FeatureSets(
        train=train,
        train_patients=[f"t{i}" for i in range(n)],
        holdout=holdout,
        holdout_patients=[f"h{i}" for i in range(n)],
        synthetic=made if synthetic is None else synthetic,
    )


def found(finding, name):
    (estimate,) = [e for e in finding.estimates if e.name == name]
    return estimate


def test_a_perfect_generator_is_at_the_floor_and_not_at_one():
    finding = CHECK(sets())
    for name in ("precision", "recall", "coverage"):
        excess = found(finding, f"{name}_excess")
        assert excess.low is None or excess.low <= 0 <= excess.high
        assert 0.6 < found(finding, f"{name}_floor").value < 1
    assert "not shown" in finding.statement


def test_a_kind_that_is_never_generated_is_not_covered():
    finding = CHECK(sets(synthetic=np.random.default_rng(5).standard_normal((80, 6))))
    assert found(finding, "coverage").value < 0.6
    assert found(finding, "coverage_excess").high < -0.2
    assert found(finding, "precision").value > 0.8
    assert "synthetic images leave out more" in finding.statement


def test_noise_is_not_precise():
    finding = CHECK(sets(synthetic=20 * np.random.default_rng(5).standard_normal((80, 6))))
    assert found(finding, "precision").value < 0.1
    assert found(finding, "precision_excess").high < 0


def test_shares_and_their_intervals_stay_between_0_and_1():
    for data in (sets(), sets(synthetic=100 + np.random.default_rng(5).standard_normal((80, 6)))):
        for estimate in CHECK(data).estimates:
            if not estimate.name.startswith("density") and not estimate.name.endswith("_excess"):
                assert 0 <= estimate.value <= 1
                assert estimate.low is None or 0 <= estimate.low <= estimate.high <= 1


def test_replicates_that_are_all_equal_give_no_interval():
    finding = CHECK(sets(synthetic=100 + np.random.default_rng(5).standard_normal((80, 6))))
    precision = found(finding, "precision")
    assert (precision.value, precision.low) == (0, None)
    assert "All replicates are equal" in precision.reason


def test_more_neighbors_than_images_are_not_assessable():
    finding = SynthesisCoverage(neighbors=40)(sets())
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "too few for 40 neighbors" in finding.reason


def test_images_that_are_all_the_same_cover_nothing_that_is_defined():
    flat = FeatureSets(
        train=np.ones((2, 4)),
        train_patients=["a", "b"],
        holdout=np.ones((60, 4)),
        holdout_patients=[f"h{i}" for i in range(60)],
        synthetic=np.ones((60, 4)),
    )
    finding = SynthesisCoverage(splits=2, replicated=1)(flat)
    assert all(row.value is None and row.reason for row in finding.estimates)
    assert "no share is defined" in finding.statement
