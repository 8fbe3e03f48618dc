# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from monai_ethics.evidence import Finding, Verdict
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.fidelity import SynthesisFidelity

CHECK = SynthesisFidelity(splits=6, replicated=2, classified=2)


def sets(*, n=80, d=16, seed=0, **changes):
    train, holdout, synthetic = np.random.default_rng(seed).standard_normal((3, n, d))
    given = {
        "train": train,
        "train_patients": [f"t{i}" for i in range(n)],
        "holdout": holdout,
        "holdout_patients": [f"h{i}" for i in range(n)],
        "synthetic": synthetic,
    }
    return FeatureSets(**{**given, **changes})


def found(finding, name, space=None):
    (estimate,) = [e for e in finding.estimates if e.name == name and e.group.get("space") == space]
    return estimate


def test_every_distance_stands_beside_its_floor_and_excess():
    finding = CHECK(sets())
    for name in ("frechet_distance", "kid", "mmd", "nearest_neighbor_accuracy", "classifier_auc"):
        value, floor, excess = (found(finding, f"{name}{suffix}").value for suffix in ("", "_floor", "_excess"))
        assert excess == pytest.approx(value - floor)
    assert "at 40 a side" in found(finding, "mmd").estimand
    assert finding.verdict is Verdict.MEASURED
    assert "a difference is not shown" in finding.statement


def test_moved_images_differ_in_every_number():
    finding = CHECK(sets(synthetic=0.7 + np.random.default_rng(1).standard_normal((80, 16))))
    for name in ("frechet_distance", "kid", "mmd", "nearest_neighbor_accuracy"):
        assert found(finding, f"{name}_excess").low > 0
    assert found(finding, "classifier_auc_excess").value > 0.3
    assert found(finding, "frechet_distance_projected").low > 0
    assert "a difference is shown" in finding.statement


def test_less_varied_images_beat_the_frechet_floor_and_are_not_praised_for_it():
    finding = CHECK(sets(n=100, d=200, synthetic=0.9 * np.random.default_rng(1).standard_normal((100, 200))))
    assert found(finding, "frechet_distance_excess").high < 0
    assert found(finding, "mmd_excess").value > 0
    assert "no merit" in finding.statement


def test_images_of_the_holdout_lie_nearer_than_other_patients():
    data = sets()
    finding = CHECK(sets(synthetic=data.holdout["features"] + 1e-6))
    assert found(finding, "mmd_excess").high < 0
    assert "as copies of those would" in finding.statement


def test_training_images_are_not_compared_with():
    first, other = CHECK(sets()), CHECK(sets(train=np.random.default_rng(9).standard_normal((80, 16))))
    names = [e.name for e in first.estimates if e.name != "frechet_distance_projected"]
    assert [found(first, name).value for name in names] == [found(other, name).value for name in names]
    assert first.accounting["train_images_not_compared"] == 80


def test_without_training_images_there_is_no_value_between_populations():
    none = {"train": np.zeros((0, 16)), "train_patients": []}
    estimate = found(CHECK(sets(**none)), "frechet_distance_projected")
    assert estimate.value is None
    assert "training images that fix the directions" in estimate.reason


def test_spaces_are_reported_apart():
    data = sets()
    two = {role: {"a": getattr(data, role)["features"], "b": getattr(data, role)["features"][:, :4]} for role in ROLES}
    finding = CHECK(sets(**two))
    assert found(finding, "kid", "a").value != found(finding, "kid", "b").value
    assert finding.subjects == ("a", "b")


ROLES = ("train", "holdout", "synthetic")


@pytest.mark.parametrize(("patients", "units"), [(19, 80), (80, 9)])
def test_too_few_are_not_assessable(patients, units):
    data = sets().taken(holdout=range(patients), synthetic=range(units))
    finding = CHECK(data)
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert f"{patients} held-out patients and {units} synthetic units" in finding.reason
    assert sum(finding.accounting.values()) == 80 + patients + units


def test_equal_real_images_set_no_scale():
    finding = CHECK(sets(holdout=np.ones((80, 16))))
    assert found(finding, "mmd").value is None
    assert "undefined" in finding.statement


def test_many_images_of_one_patient_do_not_count_more():
    patients = [f"h{i // 2}" for i in range(80)]
    finding = CHECK(sets(holdout_patients=patients))
    assert "at 20 a side" in found(finding, "mmd").estimand
    assert found(finding, "mmd").n == 40 + 80


def test_the_finding_is_the_same_whatever_the_order_and_survives_json():
    data = sets()
    first, again = CHECK(data), CHECK(data.reordered(np.random.default_rng(1).permutation(80).tolist()))
    assert json.dumps(first.to_dict(), sort_keys=True) == json.dumps(again.to_dict(), sort_keys=True)
    assert Finding.from_dict(json.loads(json.dumps(first.to_dict()))) == first
