# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

pytestmark = pytest.mark.slow

SMOOTH = torch.nn.functional.interpolate(
    torch.rand(8, 1, 12, 12, generator=torch.Generator().manual_seed(0)), size=64, mode="bilinear"
)
PATIENTS = ["a", "a", "b", "b", "c", "c", "d", "d"]


def pairs(synthetic=SMOOTH, real=SMOOTH, **more):
    from monai_ethics.metrics.ms_ssim import ms_ssim_pairs

    return ms_ssim_pairs(synthetic, real, **{"real_patients": PATIENTS, "size": 64, **more})


def test_a_set_without_variety_is_alike_and_a_varied_one_is_not():
    collapsed = SMOOTH[:1] + 0.001 * torch.rand(SMOOTH.shape, generator=torch.Generator().manual_seed(1))
    found = pairs(collapsed)
    assert min(found.synthetic) > 0.99
    assert np.mean(found.real) < 0.5
    assert len(found.synthetic) == 8 * 7 // 2
    assert sorted(found.real_pairs) == [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]


def test_the_value_is_monais():
    from monai.metrics import MultiScaleSSIMMetric

    from monai_ethics.synthesis.features.preprocessing import Preprocessing

    two = (Preprocessing(size=176, scale="range", channels=1)(SMOOTH[:2]) + 1) / 2
    expected = float(MultiScaleSSIMMetric(spatial_dims=2)(two[:1], two[1:]))
    found = pairs(SMOOTH[:2], size=None)
    assert found.synthetic[0] == pytest.approx(expected, abs=1e-6)


def test_pairs_are_of_different_patients_and_follow_the_seed_alone():
    state = torch.get_rng_state()
    first, again, other = (pairs(pairs=4, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert first == again
    assert first != other
    assert len(first.real) == 4
    assert all(one != two for one, two in first.real_pairs)


def test_images_are_read_when_they_are_needed():
    class Stored:
        def __len__(self):
            return 8

        def __getitem__(self, index):
            return SMOOTH[index]

    assert pairs(Stored(), Stored()) == pairs()


def test_units_of_synthetic_images_are_kept_apart():
    found = pairs(synthetic_units=["u", "u", "u", "u", "v", "v", "v", "v"])
    assert found.synthetic_pairs == (("u", "v"),)


def test_volumes_are_compared_in_3d():
    volumes = torch.rand(3, 1, 16, 20, 24, generator=torch.Generator().manual_seed(0))
    found = pairs(volumes, volumes, real_patients=["a", "b", "c"], size=16)
    assert len(found.synthetic) == 3
    assert max(found.synthetic) < 0.9


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"real_patients": ["a"] * 8}, "at least two different units"),
        ({"real_patients": ["a"]}, "a unit or patient for each image"),
        ({"size": 10}, "`size` must be at least 22"),
        ({"real": torch.rand(8, 1, 9, 9, 9)}, "all 2D or all 3D"),
    ],
)
def test_unusable_sets_are_refused(more, message):
    with pytest.raises(ValueError, match=message):
        pairs(**more)
