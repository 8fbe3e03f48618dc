# SPDX-License-Identifier: Apache-2.0
"""What the pattern survives, and how often it is seen where there is none; run with ``-m slow -s``."""

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from monai_ethics.provenance.watermark.detect import detect
from monai_ethics.provenance.watermark.embed import embed

pytestmark = pytest.mark.slow
KEY = b"k" * 32
ATTACKS = {
    "none": lambda x: x,
    "flip": lambda x: x[::-1, :, ::-1],
    "gamma 1.3": lambda x: np.sign(x) * np.abs(x / 1000) ** 1.3 * 1000,
    "crop to 64 x 64 x 48": lambda x: x[11:75, 9:73, 5:53],
    "8 bit": lambda x: np.round(np.clip(x, 0, 1000) / 1000 * 255),
    "blur 0.7": lambda x: ndimage.gaussian_filter(x, 0.7),
    "median of 3": lambda x: ndimage.median_filter(x, 3),
    "half the grid and back": lambda x: ndimage.zoom(ndimage.zoom(x, 0.5, order=1), 2, order=1),
    "rotation 2 degrees": lambda x: ndimage.rotate(x, 2, reshape=False, order=1),
    "rotation 10 degrees": lambda x: ndimage.rotate(x, 10, reshape=False, order=1),
    "another grid (x 0.8)": lambda x: ndimage.zoom(x, 0.8, order=1),
}
LOST = {"rotation 10 degrees", "another grid (x 0.8)"}
EACH = 3


@pytest.fixture(scope="module")
def pair(phantom):
    """`pair(seed)`: a phantom, and what it is with a pattern."""
    return cache(lambda seed: (phantom(seed), embed(phantom(seed), KEY, synthetic="yes").image))


@pytest.mark.parametrize("name", ATTACKS)
def test_what_an_attack_leaves(name, pair):
    attack = ATTACKS[name]
    clean, marked = ([detect(attack(pair(seed)[which]), KEY) for seed in range(EACH)] for which in (0, 1))
    found = sum(one.found() for one in marked)
    least, most = min(one.z for one in marked), max(one.z for one in clean)
    print(f"{name}: {found} of {EACH} found, z at least {least:.1f}; without a pattern z at most {most:.1f}")
    assert not any(one.found() for one in clean)
    assert found == (0 if name in LOST else EACH)


def test_mixing_with_another_image_halves_the_pattern(pair, phantom):
    assert detect(0.5 * pair(0)[1] + 0.5 * phantom(100), KEY).found()


def test_false_alarms_over_many_images_and_keys(phantom):
    """The chance that is stated is an upper bound: at .05 no more than binomial limits of .05 may be seen."""
    n, alarms, highest = 200, 0, 0.0
    images = [phantom(seed, (48, 48, 32)) for seed in range(20)] + [phantom(seed, (200, 200)) for seed in range(20)]
    for number in range(n):
        found = detect(images[number % len(images)], number.to_bytes(32, "big"))
        alarms += found.found(significance=0.05)
        highest = max(highest, found.z)
    print(f"{alarms} of {n} images without a pattern reach p <= .05; highest z {highest:.2f}")
    assert alarms <= 20  # 99.5 % point of Binomial(200, .05)
