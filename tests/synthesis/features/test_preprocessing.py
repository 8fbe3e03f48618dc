# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from monai_ethics.synthesis.features.pixels import PixelExtractor, raw_pixels
from monai_ethics.synthesis.features.preprocessing import Preprocessing

IMAGES = torch.rand(3, 1, 20, 24, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(20, 24), (9, 10, 30)])
def test_shrinking_is_that_of_the_raw_pixels(shape):
    images = torch.rand(3, 1, *shape)
    prepared = Preprocessing(size=8, scale="standard")(images)
    np.testing.assert_allclose(prepared.flatten(1), raw_pixels(list(images[:, 0].numpy()), size=8), atol=1e-5)


def test_gain_and_offset_leave_a_standardized_image_as_it_was():
    for scale in ("standard", "range"):
        prepare = Preprocessing(size=8, scale=scale)
        torch.testing.assert_close(prepare(IMAGES * 7 - 3), prepare(IMAGES), atol=1e-5, rtol=0)
    kept = Preprocessing(scale="none")(IMAGES)
    assert torch.equal(kept, IMAGES)


def test_the_range_is_cut_off_at_its_ends():
    image = torch.linspace(0, 1, 1024).reshape(1, 1, 32, 32).clone()
    image[0, 0, 0, 0] = 1000
    prepared = Preprocessing(scale="range")(image)
    assert (float(prepared.min()), float(prepared.max())) == (-1, 1)
    assert abs(float(prepared.median())) < 0.01


def test_one_channel_is_repeated_and_several_are_averaged():
    assert Preprocessing(channels=3)(IMAGES).shape == (3, 3, 20, 24)
    colored = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(Preprocessing(channels=1, scale="none")(colored), colored.mean(1, keepdim=True))
    assert Preprocessing(channels=3, scale="none")(colored).shape == colored.shape
    with pytest.raises(ValueError, match="Expected images of 1 or 4 channels: got 3"):
        Preprocessing(channels=4)(colored)


def test_a_constant_image_becomes_zeros():
    for scale in ("standard", "range"):
        assert not Preprocessing(scale=scale)(torch.full((1, 1, 5, 5), 7.3)).any()


@pytest.mark.parametrize("settings", [{"scale": "other"}, {"size": 0}, {"channels": 0}])
def test_unusable_settings_are_refused(settings):
    with pytest.raises(ValueError, match="must be"):
        Preprocessing(**settings)


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="Images must be finite"):
        Preprocessing()(torch.full((1, 1, 4, 4), torch.nan))


def test_raw_pixels_are_an_extractor():
    extractor = PixelExtractor(spatial_dims=2)
    np.testing.assert_array_equal(extractor(IMAGES).numpy(), raw_pixels(list(IMAGES[:, 0].numpy())))
    assert (extractor.protocol.name, extractor.protocol.width) == ("raw pixels 16x16", 256)
    assert extractor.protocol.fitted_on_train is False
    assert extractor(IMAGES[:0]).shape == (0, 256)
    assert PixelExtractor(spatial_dims=3, size=2)(torch.rand(2, 1, 1, 5, 6)).shape == (2, 8)
    with pytest.raises(ValueError, match="Images must be finite"):
        extractor(torch.full((1, 1, 4, 4), torch.inf))
    with pytest.raises(ValueError, match="got 5 axes"):
        extractor(torch.rand(1, 1, 4, 4, 4))
    with pytest.raises(ValueError, match="2 or 3 dimensions"):
        PixelExtractor(spatial_dims=1)
