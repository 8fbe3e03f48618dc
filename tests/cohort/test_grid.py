# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_ethics.cohort.grid import CENTER_MM, FIELD_OF_VIEW_MM, blur, cube, image_affine, pixel_centers, sample


def test_the_affine_and_the_pixel_centers_speak_of_the_same_points():
    points = pixel_centers((32, 48), height_mm=20.0)
    world = points * (FIELD_OF_VIEW_MM / 2) + torch.tensor(CENTER_MM)
    affine = image_affine((32, 48), height_mm=20.0)
    assert np.allclose(world[3, 7, 0].numpy(), (affine @ [3, 7, 0, 1])[:3], atol=1e-4)
    assert image_affine((16, 16, 16))[2, 2] == pytest.approx(236 / 16)


def test_sampling_at_the_grid_points_gives_the_grid():
    volume = torch.rand(2, 5, 5, 5)
    assert torch.allclose(sample(volume, cube(5)), volume, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 20, 20), (1, 12, 12, 12)])
def test_blur_keeps_the_mean_of_a_centered_spot_and_spreads_it(shape):
    x = torch.zeros(shape)
    x[(slice(None), *[k // 2 for k in shape[1:]])] = 1.0
    y = blur(x, 1.0)
    assert torch.allclose(y.sum(), x.sum(), atol=1e-4)
    assert y.max() < 0.5
    assert torch.equal(blur(x, 0.0), x)
