# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.errors import NotAssessableError
from monai_ethics.synthesis.methods.projected import projected_frechet

RNG = np.random.default_rng(0)
NAMES = [f"{i:03d}" for i in range(100)]


def test_the_bias_is_taken_off_in_a_tenth_as_many_directions():
    real, synthetic, reference = RNG.standard_normal((3, 100, 400))
    found = projected_frechet(real, synthetic, reference, patients=NAMES, units=NAMES)
    assert found.dimensions == 10
    assert found.estimate.low < 0 < found.estimate.high
    moved = projected_frechet(real + 1, synthetic, reference, patients=NAMES, units=NAMES)
    assert moved.estimate.low > 0


def test_several_images_of_a_patient_count_as_one_patient():
    real, synthetic, reference = RNG.standard_normal((3, 100, 30))
    patients = [f"{i // 2}" for i in range(100)]
    found = projected_frechet(real, synthetic, reference, patients=patients, units=NAMES)
    assert (found.smallest, found.dimensions) == (50, 5)


@pytest.mark.parametrize(("n", "reference"), [(19, np.eye(30)), (100, np.zeros((0, 30))), (100, np.ones((50, 30)))])
def test_too_few_units_or_no_directions_are_not_assessable(n, reference):
    rows = RNG.standard_normal((n, 30))
    with pytest.raises(NotAssessableError):
        projected_frechet(rows, rows, reference, patients=NAMES[:n], units=NAMES[:n])
