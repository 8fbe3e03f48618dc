# SPDX-License-Identifier: Apache-2.0
"""Tiny generators in training, on 8 x 8 images of made-up patients."""

from __future__ import annotations

import torch
from monai.data import DataLoader, Dataset
from monai.engines import AdversarialTrainer, GanTrainer, SupervisedTrainer
from monai.engines.utils import DiffusionPrepareBatch
from monai.inferers import DiffusionInferer, LatentDiffusionInferer
from monai.networks.nets import AutoencoderKL, DiffusionModelUNet
from monai.networks.schedulers import DDPMScheduler
from torch import nn

CPU = torch.device("cpu")


def images(n, tag, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [{"image": torch.rand(1, 8, 8, generator=generator), "patient": f"{tag}{i}"} for i in range(n)]


def unet(channels=1):
    return DiffusionModelUNet(
        spatial_dims=2,
        in_channels=channels,
        out_channels=channels,
        channels=(8, 8),
        attention_levels=(False, False),
        num_res_blocks=1,
        norm_num_groups=4,
        num_head_channels=4,
    )


def loader(items):
    return DataLoader(Dataset(items), batch_size=4, shuffle=True)


def diffusion(train, handlers, *, epochs=2, network=None, metrics=None, condition=None):
    torch.manual_seed(1)
    network = network or unet()
    return SupervisedTrainer(
        device=CPU,
        max_epochs=epochs,
        train_data_loader=loader(train),
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), lr=1e-3),
        loss_function=nn.MSELoss(),
        inferer=DiffusionInferer(DDPMScheduler(num_train_timesteps=20)),
        prepare_batch=DiffusionPrepareBatch(20, condition),
        train_handlers=handlers,
        **(metrics or {}),
    )


def gan(train, handlers, *, epochs=2):
    torch.manual_seed(1)
    generator = nn.Sequential(
        nn.Linear(6, 64), nn.BatchNorm1d(64), nn.Dropout(), nn.Linear(64, 64), nn.Unflatten(1, (1, 8, 8))
    )
    critic = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    return GanTrainer(
        device=CPU,
        max_epochs=epochs,
        train_data_loader=loader([{"reals": item["image"]} for item in train]),
        g_network=generator,
        g_optimizer=torch.optim.SGD(generator.parameters(), lr=0.01),
        g_loss_function=lambda fakes: critic(fakes).mean(),
        d_network=critic,
        d_optimizer=torch.optim.SGD(critic.parameters(), lr=0.01),
        d_loss_function=lambda fakes, reals: critic(fakes.detach()).mean() - critic(reals).mean(),
        latent_shape=6,
        train_handlers=handlers,
    )


def adversarial(train, handlers, *, epochs=2):
    torch.manual_seed(1)
    generator = nn.Conv2d(1, 1, 3, padding=1)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    return AdversarialTrainer(
        device=CPU,
        max_epochs=epochs,
        train_data_loader=loader([{"image": item["image"], "label": item["image"]} for item in train]),
        g_network=generator,
        g_optimizer=torch.optim.SGD(generator.parameters(), lr=0.01),
        g_loss_function=lambda logits: -logits.mean(),
        recon_loss_function=nn.MSELoss(),
        d_network=critic,
        d_optimizer=torch.optim.SGD(critic.parameters(), lr=0.01),
        d_loss_function=lambda real, fake: fake.mean() - real.mean(),
        train_handlers=handlers,
    )


class LatentTrainer(SupervisedTrainer):
    """A trainer of a bundle's own, as the zoo's latent diffusion bundles have one."""

    def __init__(self, *, autoencoder_model, **kwargs):
        super().__init__(**kwargs)
        self.autoencoder_model = autoencoder_model

    def _iteration(self, engine, batchdata):
        images = batchdata["image"]
        noise = torch.randn(len(images), 2, 4, 4)
        steps = torch.randint(0, 20, (len(images),))
        pred = engine.inferer(
            inputs=images,
            autoencoder_model=self.autoencoder_model,
            diffusion_model=engine.network,
            noise=noise,
            timesteps=steps,
        )
        loss = nn.functional.mse_loss(pred, noise)
        engine.optimizer.zero_grad()
        loss.backward()
        engine.optimizer.step()
        engine.state.output = {"loss": loss.item()}
        return engine.state.output


def latent_diffusion(train, handlers, *, epochs=2):
    torch.manual_seed(1)
    autoencoder = AutoencoderKL(
        spatial_dims=2,
        in_channels=1,
        out_channels=1,
        channels=(4, 4),
        num_res_blocks=(1, 1),
        latent_channels=2,
        norm_num_groups=2,
        attention_levels=(False, False),
    )
    network = unet(channels=2)
    return LatentTrainer(
        autoencoder_model=autoencoder,
        device=CPU,
        max_epochs=epochs,
        train_data_loader=loader(train),
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), lr=1e-3),
        loss_function=nn.MSELoss(),
        inferer=LatentDiffusionInferer(DDPMScheduler(num_train_timesteps=20), scale_factor=0.5),
        decollate=False,
        train_handlers=handlers,
    )


def overtrained(train, handlers, *, epochs=12):
    """Learns to give one training image for each of its codes, and so by and by repeats all of them."""
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(len(train), 64, bias=False), nn.Unflatten(1, (1, 8, 8)))
    codes = torch.eye(len(train))
    items = [{"image": codes[i], "label": item["image"]} for i, item in enumerate(train)]
    trainer = SupervisedTrainer(
        device=CPU,
        max_epochs=epochs,
        train_data_loader=DataLoader(Dataset(items), batch_size=len(items)),
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), lr=0.05),
        loss_function=nn.MSELoss(),
        train_handlers=handlers,
    )
    return trainer, lambda n, generator: network(codes[torch.randint(len(codes), (n,), generator=generator)])


def weights(engine):
    return [tensor for network in networks(engine) for tensor in network.state_dict().values()]


def networks(engine):
    held = [*vars(engine).values(), *vars(engine.state).values()]
    return [value for value in held if isinstance(value, nn.Module)]
