# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_ethics.cohort import analytic_founders
from monai_ethics.cohort.anatomy import aged_tissue, draw_deformation
from monai_ethics.cohort.founders import COARSE
from monai_ethics.cohort.grid import cube, sample

FOUNDER = analytic_founders()["ellipsoid"]


def smallest_jacobian(deformation):
    """Smallest determinant of the displacement's Jacobian; above 0 nothing folds."""
    moved = cube(COARSE).movedim(-1, 0) + deformation.displacement
    rows = [torch.stack(torch.gradient(moved[k], spacing=2 / (COARSE - 1))) for k in range(3)]
    determinant = (rows[0] * torch.linalg.cross(rows[1], rows[2], dim=0)).sum(0)
    return float(determinant[1:-1, 1:-1, 1:-1].min())


@pytest.mark.parametrize("age", [18, 92])
def test_no_deformation_folds_the_brain(age):
    for seed in range(8):
        deformation = draw_deformation(np.random.default_rng(seed), FOUNDER, age=age, sex="M")
        assert smallest_jacobian(deformation) > 0


def test_age_enlarges_the_ventricles_and_turns_gray_matter_into_fluid():
    fluid = []
    for age in (20, 50, 85):
        at = draw_deformation(np.random.default_rng(0), FOUNDER, age=age, sex="F")(cube(48))
        fluid.append(float(aged_tissue(sample(FOUNDER.maps, at)[:3], age)[2].sum()))
    assert fluid[0] < fluid[1] < fluid[2]


def test_women_are_smaller_on_average():
    volume = {
        sex: sum(
            float(
                sample(FOUNDER.maps, draw_deformation(np.random.default_rng(seed), FOUNDER, age=45, sex=sex)(cube(32)))[
                    :3
                ].sum()
            )
            for seed in range(4)
        )
        for sex in "FM"
    }
    assert volume["F"] == pytest.approx(0.96**3 * volume["M"], rel=0.03)


def test_tissue_is_kept_when_gray_matter_is_lost():
    tissue = torch.rand(3, 10) / 3
    assert torch.allclose(aged_tissue(tissue, 80).sum(0), tissue.sum(0))
