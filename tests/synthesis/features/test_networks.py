# SPDX-License-Identifier: Apache-2.0
"""Random convolutions, EfficientNet-Lite0 and three planes."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from monai_ethics.errors import MissingDependencyError
from monai_ethics.synthesis.features import efficientnet
from monai_ethics.synthesis.features.pixels import PixelExtractor
from monai_ethics.synthesis.features.random_conv import random_conv
from monai_ethics.synthesis.features.triplanar import TriplanarExtractor, slice_positions
from monai_ethics.synthesis.kernels.frechet import frechet_distance


@pytest.mark.parametrize("dims", [2, 3])
def test_random_convolutions_repeat_themselves_and_leave_the_global_random_numbers_alone(dims):
    images = torch.rand(2, 1, *[20] * dims, generator=torch.Generator().manual_seed(0))
    state = torch.get_rng_state()
    first, again, other = (random_conv(dims, seed=seed, size=24) for seed in (5, 5, 6))
    rows = first(images)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(rows, again(images))
    assert first.protocol == again.protocol
    assert first.protocol.weights != other.protocol.weights
    assert rows.shape == (2, 480)
    assert float((rows[0] - rows[1]).abs().max()) > 1e-3


def test_random_convolutions_take_only_images():
    with pytest.raises(ValueError, match="2 or 3 dimensions"):
        random_conv(1, size=8)


def test_a_volume_gives_as_many_slices_of_each_plane_whatever_its_size():
    seen = []

    class Counting(PixelExtractor):
        def __call__(self, images):
            seen.append(tuple(images.shape))
            return super().__call__(images)

    extractor = TriplanarExtractor(Counting(spatial_dims=2, size=4), slices=5)
    rows = extractor(torch.rand(2, 1, 10, 30, 50))
    assert rows.shape == (2, 48)
    assert [shape[0] for shape in seen] == [10, 10, 10]  # five of each of two volumes, in each plane
    assert [shape[2:] for shape in seen] == [(30, 50), (10, 50), (10, 30)]
    known = extractor.protocol
    assert (known.planes, known.spatial_dims, known.width) == (True, 3, 48)
    assert "5 slices of each plane" in known.preprocessing["slices"]


def test_a_plane_is_the_mean_over_its_slices():
    volume = torch.rand(1, 1, 7, 8, 9)
    inner = PixelExtractor(spatial_dims=2, size=3)
    rows = TriplanarExtractor(inner, slices=2, margin=0)(volume)
    expected = inner(volume[0, :, [0, 6]].transpose(0, 1)).mean(0)
    torch.testing.assert_close(rows[0, :9], expected)


def test_slices_are_symmetric_and_stay_inside():
    assert slice_positions(100, 3, margin=0.15) == [15, 50, 84]
    assert slice_positions(3, 5, margin=0) == [0, 0, 1, 2, 2]
    assert slice_positions(1, 4, margin=0.15) == [0, 0, 0, 0]
    assert slice_positions(11, 1, margin=0.15) == [5]


def test_three_planes_are_for_volumes_and_2d_extractors():
    with pytest.raises(ValueError, match="got one for volumes"):
        TriplanarExtractor(PixelExtractor(spatial_dims=3))
    with pytest.raises(ValueError, match="at least one slice"):
        TriplanarExtractor(PixelExtractor(spatial_dims=2), slices=0)
    with pytest.raises(ValueError, match="Expected volumes"):
        TriplanarExtractor(PixelExtractor(spatial_dims=2))(torch.rand(1, 1, 4, 4))


def test_without_the_extra_it_is_named(monkeypatch):
    def absent(module, *, extra):
        raise MissingDependencyError(f"monai_ethics[{extra}]")

    monkeypatch.setattr(efficientnet, "need", absent)
    with pytest.raises(MissingDependencyError, match="features"):
        efficientnet.efficientnet_lite0()


@pytest.mark.slow
def test_efficientnet_answers_to_blur_noise_and_another_modality_by_how_much_there_is():
    pytest.importorskip("efficientnet_lite_pytorch")
    pydicom_data = pytest.importorskip("pydicom.data")
    import pydicom

    from monai_ethics.cohort import Cohort

    n, rng = 12, np.random.default_rng(0)
    images = np.stack([subject.image for subject in Cohort(n=2 * n, contrast="T1w", seed=3)])
    seen, changed = images[:n], images[n:]
    ct = pydicom.dcmread(pydicom_data.get_testdata_file("CT_small.dcm")).pixel_array.astype(np.float32)
    ct = (ct - ct.min()) / (ct.max() - ct.min())

    def mixed(count):
        other = [np.roll(np.rot90(ct, turn), 2 * turn, 0)[None] for turn in range(count)]
        return np.stack([*other, *changed[count:]])

    state = torch.get_rng_state()
    extractor = efficientnet.efficientnet_lite0()
    reference = extractor(torch.from_numpy(seen))
    assert torch.equal(torch.get_rng_state(), state)
    assert reference.shape == (n, 1280)

    def distance(pictures):
        return frechet_distance(reference, extractor(torch.from_numpy(pictures.astype(np.float32))))

    floor = distance(changed)
    noise = changed.max() * rng.standard_normal(changed.shape)
    for name, answers in {
        "blur, sigma 0.6 1.2 2 pixels": [distance(gaussian_filter(changed, (0, 0, s, s))) for s in (0.6, 1.2, 2)],
        "noise, 3 8 15 % of the maximum": [distance(changed + part * noise) for part in (0.03, 0.08, 0.15)],
        "CT among MR, 1 2 4 of 12": [distance(mixed(count)) for count in (1, 2, 4)],
    }.items():
        print(f"{name}: {', '.join(f'{answer / floor:.2f}' for answer in answers)} times the distance of real to real")
        assert floor < answers[0] < answers[1] < answers[2]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_features_of_a_cpu():
    images = torch.rand(3, 1, 30, 30, generator=torch.Generator().manual_seed(0))
    found = random_conv(2, device="cuda")(images.cuda()).cpu()
    torch.testing.assert_close(found, random_conv(2)(images), atol=1e-5, rtol=1e-4)
