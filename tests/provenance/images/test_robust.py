# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.robust import NEAR, distance, is_hash, robust_v1, turned
from monai_ethics.provenance.registry.near import nearest


def body(seed, shape=(40, 44, 36)):
    """A smooth random object in an empty field."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1.6, 1.6, size) for size in shape], indexing="ij"))
    inside = (grid**2).sum(0) < 1
    texture = gaussian_filter(rng.normal(size=shape), 3)
    return ((1 + 8 * texture) * inside).clip(0).astype(np.float32) * 500


def hash_of(array, affine=None):
    return robust_v1(array, axes="xyztc"[: array.ndim] if array.ndim != 2 else "xy", affine=affine)


@pytest.mark.parametrize(("shape", "digits", "bits"), [((40, 44, 36), 54, 215), ((40, 44), 36, 143)])
def test_a_hash_has_one_bit_a_coefficient(shape, digits, bits):
    text = hash_of(body(0, shape))
    assert len(text) == digits
    assert is_hash(text)
    assert int(text, 16) % 2 ** (8 * digits // 2 - bits) == 0
    assert turned(text).shape == (8, digits // 2)
    assert distance(text, text) == 0


@pytest.mark.parametrize("shape", [(40, 44, 36), (60, 52)])
def test_edits_move_few_bits_and_other_images_many(shape):
    image = body(0, shape)
    text = hash_of(image)
    inner = tuple(slice(4, -4) for _ in shape)
    edits = {
        "crop": image[inner],
        "pad": np.pad(image, 9),
        "resample": zoom(image, 0.7, order=1),
        "eight bit": np.clip(image / image.max() * 255, 0, 255).astype(np.uint8),
        "rescaled": 3 * image - 100,
        "noise": image + np.random.default_rng(1).normal(0, 0.03 * image.max(), shape).astype(np.float32),
    }
    assert {name: distance(text, hash_of(edit)) <= NEAR for name, edit in edits.items()} == dict.fromkeys(edits, True)
    others = [distance(text, hash_of(body(seed, shape))) for seed in range(1, 6)]
    assert min(others) > 2 * NEAR


def test_every_flip_and_of_flat_images_every_turn_is_the_same_image():
    image = body(3)
    for axes in itertools.chain.from_iterable(itertools.combinations(range(3), k) for k in range(4)):
        assert distance(hash_of(image), hash_of(np.flip(image, axes))) <= 0.02
    flat = body(3, (48, 48))
    for turns in range(4):
        assert distance(hash_of(flat), hash_of(np.rot90(flat, turns))) <= 0.04
        assert distance(hash_of(flat), hash_of(np.rot90(flat.T, turns))) <= 0.04


def test_the_stored_orientation_does_not_matter():
    image = body(4)
    stored = image.transpose(2, 0, 1)[::-1]
    affine = np.zeros((4, 4))
    affine[2, 0], affine[0, 1], affine[1, 2], affine[3, 3] = -2, 2, 2, 1
    assert distance(hash_of(image, np.diag([2, 2, 2, 1])), hash_of(stored, affine)) == 0


def test_time_points_and_colors_are_averaged_and_a_single_slice_is_flat():
    image = body(5)
    assert hash_of(np.stack([image, image], -1)) == hash_of(image)
    picture = body(5, (48, 40))
    color = robust_v1(np.stack([picture] * 3, -1), axes="xyc", affine=None)
    assert color == hash_of(picture) == hash_of(picture[:, :, None])


def test_what_cannot_be_told_apart_has_no_hash():
    empty = np.zeros((20, 20, 20))
    label = (body(6) > 400).astype(np.uint8)
    thin = body(6)[:3]
    assert [hash_of(array) for array in (empty, label, thin, np.full((9, 9), np.nan), np.arange(40.0)[None])] == [
        None
    ] * 5
    holes = body(6)
    holes[0, 0, 0], holes[1, 1, 1] = np.nan, np.inf
    assert distance(hash_of(holes), hash_of(body(6))) <= 0.02


def test_a_volume_and_a_flat_image_are_never_near():
    assert distance(hash_of(body(7)), hash_of(body(7, (40, 44)))) == 1
    for text in ("", "xy", "g" * 54, 7):
        assert not is_hash(text)
    with pytest.raises(InputError, match="54 or 36 hex digits"):
        turned("abc")


def test_the_nearest_registered_image_is_found_among_many(monkeypatch):
    monkeypatch.setattr("monai_ethics.provenance.registry.near._CHUNK", 100)
    rng = np.random.default_rng(0)
    known = {rng.bytes(27).hex()[:-1] + "0": f"r{index}" for index in range(950)}
    texts = [hash_of(body(seed)) for seed in range(4)]
    flats = [hash_of(body(seed, (40, 44))) for seed in range(4)]
    known |= {texts[1]: "volume", flats[2]: "flat"}
    asked = [*texts, None, *flats, hash_of(body(1)[::-1, :, ::-1])]
    found = nearest(asked, known, most=0.05)
    assert [one.record if one else None for one in found] == [
        *(None, "volume", None, None),
        None,
        *(None, None, "flat", None),
        "volume",
    ]
    exact = [[distance(text, other) for other in sorted(known) if len(other) == 54] for text in texts]
    assert [one.distance for one in nearest(texts, known, most=1)] == [min(row) for row in exact]
    assert nearest(asked, {}, most=1) == [None] * len(asked)
