# SPDX-License-Identifier: Apache-2.0
"""What is sampled is what MONAI's own inferers give, and the training's scheduler stays as it is."""

import importlib.util
from pathlib import Path

import pytest
import torch
from monai.inferers import DiffusionInferer, LatentDiffusionInferer
from monai.networks.schedulers import DDIMScheduler, DDPMScheduler, RFlowScheduler
from torch import nn

from monai_ethics.errors import InputError
from monai_ethics.handlers import DiffusionSampler, GanSampler, LatentDiffusionSampler
from monai_ethics.handlers.samplers import as_sampler, ddim, unwrapped

spec = importlib.util.spec_from_file_location("generators", Path(__file__).with_name("generators.py"))
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)


def seeded(seed=5):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", [DDPMScheduler, DDIMScheduler])
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_diffusion_images_are_those_of_ddim_with_the_trainings_noise(kind, prediction_type):
    settings = {
        "num_train_timesteps": 20,
        "schedule": "scaled_linear_beta",
        "beta_start": 0.01,
        "beta_end": 0.05,
        "prediction_type": prediction_type,
        "clip_sample": False,
    }
    scheduler, network = kind(**settings), made.unet().eval()
    before = scheduler.timesteps.clone()
    images = DiffusionSampler(network, scheduler, (1, 8, 8), steps=4).sample(3, seeded())
    direct = DDIMScheduler(**settings)
    direct.set_timesteps(4)
    expected = DiffusionInferer(direct).sample(
        torch.randn(3, 1, 8, 8, generator=seeded()), network, direct, verbose=False
    )
    torch.testing.assert_close(images, expected, rtol=0, atol=0)
    assert torch.equal(scheduler.timesteps, before)


def test_latent_images_are_decoded_with_the_scale_of_the_training():
    engine = made.latent_diffusion(made.images(4, "t"), [])
    network, autoencoder = engine.network.eval(), engine.autoencoder_model.eval()
    scheduler = DDPMScheduler(num_train_timesteps=20)
    torch.manual_seed(0)
    images = LatentDiffusionSampler(network, autoencoder, scheduler, (2, 4, 4), steps=3, scale_factor=0.5).sample(
        2, seeded()
    )
    direct = ddim(scheduler, steps=3)
    torch.manual_seed(0)
    expected = LatentDiffusionInferer(direct, scale_factor=0.5).sample(
        torch.randn(2, 2, 4, 4, generator=seeded()), autoencoder, network, direct, verbose=False
    )
    torch.testing.assert_close(images, expected, rtol=0, atol=0)


def test_conditions_are_drawn_from_those_given_or_made_by_a_function():
    class Told(nn.Module):
        def forward(self, x, timesteps, context=None):
            self.context = context
            return x

    network, given = Told(), torch.arange(6.0).reshape(6, 1, 1)
    for conditions in (given, lambda n, generator: given[:n]):
        DiffusionSampler(network, DDPMScheduler(20), (1, 4, 4), steps=1, conditions=conditions).sample(4, seeded())
        assert network.context.shape == (4, 1, 1)


def test_a_scheduler_without_betas_is_copied_as_it_is():
    scheduler = RFlowScheduler(num_train_timesteps=20)
    copied = ddim(scheduler, steps=4)
    assert type(copied) is RFlowScheduler
    assert copied is not scheduler


def test_a_gan_gives_images_of_standard_normal_latents():
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 64), nn.Unflatten(1, (1, 8, 8)))
    images = GanSampler(network, (2, 3)).sample(5, seeded())
    torch.testing.assert_close(images, network(torch.randn(5, 2, 3, generator=seeded())))


def test_a_wrapper_for_several_processes_is_taken_off():
    network = nn.Linear(2, 2)
    assert unwrapped(nn.DataParallel(network)) is network
    assert unwrapped(network) is network


def test_a_function_is_a_sampler_and_a_number_is_none():
    assert as_sampler(lambda n, generator: torch.zeros(n, 1, 4, 4)).sample(2, seeded()).shape == (2, 1, 4, 4)
    with pytest.raises(InputError, match="sample"):
        as_sampler(3)
