# SPDX-License-Identifier: Apache-2.0
import io

import numpy as np
import pytest

from monai_ethics.reporting.gallery import ImagePair, render_gallery, thumbnail

IMAGES = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
HOSTILE = '"><script>alert(1)</script>'


def opened(picture):
    return np.asarray(IMAGES.open(io.BytesIO(picture.png)))


def test_a_slice_keeps_its_proportions_and_fills_the_window():
    shown = opened(thumbnail(np.linspace(0, 1, 40 * 20).reshape(40, 20), label="a", side=80))
    assert shown.shape == (80, 40)
    assert (shown.min(), shown.max()) == (0, 255)


def test_nifti_axes_are_shown_with_the_nose_up():
    image = np.zeros((8, 16))
    image[:, -1] = 1  # the most anterior line
    shown = opened(thumbnail(image, label="a", rows_first=False, side=16))
    assert shown.shape == (16, 8)
    assert shown[0].min() == 255
    assert shown[-1].max() == 0


def test_a_volume_shows_three_planes_and_a_constant_image_is_black():
    assert opened(thumbnail(np.random.default_rng(0).random((8, 8, 8)), label="a", side=16)).shape == (16, 48)
    assert not opened(thumbnail(np.full((4, 4), 7.0), label="a", side=4)).any()


def test_what_is_no_image_is_refused_in_one_sentence():
    with pytest.raises(ValueError, match="a 2D or 3D image: got 1 dimensions"):
        thumbnail(np.zeros(3), label="a")


def test_the_page_escapes_what_it_shows_and_loads_nothing():
    picture = thumbnail(np.eye(4), label=HOSTILE)
    pair = ImagePair(kind=HOSTILE, train=picture, synthetic=picture, measured=HOSTILE, note=HOSTILE)
    page = render_gallery([picture], [pair], total=9)
    assert "<script" not in page
    assert page.count("data:image/png;base64,") == 3
    assert "http" not in page.replace("http-equiv", "")
    assert "1 of 9" in page


def test_a_page_without_pairs_says_so():
    assert "No pair is listed." in render_gallery([], [], total=0)
