# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.real_overlap import RealOverlap

CHECK = RealOverlap()
N = 40


def sets(*, seed=0, **kept):
    rng = np.random.default_rng(seed)
    train, holdout = rng.standard_normal((2, N, 16))
    given = {
        "train": train,
        "train_patients": [f"t{i}" for i in range(N)],
        "holdout": holdout,
        "holdout_patients": [f"h{i}" for i in range(N)],
        "synthetic": np.zeros((0, 16)),
        "train_items": [f"x{i}" for i in range(N)],
        "holdout_items": [f"y{i}" for i in range(N)],
    }
    return FeatureSets(**{**given, **kept})


def numbers(finding):
    return {estimate.name: estimate.value for estimate in finding.estimates}


def test_without_overlap_nothing_is_found():
    finding = CHECK(sets())
    assert finding.verdict is Verdict.MEASURED
    assert set(numbers(finding).values()) == {0}
    assert finding.observations == ()
    assert finding.estimates[2].high == pytest.approx(0.0876, abs=1e-3)


def test_images_in_both_sets_are_counted_by_patient_and_listed():
    data = sets()
    holdout = data.holdout["features"].copy()
    holdout[3:5] = data.train["features"][7] + 1e-6
    finding = CHECK(sets(holdout=holdout))
    found = numbers(finding)
    assert found["overlapping_patients"] == 2
    assert found["same_patients"] == 0
    assert found["repeated_holdout_patients"] == 2
    assert found["overlapping_share"] == 2 / N
    pairs = {tuple(item.items) for item in finding.observations if "across" in item.label}
    assert pairs == {("x7", "y3"), ("x7", "y4")}


def test_equal_digests_are_one_image_whatever_the_features():
    marks = {"train_digests": ["a", *[None] * (N - 1)], "holdout_digests": [*[None] * (N - 1), "a"]}
    finding = CHECK(sets(**marks))
    assert numbers(finding)["overlapping_patients"] == 1
    (pair,) = finding.observations
    assert pair.note.startswith("The same content")
    assert pair.value > 1


def test_a_flipped_image_is_found_with_views():
    flip = np.arange(16)[::-1]
    data = sets()
    holdout = data.holdout["features"].copy()
    holdout[0] = data.train["features"][0, flip]
    assert numbers(CHECK(sets(holdout=holdout)))["overlapping_patients"] == 0
    views = {
        "train_views": {"features": data.train["features"][:, None, flip]},
        "holdout_views": {"features": holdout[:, None, flip]},
    }
    assert numbers(CHECK(sets(holdout=holdout, **views)))["overlapping_patients"] == 1


def test_several_images_of_one_patient_are_no_duplicates():
    train = sets().train["features"].copy()
    train[1] = train[0]
    same = [f"t{i // 2}" for i in range(N)]
    assert numbers(CHECK(sets(train=train, train_patients=same)))["repeated_train_patients"] == 0
    assert numbers(CHECK(sets(train=train)))["repeated_train_patients"] == 2


def test_a_patient_in_both_sets_overlaps_by_name():
    names = ["t0", *[f"h{i}" for i in range(1, N)]]
    found = numbers(CHECK(sets(holdout_patients=names)))
    assert found["same_patients"] == found["overlapping_patients"] == 1


def test_fewer_than_two_patients_are_not_assessable():
    finding = CHECK(sets(holdout_patients=["h"] * N))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "got 40 and 1" in finding.reason


def test_without_pseudonyms_no_pair_is_named():
    assert CHECK(sets(holdout=sets().train["features"], train_items=None)).observations == ()


def test_an_image_that_occurs_everywhere_is_counted_for_all_who_have_it():
    found = numbers(CHECK(sets(train=np.ones((N, 16)), holdout=np.ones((N, 16)))))
    assert found["overlapping_patients"] == found["repeated_train_patients"] == found["repeated_holdout_patients"] == N
