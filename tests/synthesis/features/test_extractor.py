# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch import nn

from monai_ethics.synthesis.features.extractor import FeatureExtractor, latent_extractor, module_extractor
from monai_ethics.synthesis.features.preprocessing import Preprocessing
from monai_ethics.synthesis.features.weights import weight_digest

IMAGES = torch.rand(4, 1, 20, 24, generator=torch.Generator().manual_seed(0))
SMALL = Preprocessing(size=16, channels=1)


def network(dims=2, seed=0):
    torch.manual_seed(seed)
    conv, norm = (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
    return nn.Sequential(conv(1, 3, 3), norm(3), nn.Dropout(0.5), nn.ReLU(), conv(3, 5, 3, stride=2))


@pytest.mark.parametrize("dims", [2, 3])
def test_any_network_is_an_extractor_in_2d_and_3d(dims):
    extractor = module_extractor(network(dims), name="mine", spatial_dims=dims, preprocessing=SMALL, pool=2)
    assert isinstance(extractor, FeatureExtractor)
    rows = extractor(torch.rand(2, 1, *[18] * dims))
    assert rows.shape == (2, extractor.protocol.width) == (2, 5 * 2**dims)
    assert rows.dtype == torch.float32
    assert not rows.requires_grad


def test_the_network_the_random_numbers_and_the_statistics_of_batches_are_left_as_they_were():
    net = network()
    net[3].eval()
    before, flags = weight_digest(net), [part.training for part in net.modules()]
    state = torch.get_rng_state()
    extractor = module_extractor(net, name="mine", spatial_dims=2, preprocessing=SMALL)
    first, second = extractor(IMAGES), extractor(IMAGES)
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
    assert [part.training for part in net.modules()] == flags
    assert weight_digest(net) == before


def test_a_named_layer_gives_its_output_and_keeps_no_hook():
    net = network()
    extractor = module_extractor(net, name="mine", spatial_dims=2, preprocessing=SMALL, layer="3")
    expected = net.eval()[:4](SMALL(IMAGES)).mean((2, 3))
    torch.testing.assert_close(extractor(IMAGES), expected.detach())
    assert not net[3]._forward_hooks
    assert extractor.protocol.preprocessing["layer"] == "3"


def test_an_image_has_the_same_features_whatever_is_in_its_batch():
    extractor = module_extractor(network(), name="mine", spatial_dims=2, preprocessing=SMALL)
    torch.testing.assert_close(extractor(IMAGES)[2:3], extractor(IMAGES[2:3]))


def test_the_protocol_changes_with_weights_layer_and_preprocessing():
    def digest(seed=0, **changes):
        settings = {"preprocessing": SMALL, "fitted_on_train": False, **changes}
        return module_extractor(network(seed=seed), name="mine", spatial_dims=2, **settings).protocol.digest

    others = [
        digest(seed=1),
        digest(layer="1"),
        digest(pool=2),
        digest(preprocessing=Preprocessing(size=16, channels=1, scale="none")),
        digest(fitted_on_train=True),
    ]
    assert digest() == digest()
    assert len({digest(), *others}) == 6


def test_weights_of_other_types_have_digests():
    assert weight_digest(nn.ReLU()) is None
    net = network()
    assert weight_digest(net) != weight_digest(net.to(torch.bfloat16))


class Tokens(nn.Module):
    def forward(self, images):
        return images.flatten(2).transpose(1, 2).repeat(1, 1, 7), None


def test_tokens_are_averaged_and_the_first_of_several_outputs_is_taken():
    extractor = module_extractor(Tokens(), name="tokens", spatial_dims=2, preprocessing=SMALL)
    torch.testing.assert_close(extractor(IMAGES), SMALL(IMAGES).flatten(1).mean(1, keepdim=True).repeat(1, 7))


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 2, 4, stride=4)

    def encode(self, images):
        mean = self.down(images)
        return mean, torch.ones_like(mean)


def test_the_latent_space_is_its_mean():
    auto = Autoencoder()
    extractor = latent_extractor(auto, spatial_dims=2, preprocessing=SMALL, fitted_on_train=True)
    torch.testing.assert_close(extractor(IMAGES), auto.encode(SMALL(IMAGES))[0].flatten(1).detach())
    assert extractor.protocol.fitted_on_train is True
    with pytest.raises(ValueError, match="an autoencoder with `encode`"):
        latent_extractor(network(), spatial_dims=2)


class Drawing(nn.Module):
    def forward(self, images):
        return images.flatten(1) + torch.rand(1)


class Text(nn.Module):
    def forward(self, images):
        return "none"


@pytest.mark.parametrize(
    ("net", "changes", "message"),
    [
        (network(), {"layer": "nine"}, "Expected the name of a layer"),
        (network(), {"spatial_dims": 1}, "2 or 3 dimensions"),
        (network(), {"preprocessing": Preprocessing(size=16, channels=3)}, "takes images of the given channels"),
        (Drawing(), {}, "draws random numbers"),
        (Text(), {}, "Expected features of shape"),
    ],
)
def test_networks_that_give_no_features_are_refused(net, changes, message):
    with pytest.raises(ValueError, match=message):
        module_extractor(net, **{"name": "mine", "spatial_dims": 2, "preprocessing": SMALL, **changes})


def test_a_layer_that_is_not_called_is_refused():
    net = network()
    net.add_module("5", nn.Identity())
    net.forward = lambda images: net[0](images)
    with pytest.raises(ValueError, match="a layer that the network calls"):
        module_extractor(net, name="mine", spatial_dims=2, preprocessing=SMALL, layer="5")


def test_images_of_other_dimensions_are_refused():
    extractor = module_extractor(network(), name="mine", spatial_dims=2, preprocessing=SMALL)
    with pytest.raises(ValueError, match=r"\(batch, channels, 2 axes\): got 5 axes"):
        extractor(torch.rand(1, 1, 4, 4, 4))
