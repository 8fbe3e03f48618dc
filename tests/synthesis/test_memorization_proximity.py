# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.protocol import FeatureProtocol
from monai_ethics.synthesis.memorization_proximity import MemorizationProximity

CHECK = MemorizationProximity(splits=19)
P_VALUE = "p_value_closer_to_training_than_real_images_are"
N = 60


def sets(*, copies=0, noise=1e-3, seed=0, **kept):
    rng = np.random.default_rng(seed)
    train, holdout, synthetic = rng.standard_normal((3, N, 24))
    synthetic[:copies] = train[:copies] + noise * rng.standard_normal((copies, 24))
    names = {"train_patients": [f"t{i}" for i in range(N)], "holdout_patients": [f"h{i}" for i in range(N)]}
    arrays = {"train": train, "holdout": holdout, "synthetic": synthetic}
    return FeatureSets(**{**arrays, **names, "split_random": True, **kept})


def numbers(finding):
    return {estimate.name: estimate.value for estimate in finding.estimates}


def test_copies_lie_closer_and_every_measure_stands_beside_its_floor():
    finding = CHECK(sets(copies=8))
    found = numbers(finding)
    assert found[P_VALUE] < 0.01
    assert found["closer_to_training_than_real_images_are"] >= 8
    assert found["outlying_images"] == pytest.approx(8 / N)
    assert found["outlying_images_floor"] == 0
    for name in ("outlying_images", "authenticity", "correlation_above_threshold"):
        assert found[f"{name}_excess"] == pytest.approx(found[name] - found[f"{name}_floor"])
    assert found["copying_z"] is not None
    assert found["copying_z_floor"] < 0


def test_the_statement_says_what_else_it_answers_to_and_judges_nothing():
    finding = CHECK(sets())
    assert finding.verdict is Verdict.MEASURED
    assert finding.limit is None
    assert "smoother or less varied" in finding.statement
    assert "never an all-clear" in finding.statement
    assert numbers(finding)[P_VALUE] > 0.05


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"split_random": False}, "not on record"),
        ({"conditioned_on_train": True}, "inputs of training patients"),
        ({"synthetic_sources": ["t0"] + [None] * (N - 1)}, "inputs of training patients"),
        ({"train_sites": ["a"] * N, "holdout_sites": ["a"] * N}, "have none"),
    ],
)
def test_where_the_p_value_has_no_meaning_it_has_no_value(changes, reason):
    finding = CHECK(sets(copies=8, **changes))
    assert finding.verdict is Verdict.MEASURED
    assert finding.estimates[0].value is None
    assert reason in finding.estimates[0].reason
    assert "no p-value" in finding.statement
    assert numbers(finding)["outlying_images"] > 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoder_trained_on_train": True}, "No space of features is left"),
        ({"holdout_patients": [f"t{i}" for i in range(N)]}, "in training and in the holdout"),
        ({"holdout": np.zeros((0, 24)), "holdout_patients": []}, "got 60, 0 and 60"),
        ({"holdout_patients": ["h"] * N}, "got 60, 1 and 60"),
    ],
)
def test_a_broken_condition_is_not_assessable(changes, reason):
    finding = CHECK(sets(**changes))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert reason in finding.reason


def test_a_patient_with_many_images_gives_one_to_the_test():
    finding = CHECK(
        sets(holdout_patients=[f"h{i // 3}" for i in range(N)], synthetic_units=[str(i // 2) for i in range(N)])
    )
    assert finding.estimates[0].n == 20 + 30
    share = next(estimate for estimate in finding.estimates if estimate.name == "authenticity_floor")
    assert "Rao-Scott" in share.method


def test_several_spaces_have_one_p_value_and_their_own_measures():
    data = sets(copies=8)
    rng = np.random.default_rng(4)
    spaces = {
        role: {"own": getattr(data, role)["features"], "noise": rng.standard_normal((N, 6)), "fitted": np.ones((N, 1))}
        for role in ("train", "holdout", "synthetic")
    }
    fitted = {"fitted": FeatureProtocol(name="fitted", width=1, fitted_on_train=True)}
    check = MemorizationProximity(splits=3, permutations=199)
    finding = check(sets(**spaces, protocols=fitted))
    assert [estimate.name for estimate in finding.estimates].count(P_VALUE) == 1
    groups = [estimate.group["space"] for estimate in finding.estimates if estimate.name == "authenticity"]
    assert groups == ["own", "noise"]
    assert list(finding.parameters["spaces_left_out"]) == ["fitted"]


def test_two_features_have_no_correlation_and_say_so():
    rng = np.random.default_rng(1)
    arrays = {role: rng.standard_normal((N, 2)) for role in ("train", "holdout", "synthetic")}
    found = {estimate.name: estimate for estimate in CHECK(sets(**arrays)).estimates}
    assert found["correlation_above_threshold"].value is None
    assert "three features" in found["correlation_above_threshold"].reason


def test_the_twin_of_a_source_that_was_left_out_as_a_duplicate_is_not_forgotten():
    data = sets()
    train = np.array(data.train["features"])
    train[1] = train[0]  # patients t0 and t1 share an image, and t1 is left out
    finding = CHECK(sets(train=train, synthetic_sources=["t1"] + [None] * (N - 1)))
    assert finding.accounting["train_images_left_out_as_duplicates"] == 1
    assert "inputs of training patients" in finding.estimates[0].reason


def test_too_few_images_for_any_small_p_value_have_none():
    rows = np.random.default_rng(0).standard_normal((3, 2, 24))
    names = {"train_patients": ["t0", "t1"], "holdout_patients": ["h0", "h1"]}
    finding = CHECK(sets(train=rows[0], holdout=rows[1], synthetic=rows[2], **names))
    assert finding.verdict is Verdict.MEASURED
    assert finding.estimates[0].value is None
    assert "no p-value could be 0.05 or less" in finding.estimates[0].reason
