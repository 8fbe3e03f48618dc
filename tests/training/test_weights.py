# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.training import balanced_weights


def test_every_group_and_every_patient_of_a_group_weighs_the_same():
    groups = ["F", "F", "F", "M", None, "M"]
    patients = ["a", "a", "b", "c", "d", "a"]
    expected = np.array([1 / 12, 1 / 12, 1 / 6, 1 / 6, 1 / 3, 1 / 6])
    assert balanced_weights(groups, patients) == pytest.approx(expected, abs=1e-15)


def test_without_patients_every_case_of_a_group_weighs_the_same():
    assert balanced_weights(["F", "F", "F", "M"]) == pytest.approx([1 / 6] * 3 + [1 / 2], abs=1e-15)


@pytest.mark.parametrize(("groups", "patients"), [([], None), (["F"], ["a", "b"])])
def test_lengths_must_agree(groups, patients):
    with pytest.raises(InputError, match="one patient for each"):
        balanced_weights(groups, patients)
