# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from monai_ethics.cohort.grid import pixel_centers
from monai_ethics.cohort.physics import SITE_NAMES, acquire, signal, site_of


@pytest.mark.parametrize("name", SITE_NAMES)
def test_tissues_have_the_order_that_radiologists_know(name):
    flair, t1, t2 = (signal(site_of(name, contrast)) for contrast in ("FLAIR", "T1w", "T2w"))
    assert flair["lesion"] > flair["gray"] > flair["white"] > flair["fluid"]
    assert t1["white"] > t1["gray"] > t1["fluid"]
    assert t2["fluid"] > t2["lesion"] > t2["gray"] > t2["white"]


def test_a_noisier_site_gives_a_noisier_image():
    points = pixel_centers((48, 48), height_mm=20.0)[..., 0, :]
    spread = {}
    for name in "AC":
        generator = torch.Generator().manual_seed(0)
        image = acquire(torch.ones(48, 48), points, site=site_of(name, "FLAIR"), generator=generator)
        spread[name] = float((image[1:] - image[:-1]).std() / image.mean())
    assert spread["C"] > 1.5 * spread["A"]
