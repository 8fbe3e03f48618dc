# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy import ndimage


@pytest.fixture(scope="session")
def phantom():
    """`phantom(seed, shape)`: a head of ellipsoids with a bright rim and noise of 8 in values up to 900."""

    def make(seed, shape=(96, 96, 64), noise=8.0):
        rng = np.random.default_rng(seed)
        grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij"))

        def inside(center, radius):
            return sum(((g - c) / r) ** 2 for g, c, r in zip(grid, center, radius, strict=True)) < 1

        image = np.zeros(shape)
        radius = rng.uniform(0.7, 0.85, len(shape))
        image[inside(0 * radius, radius)] = 900
        image[inside(0 * radius, 0.92 * radius)] = 500
        for _ in range(8):
            image[inside(rng.uniform(-0.4, 0.4, len(shape)), rng.uniform(0.08, 0.3, len(shape)))] = rng.uniform(
                200, 800
            )
        return ndimage.gaussian_filter(image, 0.7) + rng.normal(0, noise, shape)

    return make
