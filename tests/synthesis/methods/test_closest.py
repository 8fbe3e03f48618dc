# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.methods.closest import closest, patient_minima, views_compared

RNG = np.random.default_rng(0)
ROWS = {role: RNG.standard_normal((n, 6)) for role, n in (("train", 20), ("holdout", 16), ("synthetic", 30))}
VIEWS = {role: RNG.standard_normal((len(rows), 3, 6)) for role, rows in ROWS.items()}


def sets(*seen, fewer=()):
    views = {f"{role}_views": {"features": VIEWS[role][:, : 1 if role in fewer else 3]} for role in seen}
    return FeatureSets(
        **ROWS,
        train_patients=[f"t{i // 2}" for i in range(20)],
        holdout_patients=[f"h{i // 2}" for i in range(16)],
        **views,
    )


def over_views(rows, views, reference):
    return np.stack([cdist(part, reference) for part in [rows, *views.transpose(1, 0, 2)]]).min(axis=0)


def near(data):
    return closest(data, "features", queries=("train", "holdout"), reference="synthetic")


def test_without_views_it_is_the_nearest_image():
    expected = cdist(ROWS["train"], ROWS["synthetic"])
    found = near(sets())["train"]
    np.testing.assert_allclose(found.distance, expected.min(axis=1))
    np.testing.assert_array_equal(found.index, expected.argmin(axis=1))


@pytest.mark.parametrize("also", [(), ("train",), ("train", "holdout")])
def test_views_of_the_reference_come_first_and_treat_all_alike(also):
    data = sets("synthetic", *also)
    for role in ("train", "holdout"):
        expected = over_views(ROWS["synthetic"], VIEWS["synthetic"], ROWS[role]).T
        found = near(data)[role]
        np.testing.assert_allclose(found.distance, expected.min(axis=1))
        np.testing.assert_array_equal(found.index, expected.argmin(axis=1))
    assert views_compared(data, queries=("train", "holdout"), reference="synthetic") == {"features": 3}


def test_views_of_both_queried_sets_are_used_if_equally_many():
    expected = over_views(ROWS["holdout"], VIEWS["holdout"], ROWS["synthetic"])
    found = near(sets("train", "holdout"))["holdout"]
    np.testing.assert_allclose(found.distance, expected.min(axis=1))
    np.testing.assert_array_equal(found.index, expected.argmin(axis=1))


@pytest.mark.parametrize("data", [sets("train"), sets("train", "holdout", fewer=("holdout",))])
def test_views_that_one_queried_set_lacks_are_not_used(data):
    plain = near(sets())
    for role, found in near(data).items():
        np.testing.assert_array_equal(found.distance, plain[role].distance)
    assert views_compared(data, queries=("train", "holdout"), reference="synthetic") == {"features": 0}


def test_a_patient_is_as_near_as_the_nearest_image():
    data = sets()
    patients = sorted({*data.train_patients, *data.holdout_patients})
    found = patient_minima(data, patients, device="cpu")
    assert found.shape == (18, 1)
    nearest = cdist(ROWS["train"][6:8], ROWS["synthetic"]).min()
    assert found[patients.index("t3"), 0] == pytest.approx(nearest)
