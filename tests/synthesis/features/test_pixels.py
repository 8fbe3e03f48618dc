# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.synthesis.features.pixels import area_weights, raw_pixels

RNG = np.random.default_rng(0)
IMAGE = RNG.random((48, 32))


def test_each_output_pixel_is_the_mean_of_its_area():
    assert area_weights(4, 2).tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]
    np.testing.assert_allclose(area_weights(3, 2), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]])
    np.testing.assert_allclose(area_weights(1, 3), [[1], [1], [1]])
    by_hand = IMAGE.reshape(16, 3, 16, 2).mean(axis=(1, 3))
    by_hand = (by_hand - by_hand.mean()) / by_hand.std()
    np.testing.assert_allclose(raw_pixels([IMAGE])[0], by_hand.ravel(), atol=1e-6)


def test_rows_have_mean_zero_and_spread_one_and_sizes_may_differ():
    features = raw_pixels([IMAGE, RNG.random((1, 17, 90))])
    assert features.shape == (2, 256)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(features.std(axis=1), 1, atol=1e-5)


def test_gain_offset_and_precision_do_not_matter():
    np.testing.assert_allclose(raw_pixels([IMAGE]), raw_pixels([300 * IMAGE - 20]), atol=1e-5)
    assert np.abs(raw_pixels([IMAGE]) - raw_pixels([np.round(IMAGE * 255)])).max() < 0.05


def test_fine_stripes_do_not_alias():
    stripes = np.zeros((160, 160))
    stripes[:, ::2] = 1
    assert np.abs(raw_pixels([stripes])).max() == 0


def test_a_volume_becomes_a_cube_and_a_constant_image_zeros():
    assert raw_pixels([RNG.random((9, 20, 30))], size=4).shape == (1, 64)
    assert not raw_pixels([np.full((8, 8), 1e9)]).any()


def test_nothing_gives_nothing():
    assert raw_pixels([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([IMAGE, np.zeros((4, 4, 4))], "all 3D: image 1"),
        ([np.zeros((2, 2, 2, 2))], "Image 0 must be a 2D or 3D"),
        ([np.zeros((0, 4))], "with pixels"),
        ([IMAGE, np.full((4, 4), np.nan)], "Image 1 must be finite"),
    ],
)
def test_unusable_images_are_refused_by_position(images, message):
    with pytest.raises(ValueError, match=message):
        raw_pixels(images)


def test_a_size_below_one_is_refused():
    with pytest.raises(ValueError, match="`size` must be at least 1"):
        raw_pixels([IMAGE], size=0)
