# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from monai_ethics.errors import InputError
from monai_ethics.provenance.watermark.detect import detect
from monai_ethics.provenance.watermark.embed import MOST, embed
from monai_ethics.provenance.watermark.pattern import pattern

KEY, OTHER = b"k" * 32, b"o" * 32
SMALL, MIDDLE = (48, 48, 32), (72, 72, 56)


def test_the_pattern_is_found_with_its_key_and_with_no_other(phantom):
    image = phantom(0, MIDDLE)
    marked = embed(image, KEY, synthetic="yes")
    found = detect(marked.image, KEY)
    assert found.found()
    assert found.p_value < 1e-12
    assert not detect(marked.image, OTHER).found()
    assert not detect(image, KEY).found()


def test_a_flat_image_carries_it_as_well(phantom):
    image = phantom(1, (160, 160))
    assert detect(embed(image, KEY, synthetic="yes").image, KEY).found()
    assert not detect(image, KEY).found()


def test_the_change_is_a_quarter_of_the_noise_inside_the_body_only(phantom):
    image = phantom(2)
    marked = embed(image, KEY, synthetic="yes")
    change = marked.image - image
    assert marked.amplitude == pytest.approx(MOST * marked.noise)
    assert marked.noise == pytest.approx(8, rel=0.2)
    assert np.abs(change).max() == pytest.approx(marked.amplitude, rel=1e-4)
    assert (change != 0).sum() == pytest.approx(marked.pixels)
    corner = np.zeros(image.shape, bool)
    corner[:4] = corner[-4:] = True
    assert not change[corner].any()


def test_what_is_to_be_spared_is(phantom):
    image = phantom(3, SMALL)
    spare = np.zeros(SMALL, bool)
    spare[20:28, 20:28, 12:20] = True
    change = embed(image, KEY, synthetic="yes", spare=spare).image - image
    assert not change[spare].any()


def test_whole_numbers_stay_whole_numbers(phantom):
    image = np.clip(np.rint(phantom(4, SMALL)), 0, None).astype(np.uint16)
    marked = embed(image, KEY, synthetic="yes").image
    assert marked.dtype == np.uint16
    assert detect(marked, KEY).found()


@pytest.mark.parametrize("synthetic", ["no", "unknown", "partial", ""])
def test_only_synthetic_images_are_watermarked(phantom, synthetic):
    with pytest.raises(InputError, match="known to be synthetic"):
        embed(phantom(0, SMALL), KEY, synthetic=synthetic)


def test_a_label_map_never_is(phantom):
    labels = (phantom(0, SMALL) > 300).astype(np.int16) * 3
    for given in (labels, labels.astype(np.float32), labels.astype(bool)):
        with pytest.raises(InputError, match="label map"):
            embed(given, KEY, synthetic="yes")


def test_what_cannot_carry_a_pattern_is_refused(phantom):
    image = phantom(0, SMALL)
    with pytest.raises(InputError, match="strength"):
        embed(image, KEY, synthetic="yes", strength=0.3)
    with pytest.raises(InputError, match="finite"):
        embed(np.where(image > 800, np.nan, image), KEY, synthetic="yes")
    with pytest.raises(InputError, match="rounding"):
        embed((image / 8).astype(np.int16), KEY, synthetic="yes")
    with pytest.raises(InputError, match="16 bytes"):
        embed(image, b"short", synthetic="yes")
    with pytest.raises(InputError, match="1000 pixels"):
        embed(image[:8, :8, :8], KEY, synthetic="yes")
    with pytest.raises(InputError, match="2D and 3D"):
        detect(image[None], KEY)


def test_the_pattern_is_the_keys_and_has_no_mean():
    first, second = pattern(3, KEY), pattern(3, OTHER)
    assert set(first.unique().tolist()) == {-1.0, 1.0}
    assert abs(float(first.mean())) < 0.01
    assert abs(float((first * second).mean())) < 0.01
    assert torch.equal(first, pattern(3, KEY))


def test_a_crop_and_a_flip_are_searched(phantom):
    marked = embed(phantom(5), KEY, synthetic="yes").image
    found = detect(marked[7:80:1, ::-1, 3:60], KEY)
    assert found.found()
    assert found.flips == (1,)
    assert found.places == 8 * 128**3


@pytest.mark.gpu
def test_a_gpu_finds_what_a_cpu_embeds(phantom):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    marked = embed(phantom(6), KEY, synthetic="yes", device="cuda").image
    assert detect(marked, KEY, device="cuda").z == pytest.approx(detect(marked, KEY).z, rel=1e-3)
