# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from monai_ethics.synthesis.features.extract import batches, extract
from monai_ethics.synthesis.features.pixels import PixelExtractor
from monai_ethics.synthesis.features.random_conv import random_conv
from monai_ethics.synthesis.features.views import View

IMAGES = [torch.rand(1, 10 + (i > 3), 12) for i in range(7)]


def test_neighbors_of_one_shape_are_a_batch():
    assert [len(batch) for batch in batches(iter(IMAGES), 3)] == [3, 1, 3]
    assert torch.equal(
        torch.cat([batch[:, 0, 0] for batch in batches(iter(IMAGES), 3)]), torch.stack([i[0, 0] for i in IMAGES])
    )


def test_images_are_taken_one_batch_at_a_time():
    held = []

    def stream():
        for image in IMAGES:
            held.append(len(held))
            yield image

    taken = batches(stream(), 2)
    next(taken)
    assert len(held) <= 3


def test_every_space_and_view_is_computed_in_order():
    seen = []
    flip = View(flip=(0,))
    found = extract(
        iter(IMAGES),
        [random_conv(2, size=16), PixelExtractor(spatial_dims=2, size=4)],
        views=[flip],
        batch_size=3,
        progress=seen.append,
    )
    assert seen == [3, 4, 7]
    assert {name: rows.shape for name, rows in found.features.items()} == {
        "random convolutions 2D": (7, 480),
        "raw pixels 4x4": (7, 16),
    }
    flipped = PixelExtractor(spatial_dims=2, size=4)(flip(IMAGES[5][None])).numpy()
    np.testing.assert_allclose(found.views["raw pixels 4x4"][5], flipped, atol=1e-6)
    assert found.protocols["raw pixels 4x4"].width == 16


def test_the_size_of_batches_changes_nothing():
    one, many = (
        extract(IMAGES, [random_conv(2, size=16)], batch_size=size).features["random convolutions 2D"]
        for size in (1, 7)
    )
    np.testing.assert_allclose(one, many, atol=1e-6)


def test_unusable_calls_are_refused():
    with pytest.raises(ValueError, match="at least one image"):
        extract([], [PixelExtractor(spatial_dims=2)])
    with pytest.raises(ValueError, match="names of their own"):
        extract(IMAGES, [PixelExtractor(spatial_dims=2)] * 2)
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        extract(IMAGES, [PixelExtractor(spatial_dims=2)], batch_size=0)
